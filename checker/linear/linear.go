// Package linear decides whether the operations on registers and mutexes are
// linearizable, with porcupine, one key at a time: an object is linearizable if
// and only if each of its independent parts is.
//
// An operation of unknown outcome may take effect at any time after its
// invocation, or never; a failed one never does.
package linear

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Name is the checker's name in results.
const Name = "linear"

// Options bound the search.
type Options struct {
	// Timeout is in real time and over all keys; zero or less is no bound.
	Timeout time.Duration
}

// Applies says whether operations of this kind are checked here.
func Applies(k history.Kind) bool {
	switch k {
	case history.Read, history.Write, history.CAS, history.Append, history.Acquire, history.Release:
		return true
	case history.Txn, history.Timestamp:
		return false
	}
	return false
}

// known says whether operations of this kind are those of some checker. Others may
// have changed what they are about.
func known(k history.Kind) bool { return Applies(k) || k == history.Txn || k == history.Timestamp }

// Turns of the search for each object: the first, and by how much each is longer
// than the one before.
const (
	turnFirst  = 50 * time.Millisecond
	turnGrowth = 8
)

// Check decides every key of the history. Transactions and timestamps are passed
// over. A key with operations of a kind that nobody knows cannot be decided, and
// nothing can if the values of registers are not understood.
func Check(h *history.History, opts Options) verdict.Result {
	if h.Unjudged != "" {
		r := verdict.Result{Checker: Name}
		r.Undecided(h.Unjudged)
		return r
	}
	return proven(h, decideAll(split(h), opts))
}

// proven makes the answer Unknown if no operation took part in it: a system that
// fails every operation proves nothing. Of a foreign history its own tool says
// that it is in order; only the reason is noted.
func proven(h *history.History, r verdict.Result) verdict.Result {
	const reason = "no operation took part: none was answered"
	switch {
	case r.Checked > 0:
	case h.Foreign:
		r.Reason = reason
	default:
		r.Undecided(reason)
	}
	return r
}

// decideAll decides independent objects in rounds of ever longer turns, so that
// one that is hard to decide does not hide a violation in another; a violation
// ends the search, for then the verdict is certain.
func decideAll(objects []*object, opts Options) verdict.Result {
	r := verdict.Result{Checker: Name}
	budget := newBudget(opts.Timeout)
	answers := make([]porcupine.CheckResult, len(objects))
	for i, o := range objects {
		r.Checked += len(o.calls)
		answers[i] = porcupine.Unknown
	}
	for turn := turnFirst; undecidedYet(objects, answers) && !slices.Contains(answers, porcupine.Illegal); turn *= turnGrowth {
		if budget.spent() {
			break
		}
		for i, o := range objects {
			if answers[i] == porcupine.Unknown && o.strange == "" {
				answers[i] = o.decide(o.calls, false, budget.bound(turn))
			}
		}
	}
	var undecided, broken []*object
	for i, o := range objects {
		switch answers[i] {
		case porcupine.Unknown:
			undecided = append(undecided, o)
		case porcupine.Illegal:
			broken = append(broken, o)
			r.Add(explain(o, newBudget(max(explainMin, explainAll/time.Duration(len(broken)))).bound))
		case porcupine.Ok:
		}
	}
	if len(undecided) > 0 && len(broken) == 0 {
		r.Undecided(whyUndecided(undecided, len(objects), opts))
	}
	switch {
	case len(broken) > 0:
		r.Visualise = visualiser(broken)
	case len(objects) > 0 && len(undecided) == 0:
		r.Visualise = visualiser(objects)
	}
	return r
}

// undecidedYet says whether a longer search may help.
func undecidedYet(objects []*object, answers []porcupine.CheckResult) bool {
	for i, o := range objects {
		if answers[i] == porcupine.Unknown && o.strange == "" {
			return true
		}
	}
	return false
}

// whyUndecided explains that some of all objects could not be decided.
func whyUndecided(undecided []*object, all int, opts Options) string {
	for _, o := range undecided {
		if o.strange != "" {
			return fmt.Sprintf("operations of kind %q are not known here, and key %q has some", o.strange, o.key)
		}
	}
	return fmt.Sprintf("%d of %d keys not decided within %v, the first is %q", len(undecided), all, opts.Timeout, undecided[0].key)
}

// visualiseLimit bounds the second search, which collects what the page shows.
const visualiseLimit = 10 * time.Second

// visualiser returns a function that writes porcupine's page for the objects.
// The search is repeated, for the first one keeps nothing. A page has one model:
// it shows the objects of the first one's family.
func visualiser(objects []*object) func(io.Writer) error {
	return func(w io.Writer) error {
		var ops []porcupine.Operation
		for _, o := range objects {
			if o.family == objects[0].family {
				ops = append(ops, o.operations(o.calls)...)
			}
		}
		model := pageModel(objects[0])
		_, info := porcupine.CheckOperationsVerbose(model, ops, visualiseLimit)
		return porcupine.Visualize(model, info, w)
	}
}

// pageModel is the model of several objects of one family. The initial state of
// each becomes known with the first call on it.
func pageModel(o *object) porcupine.Model {
	model := o.model(false)
	if o.family == familyMulti {
		return model
	}
	step := model.Step
	model.Init = func() any { return state{fresh: true} }
	model.Step = func(s, input, output any) (bool, any) {
		if s.(state).fresh {
			s = input.(*call).object.init
		}
		return step(s, input, output)
	}
	model.Partition = func(ops []porcupine.Operation) [][]porcupine.Operation {
		var parts [][]porcupine.Operation
		var last *object
		for _, op := range ops { // they come object by object
			if c := op.Input.(*call); c.object != last {
				last = c.object
				parts = append(parts, nil)
			}
			parts[len(parts)-1] = append(parts[len(parts)-1], op)
		}
		return parts
	}
	return model
}

// budget shares out a bound on real time.
type budget struct {
	deadline time.Time // zero: none
}

func newBudget(total time.Duration) budget {
	if total <= 0 {
		return budget{}
	}
	return budget{deadline: time.Now().Add(total)}
}

// bound returns the bound on one search: at most turn, and what is left.
func (b budget) bound(turn time.Duration) time.Duration {
	if b.deadline.IsZero() {
		return turn
	}
	return max(min(turn, time.Until(b.deadline)), 1) // porcupine takes zero for no bound
}

func (b budget) spent() bool { return !b.deadline.IsZero() && time.Until(b.deadline) <= 0 }
