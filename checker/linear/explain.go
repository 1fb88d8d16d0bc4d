package linear

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Bounds on the search for small evidence: each step is a search of its own,
// over fewer operations than the one that failed.
const (
	explainAll   = 4 * time.Second // for all objects together
	explainMin   = 200 * time.Millisecond
	explainStep  = time.Second
	explainCalls = 64 // above this many calls reads are not tried one by one
	evidenceMax  = 20
)

// explain looks for few operations that cannot be ordered: the shortest prefix
// that already fails, of it the part after the latest moment of rest, of that
// no reads that are not needed.
// What cannot be decided in time stays.
func explain(o *object, bound func(time.Duration) time.Duration) verdict.Finding {
	e := explainer{object: o, bound: bound}
	calls, culprit := e.shortestPrefix()
	calls, anyInit := e.sinceRest(calls)
	if len(calls) <= explainCalls {
		calls = e.dropReads(calls, culprit, anyInit)
	}
	ids := []int{culprit.op.ID}
	for _, c := range slices.Backward(calls) {
		if c.op.ID != culprit.op.ID && len(ids) < evidenceMax {
			ids = append(ids, c.op.ID)
		}
	}
	slices.Sort(ids[1:])
	return verdict.Finding{
		Anomaly: verdict.NotLinearizable,
		Message: fmt.Sprintf("key %q: no order of these %d operations explains %s by client %d (id %d)",
			o.key, len(calls), describe(culprit), culprit.op.Client, culprit.op.ID),
		Evidence: ids,
	}
}

type explainer struct {
	*object
	bound func(time.Duration) time.Duration
}

func (e *explainer) illegal(calls []*call, anyInit bool) bool {
	return e.decide(calls, anyInit, e.bound(explainStep)) == porcupine.Illegal
}

// shortestPrefix returns what was known at the earliest return by which the
// history has no linearization, and the call that returned then. A prefix of a
// linearizable history is linearizable, so the search is binary.
func (e *explainer) shortestPrefix() ([]*call, *call) {
	var returned []*call
	for _, c := range e.calls {
		if !c.unknown {
			returned = append(returned, c)
		}
	}
	slices.SortStableFunc(returned, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.ret, b.ret), cmp.Compare(a.op.ID, b.op.ID))
	})
	if len(returned) == 0 {
		return e.calls, e.calls[0] // cannot be: what is unknown can be left out
	}
	lo, hi := 0, len(returned)-1
	for lo < hi {
		mid := lo + (hi-lo)/2
		if e.illegal(e.prefix(returned[mid].ret, nil), false) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return e.prefix(returned[lo].ret, nil), e.culprit(returned, lo)
}

// culprit returns the call whose answer makes the difference, of those that
// returned at the same instant.
func (e *explainer) culprit(returned []*call, at int) *call {
	for _, c := range returned[at:] {
		if c.ret != returned[at].ret {
			break
		}
		if !e.illegal(e.prefix(c.ret, c), false) {
			return c
		}
	}
	return returned[at]
}

// prefix returns the calls as they stood at an instant: what had not returned
// is unknown, and so is the answer to the call without.
func (o *object) prefix(until int64, without *call) []*call {
	var calls []*call
	for _, c := range o.calls {
		switch {
		case c.invoke > until:
		case c.ret <= until && c != without:
			calls = append(calls, c)
		case c.op.Kind != history.Read:
			pending := *c
			pending.unknown = true
			pending.ret = o.last + 1
			calls = append(calls, &pending)
		}
	}
	return calls
}

// sinceRest drops all calls before the latest moment at which nothing was under
// way, if the rest fails from every state.
func (e *explainer) sinceRest(calls []*call) ([]*call, bool) {
	var rests []int // indexes of calls that were invoked when nothing was under way
	busy := int64(-1 << 63)
	for i, c := range calls {
		if i > 0 && c.invoke > busy {
			rests = append(rests, i)
		}
		if !c.unknown {
			busy = max(busy, c.ret)
		}
	}
	best, anyInit := calls, false
	lo, hi := 0, len(rests)
	for lo < hi {
		mid := lo + (hi-lo)/2
		since := e.from(calls, rests[mid])
		if e.illegal(since, true) {
			best, anyInit = since, true
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return best, anyInit
}

// from returns the calls from index i on. One that was pending at that moment
// may have taken effect before it, after it or never.
func (o *object) from(calls []*call, i int) []*call {
	var out []*call
	for j, c := range calls {
		switch {
		case j >= i:
			out = append(out, c)
		case c.unknown && c.ret >= calls[i].invoke:
			pending := *c
			pending.ret = o.last + 1
			out = append(out, &pending)
		}
	}
	slices.SortStableFunc(out, func(a, b *call) int { return cmp.Compare(a.invoke, b.invoke) })
	return out
}

// dropReads drops each read without which the rest fails as well. That is sound:
// a linearizable history stays so without a read, though not without a write.
func (e *explainer) dropReads(calls []*call, culprit *call, anyInit bool) []*call {
	for i := 0; i < len(calls); {
		c := calls[i]
		if c.op.ID == culprit.op.ID || c.op.Kind != history.Read {
			i++
			continue
		}
		without := slices.Delete(slices.Clone(calls), i, i+1)
		if e.illegal(without, anyInit) {
			calls = without
		} else {
			i++
		}
	}
	return calls
}
