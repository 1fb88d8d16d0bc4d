package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/schollz/progressbar/v3"

	"simrun/scenarios/runner"
	"simrun/sim/plan"
	"simrun/sim/shrink"
)

// trials hands the candidates of a shrink to the workers of a pool: several at a time, ahead
// of the answers that may make them needless. Which candidate is taken depends on
// their order alone, so what comes out does not depend on the number of workers.
//
// The shrink is a coroutine, which waits for the outcome of a round of candidates
// while the pool works on them; next and take are the pool's side.
type trials struct {
	signature string // of the failure, which a candidate must have too
	smaller   func(p *plan.Plan)

	proceed func() (struct{}, bool) // lets the shrink go on to its next round
	stop    func()
	round   []*plan.Plan
	first   uint64      // the number of the round's first candidate
	given   int         // how many of the round were handed out
	answers []trialSaid // of the round
	found   int         // the index of the round's candidate that is taken, -1 for none

	over   bool // the shrink has come to its end
	result shrink.Result
	err    error

	runs int // that were answered, those ahead of need among them
	cpu  time.Duration

	bar    *progressbar.ProgressBar // nil: nobody looks
	log    io.Writer                // gets a line now and then, if there is no bar
	logged time.Time                // when it got its last
	size   shrink.Size              // of the smallest plan so far
}

// trialSaid is what is known of a candidate.
type trialSaid uint8

const (
	trialOpen  trialSaid = iota
	trialFails           // in the same way
	trialOther           // in another way, or not at all
)

// errStopped ends a shrink whose pool has ended.
var errStopped = errors.New("stopped")

// newTrials begins a shrink of a plan that fails with a signature. smaller is told each
// plan that fails in the same way.
func newTrials(p *plan.Plan, signature string, tries int, smaller func(p *plan.Plan), log io.Writer) *trials {
	t := &trials{
		signature: signature, smaller: smaller, first: 1,
		bar: runBar(log), log: log, logged: time.Now(), size: shrink.SizeOf(p),
	}
	t.proceed, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.result, t.err = shrink.Shrink(p, shrink.Options{
			Valid: runner.Check, Tries: tries, Smaller: t.adopt,
			First: func(candidates []*plan.Plan) (int, error) {
				t.first += uint64(len(t.round))
				t.round, t.given, t.answers = candidates, 0, make([]trialSaid, len(candidates))
				if !yield(struct{}{}) {
					return -1, errStopped
				}
				return t.found, nil
			},
		})
	})
	t.goOn()
	return t
}

// goOn lets the shrink choose its next round.
func (t *trials) goOn() {
	_, more := t.proceed()
	t.over = !more
}

// end ends the shrink, if it has not ended by itself, and returns what it has come
// to.
func (t *trials) end() (shrink.Result, error) {
	t.stop()
	if t.bar != nil {
		_ = t.bar.Finish()
	}
	if errors.Is(t.err, errStopped) {
		t.err = nil
	}
	return t.result, t.err
}

// next hands out the next candidate. When one has failed, none after it matters.
func (t *trials) next() (job, bool) {
	switch {
	case t.over:
		return job{}, false
	case t.given == len(t.round) || t.failed():
		return job{later: true}, true
	}
	t.given++
	i := t.given - 1
	return job{Seed: t.first + uint64(i), Plan: t.round[i].String()}, true
}

// failed reports whether a candidate of the round is known to fail.
func (t *trials) failed() bool {
	for _, a := range t.answers[:t.given] {
		if a == trialFails {
			return true
		}
	}
	return false
}

// take takes an answer. When all before the first candidate that fails are there, or
// all, the round is over.
func (t *trials) take(a answer) {
	t.runs++
	t.cpu += a.CPU
	defer t.progress()
	if t.over || a.Seed < t.first || a.Seed >= t.first+uint64(t.given) {
		return // of an earlier round, which did not need it any more
	}
	said := trialOther
	if a.Error == "" && a.Signature == t.signature {
		said = trialFails
	}
	t.answers[a.Seed-t.first] = said
	for i, s := range t.answers {
		switch s {
		case trialOpen:
			return
		case trialFails:
			t.found = i
			t.goOn()
			return
		case trialOther:
		}
	}
	t.found = -1
	t.goOn()
}

// adopt is told of a plan that is smaller.
func (t *trials) adopt(p *plan.Plan) {
	t.size = shrink.SizeOf(p)
	t.smaller(p)
}

// progress shows that the shrink goes on.
func (t *trials) progress() {
	left := fmt.Sprintf("%s, %s, storm %v", plural(t.size.Faults, "fault"), plural(t.size.Clients, "client"), t.size.Storm)
	switch {
	case t.bar != nil:
		t.bar.Describe(left)
		_ = t.bar.Add(1)
	case time.Since(t.logged) >= logEvery:
		t.logged = time.Now()
		fmt.Fprintf(t.log, "%s so far: %s\n", plural(t.runs, "run"), left)
	}
}
