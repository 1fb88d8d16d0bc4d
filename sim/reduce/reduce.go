// Package reduce makes failing plans small, whatever they are plans of: it knows that
// a plan has faults and a storm, and is told what else there is to be taken away.
//
//	kind := reduce.Kind[*Plan]{Clone: ..., Text: ..., Valid: ..., Faults: ..., Storm: ...}
//	kind.Steps = append(kind.Schedule(), reduce.Number[*Plan]{...}, reduce.List[*Plan]{...})
//	result, err := kind.Reduce(p, reduce.Options[*Plan]{First: reduce.OneByOne(fails)})
//	result.Plan
//
// It is delta debugging (Zeller and Hildebrandt, "Simplifying and isolating
// failure-inducing input", 2002): what can be taken away is taken away in chunks
// that become smaller, and what is a number is made smaller by bisection, until no
// single step succeeds any more. That works because a run draws everything by name:
// what an operation or a fault does depends on its own number, not on what was
// taken away before it.
//
// The package knows nothing of runs. Whether a plan fails in the same way is the
// caller's to say, who may try several candidates at a time; which of them is
// taken depends on their order alone, so that there is one result however many are
// tried ahead.
//
// No goals: the very smallest plan, which would take exhausting all subsets; and
// another bug than the first.
package reduce

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"simrun/faults"
)

// Kind tells of plans of one kind what has to be known to make them smaller. P is a
// pointer.
type Kind[P any] struct {
	// Clone returns a copy that shares nothing which a step changes.
	Clone func(p P) P
	// Text is what a plan is known by: equal plans have equal texts.
	Text func(p P) string
	// Valid tells what is wrong with a plan, which is not tried then.
	Valid func(p P) error
	// Faults is the schedule of a plan, Storm how long the faults of it come.
	Faults func(p P) *[]faults.Fault
	Storm  func(p P) *faults.Duration
	// Steps are taken in order, over and over until none succeeds. What makes runs
	// short comes first, for it makes all further tries cheap.
	Steps []Step[P]
}

// Options say how to go about it.
type Options[P any] struct {
	// First returns the index of the first of some plans that fails in the same way, -1
	// if none does. All are valid, and it keeps none of them for itself. An error ends
	// the search.
	First func(candidates []P) (int, error)
	// Tries bounds the candidates that are tried, those aside that First has looked at
	// ahead of need; zero is no bound.
	Tries int
	// Smaller, if set, is told each plan that takes the place of the one before.
	Smaller func(p P)
}

// Result is what the search has come to.
type Result[P any] struct {
	// Plan fails in the same way as the one that was given, or is that one.
	Plan P
	// Tries is how many candidates it took.
	Tries int
	// Smallest says that no single step makes it smaller; otherwise the end came
	// first.
	Smallest bool
}

// Reduce returns the smallest plan that it finds. With an error it is the smallest
// until then. The plan that is given stays as it is; it has to fail, and one that is
// not valid is refused.
func (k Kind[P]) Reduce(p P, o Options[P]) (Result[P], error) {
	s := &Search[P]{Kind: k, Options: o, Best: k.Clone(p)}
	if err := k.Valid(s.Best); err != nil {
		return Result[P]{Plan: s.Best}, fmt.Errorf("the plan to make smaller is none: %w", err)
	}
	s.known = map[[sha256.Size]byte]bool{s.key(p): true}
	err := s.all()
	over := errors.Is(err, errTries)
	if over {
		err = nil
	}
	return Result[P]{Plan: s.Best, Tries: s.tries, Smallest: err == nil && !over}, err
}

// OneByOne makes a First of a function that judges one plan.
func OneByOne[P any](fails func(p P) (bool, error)) func([]P) (int, error) {
	return func(candidates []P) (int, error) {
		for i, p := range candidates {
			if failed, err := fails(p); err != nil || failed {
				return i, err
			}
		}
		return -1, nil
	}
}

// errTries ends a search that has used up its tries.
var errTries = errors.New("no more tries")

// Search is a search under way.
type Search[P any] struct {
	Kind[P]
	Options[P]

	// Best is the smallest plan so far.
	Best    P
	adopted int // how often Best was replaced
	tries   int
	// known are the plans that were tried, by their text, the best one among them: they
	// did not fail, or are no smaller than what there is. The last rounds come by the
	// same ones again.
	known map[[sha256.Size]byte]bool
}

// all takes every kind of step until none succeeds.
func (s *Search[P]) all() error {
	for before := -1; before != s.adopted; {
		before = s.adopted
		for _, step := range s.Steps {
			if err := step.Take(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// Try tries the changes in order, each on a copy of the best plan, and adopts the
// first one with which it still fails. It returns its index, -1 if there is none.
func (s *Search[P]) Try(changes []func(p P)) (int, error) {
	candidates, keys, indices := s.candidates(changes)
	if s.Tries > 0 {
		candidates = candidates[:min(len(candidates), s.Tries-s.tries)]
	}
	found := -1
	if len(candidates) > 0 {
		var err error
		if found, err = s.First(candidates); err != nil {
			return -1, err
		}
	}
	tried := len(candidates)
	if found >= 0 {
		tried = found + 1
	}
	for _, k := range keys[:tried] {
		s.known[k] = true
	}
	s.tries += tried
	switch {
	case found >= 0:
		s.adopt(candidates[found])
		return indices[found], nil
	case tried < len(indices):
		return -1, errTries
	}
	return -1, nil
}

// candidates returns the plans that are worth a try, what they are known by, and of which
// changes they are.
func (s *Search[P]) candidates(changes []func(p P)) (plans []P, keys [][sha256.Size]byte, indices []int) {
	for i, change := range changes {
		p := s.Clone(s.Best)
		change(p)
		if s.Valid(p) != nil {
			continue
		}
		if k := s.key(p); !s.known[k] && !slices.Contains(keys, k) {
			plans, keys, indices = append(plans, p), append(keys, k), append(indices, i)
		}
	}
	return plans, keys, indices
}

func (s *Search[P]) adopt(p P) {
	s.Best = p
	s.adopted++
	if s.Smaller != nil {
		s.Smaller(s.Clone(p))
	}
}

// key is what a plan is known by.
func (s *Search[P]) key(p P) [sha256.Size]byte { return sha256.Sum256([]byte(s.Text(p))) }
