package runner

import (
	"time"

	"simrun/nodes/invariant"
)

// quietStep is how often the audit looks whether the replicas agree, quietSteps
// how often in a row they have to.
const (
	quietStep  = 50 * time.Millisecond
	quietSteps = 3
)

// settleMax is how many times the bound of the audit is waited at most for a
// placement driver that gets things done.
const settleMax = 4

//nolint:gochecknoglobals // marks register once
var markExtended = invariant.NewMark("runner: more time to come to rest, for the placement driver gets things done")

// settle waits until the replicas have agreed for a while. Whenever the placement
// driver has finished something the time for that begins anew: what it does comes
// to an end, since each merge leaves fewer regions and each move a better balance,
// but one thing waits for another. That it goes round in circles is found when
// settleMax times the bound has passed.
func (r *run) settle() error {
	bound, finished := int64(r.plan.Phases.Audit), r.finished()
	last := r.world.Now() + (settleMax-1)*bound // no bound begins later
	over := r.world.Now() + bound
	for quiet, first := 0, over; quiet < quietSteps; {
		if n := r.finished(); n > finished {
			finished, over = n, min(r.world.Now(), last)+bound
		}
		if r.world.Now() >= over {
			return r.stuck("replicas did not agree", r.plan.Phases.Audit, " after the last operation: "+r.cluster.Unrest())
		}
		if err := r.world.RunFor(quietStep); err != nil {
			return err
		}
		markExtended.Sometimes(r.world.Now() > first)
		quiet++
		if !r.cluster.Quiet() {
			quiet = 0
		}
	}
	return nil
}

// finished is how many operators of the placement driver have come to their end.
func (r *run) finished() (n uint64) {
	for _, kind := range r.cluster.Operators() {
		n += kind.Finished
	}
	return n
}
