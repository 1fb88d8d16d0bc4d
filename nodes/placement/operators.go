package placement

import (
	"maps"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markOperatorFinished  = invariant.NewMark("placement: operator finished")
	markOperatorTimedOut  = invariant.NewMark("placement: operator timed out")
	markOperatorStale     = invariant.NewMark("placement: operator cancelled, somebody else has changed the region")
	markOperatorStore     = invariant.NewMark("placement: operator cancelled, its store is not usable any more")
	markOperatorGone      = invariant.NewMark("placement: operator cancelled, the region is gone")
	markOperatorAbandoned = invariant.NewMark("placement: operators lost with the leadership")
	markAsked             = invariant.NewMark("placement: region with an operator asked for, for it was silent")
	markOperatorRepeated  = invariant.NewMark("placement: step of an operator sent again")
)

// operators are those under way in one leadership: one for each region at most,
// and a merge holds both of its regions.
type operators struct {
	l       *leadership
	running map[uint64]*operator // by region
	// last is the step that was sent last to a region's leader.
	last map[uint64]int
	// changes counts the steps begun and the operators ended.
	changes uint64
}

func newOperators(l *leadership) *operators {
	return &operators{l: l, running: map[uint64]*operator{}, last: map[uint64]int{}}
}

// all returns the operators in the order of their regions.
func (ops *operators) all() []*operator {
	list := make([]*operator, 0, len(ops.running))
	for _, id := range slices.Sorted(maps.Keys(ops.running)) {
		if op := ops.running[id]; op.region == id {
			list = append(list, op)
		}
	}
	return list
}

// busy reports whether an operator holds the region.
func (ops *operators) busy(region uint64) bool { return ops.running[region] != nil }

// begin starts an operator. Its first step waits for the next heartbeat.
func (ops *operators) begin(op *operator, now time.Duration) {
	op.since, op.deadline = now, now+ops.l.s.cfg.Scheduling.OperatorTimeout
	for _, region := range op.regions() {
		invariant.Check(!ops.busy(region), "placement: two operators of region %d: %v, and now %v", region, ops.running[region], op)
		ops.running[region] = op
	}
	ops.changes++
	ops.l.s.cfg.Observer.OperatorBegun(op.kind, op.String())
	if op.absorbing != 0 {
		ops.l.s.cfg.Observer.MergeBegun(op.meta, op.steps[len(op.steps)-1].(mergeRegion).target)
	}
}

func (op *operator) regions() []uint64 {
	if op.absorbing != 0 {
		return []uint64{op.region, op.absorbing}
	}
	return []uint64{op.region}
}

func (ops *operators) end(op *operator, outcome OperatorOutcome) {
	for _, region := range op.regions() {
		invariant.Check(ops.running[region] == op, "placement: operator ends that does not run: %v", op)
		delete(ops.running, region)
	}
	delete(ops.last, op.region)
	ops.changes++
	ops.l.s.cfg.Observer.OperatorEnded(op.kind, outcome, op.String())
}

// dispatch looks at the operator of a region that was heard of, and answers with
// the step that is next.
func (ops *operators) dispatch(r *regionInfo, now time.Duration, resp *pdpb.RegionHeartbeatResponse) {
	op := ops.running[r.meta.Id]
	if op == nil || op.region != r.meta.Id || ops.settle(op, now) {
		return
	}
	last, sent := ops.last[op.region]
	markOperatorRepeated.Sometimes(sent && last == op.current)
	ops.last[op.region] = op.current
	op.command(r, resp)
}

// tend ends the operators whose regions are not heard of any more, or not in time.
func (ops *operators) tend(now time.Duration) {
	for _, op := range ops.all() {
		ops.settle(op, now)
	}
}

// ask asks for reports of the regions that have operators and are not heard of. A
// sleeping region is reported when its turn comes, and with hundreds of them on a store an
// operator would be over before. The step is the answer to the report, as ever. (PD pushes
// steps by themselves, server/schedule/operator_controller.go, PushOperators; but that a
// step is done it would hear no sooner.)
func (ops *operators) ask(now time.Duration) {
	silence := ops.l.s.cfg.Scheduling.Silence
	if silence == 0 {
		return
	}
	for _, op := range ops.all() {
		r := ops.l.regions.byID[op.region]
		if now-max(r.at, op.asked) < silence || r.leader == nil {
			continue
		}
		store := ops.l.stores.stores[r.leader.StoreId]
		if store == nil {
			continue
		}
		addr, ok := ops.l.s.env.Net.Resolve(store.meta.Address)
		if !ok {
			continue
		}
		markAsked.Reached()
		op.asked = now
		ops.l.s.ep.Send(addr, rpc.ReportRegion, encode(&pdpb.RegionHeartbeatResponse{RegionId: op.region}))
	}
}

// settle ends an operator that is done, or that must not go on.
func (ops *operators) settle(op *operator, now time.Duration) (ended bool) {
	r := ops.l.regions.byID[op.region]
	before := op.current
	done := ops.merged(op) || r != nil && op.advance(r)
	if op.current > before {
		op.since, op.deadline = now, now+ops.l.s.cfg.Scheduling.OperatorTimeout
		ops.changes++
	}
	switch {
	case done:
		markOperatorFinished.Reached()
		ops.end(op, Finished)
	case r == nil:
		markOperatorGone.Reached()
		ops.end(op, Cancelled)
	case op.stale(r), ops.targetMoved(op):
		markOperatorStale.Reached()
		ops.end(op, Cancelled)
	case !ops.storeServes(op, now):
		markOperatorStore.Reached()
		ops.end(op, Cancelled)
	case now >= op.deadline:
		markOperatorTimedOut.Reached()
		ops.end(op, TimedOut)
	default:
		return false
	}
	return true
}

// merged reports whether the range of a region that was to be merged belongs to
// its neighbour.
func (ops *operators) merged(op *operator) bool {
	holder := ops.l.regions.get(op.meta.StartKey)
	return op.absorbing != 0 && holder != nil && holder.meta.Id == op.absorbing
}

// targetMoved reports whether the neighbour into which a region is to be merged is
// not what it was.
func (ops *operators) targetMoved(op *operator) bool {
	if op.absorbing == 0 {
		return false
	}
	target, was := ops.l.regions.byID[op.absorbing], op.steps[len(op.steps)-1].(mergeRegion).target
	return target == nil || target.version() != was.RegionEpoch.Version || target.confVer() != was.RegionEpoch.ConfVer
}

// storeServes reports whether the store that the next step needs may still be
// counted on.
func (ops *operators) storeServes(op *operator, now time.Duration) bool {
	id := op.steps[op.current].needs()
	return id == 0 || ops.l.stores.serves(id, now)
}

// abandon forgets all operators: the leadership is over, and what they have begun
// is for the next one to judge.
func (ops *operators) abandon() {
	for _, op := range ops.all() {
		markOperatorAbandoned.Reached()
		ops.end(op, Abandoned)
	}
}
