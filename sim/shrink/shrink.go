// Package shrink looks for the smallest plan that still fails in the same way:
// few faults, few clients, few operations, a short storm, settings as usual.
//
//	result, err := shrink.Shrink(p, shrink.Options{First: shrink.OneByOne(fails)})
//	result.Plan
//
// It is delta debugging (Zeller and Hildebrandt, "Simplifying and isolating
// failure-inducing input", 2002): what can be taken away is taken away in chunks
// that become smaller, and what is a number is made smaller by bisection, until no
// single step succeeds any more. That works because a run draws everything by name:
// what an operation or a fault does depends on its own number, not on what was
// taken away before it.
//
// The package knows plans and nothing of runs. Whether a plan fails in the same way is the
// caller's to say, who may try several candidates at a time; which of them is
// taken depends on their order alone, so that a shrink has one result however many are
// tried ahead.
//
// No goals: the very smallest plan, which would take exhausting all subsets; and
// another bug than the first, so the lengths of boot, calm and audit and the limits stay
// as they are: with less of them every plan fails, at being in time.
package shrink

import (
	"crypto/sha256"
	"errors"
	"slices"

	"simrun/sim/plan"
)

// Options say how to shrink.
type Options struct {
	// First returns the index of the first of some plans that fails in the same way, -1
	// if none does. All are valid, and it keeps none of them for itself. An error ends
	// the shrink.
	First func(candidates []*plan.Plan) (int, error)
	// Valid tells what is wrong with a plan, which is not tried then; nil is
	// plan.Validate.
	Valid func(p *plan.Plan) error
	// Tries bounds the candidates that are tried, those aside that First has looked at
	// ahead of need; zero is no bound.
	Tries int
	// Smaller, if set, is told each plan that takes the place of the one before.
	Smaller func(p *plan.Plan)
}

// Result is what a shrink has come to.
type Result struct {
	// Plan fails in the same way as the one that was given, or is that one.
	Plan *plan.Plan
	// Tries is how many candidates it took.
	Tries int
	// Smallest says that no single step makes it smaller; otherwise the end came
	// first.
	Smallest bool
}

// Shrink returns the smallest plan that it finds. With an error it is the smallest
// until then. The plan that is given stays as it is; it has to be valid, and to
// fail.
func Shrink(p *plan.Plan, o Options) (Result, error) {
	s := &shrinker{Options: o, best: p.Clone(), known: map[[sha256.Size]byte]bool{key(p): true}}
	if s.Valid == nil {
		s.Valid = (*plan.Plan).Validate
	}
	err := s.all()
	over := errors.Is(err, errTries)
	if over {
		err = nil
	}
	return Result{Plan: s.best, Tries: s.tries, Smallest: err == nil && !over}, err
}

// OneByOne makes a First of a function that judges one plan.
func OneByOne(fails func(p *plan.Plan) (bool, error)) func([]*plan.Plan) (int, error) {
	return func(candidates []*plan.Plan) (int, error) {
		for i, p := range candidates {
			if failed, err := fails(p); err != nil || failed {
				return i, err
			}
		}
		return -1, nil
	}
}

// errTries ends a shrink that has used up its tries.
var errTries = errors.New("no more tries")

// shrinker is a shrink under way.
type shrinker struct {
	Options

	best    *plan.Plan
	adopted int // how often best was replaced
	tries   int
	// known are the plans that were tried, by their text, the best one among them: they
	// did not fail, or are no smaller than what there is. The last rounds come by the
	// same ones again.
	known map[[sha256.Size]byte]bool
}

// all takes every kind of step until none succeeds. What makes runs short comes
// first, for it makes all further tries cheap.
func (s *shrinker) all() error {
	steps := []func() error{
		s.storm, s.faults, s.earlier, s.operations, s.clients,
		s.cluster, s.splitKeys, s.everyFault, s.keys, s.params, s.settings,
	}
	for before := -1; before != s.adopted; {
		before = s.adopted
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
	}
	return nil
}

// first tries the changes in order, each on a copy of the best plan, and adopts the
// first one with which it still fails. It returns its index, -1 if there is none.
func (s *shrinker) first(changes []func(p *plan.Plan)) (int, error) {
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
func (s *shrinker) candidates(changes []func(p *plan.Plan)) (plans []*plan.Plan, keys [][sha256.Size]byte, indices []int) {
	for i, change := range changes {
		p := s.best.Clone()
		change(p)
		if s.Valid(p) != nil {
			continue
		}
		if k := key(p); !s.known[k] && !slices.Contains(keys, k) {
			plans, keys, indices = append(plans, p), append(keys, k), append(indices, i)
		}
	}
	return plans, keys, indices
}

func (s *shrinker) adopt(p *plan.Plan) {
	s.best = p
	s.adopted++
	if s.Smaller != nil {
		s.Smaller(p.Clone())
	}
}

// key is what a plan is known by.
func key(p *plan.Plan) [sha256.Size]byte { return sha256.Sum256([]byte(p.String())) }

// list takes away as many as it can of some things that a plan has: all, then
// chunks of half of them, and so on down to single ones.
func (s *shrinker) list(count func(p *plan.Plan) int, without func(p *plan.Plan, from, to int)) error {
	for size := count(s.best); size > 0; size /= 2 {
		for from := 0; from < count(s.best); {
			var changes []func(p *plan.Plan)
			for n := from; n < count(s.best); n += size {
				changes = append(changes, func(p *plan.Plan) { without(p, n, min(n+size, count(p))) })
			}
			i, err := s.first(changes)
			if err != nil {
				return err
			}
			if i < 0 {
				break
			}
			from += i * size
		}
	}
	return nil
}

// number makes a number that a plan has as small as it can: the least at once, or
// by bisection, to within grain, which is positive. rounded makes values pleasant; nil leaves them.
func (s *shrinker) number(least, grain int64, get func(p *plan.Plan) int64, set func(p *plan.Plan, n int64), rounded func(int64) int64) error {
	high, low := get(s.best), least-1 // low is taken not to fail
	for high > least && (low < least || high-low > grain) {
		var values []int64
		if low < least {
			values = append(values, least)
		}
		for gap := (high - low) / 2; gap >= grain; gap /= 2 {
			n := high - gap
			if rounded != nil {
				n = rounded(n)
			}
			if n > max(low, least) && n < high && (len(values) == 0 || n > values[len(values)-1]) {
				values = append(values, n)
			}
		}
		changes := make([]func(p *plan.Plan), len(values))
		for i, n := range values {
			changes[i] = func(p *plan.Plan) { set(p, n) }
		}
		i, err := s.first(changes)
		if err != nil || i < 0 {
			return err
		}
		high = values[i]
		if i > 0 {
			low = values[i-1]
		}
	}
	return nil
}
