package placement

import (
	"fmt"
	"strings"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
)

// OperatorKind is what an operator is for.
type OperatorKind uint8

// The kinds. The zero value is none.
const (
	_               OperatorKind = iota
	ReplaceReplica               // one on a store that is down, being emptied or gone
	AddReplica                   // one is missing
	RemoveReplica                // there is one too many
	PromoteLearner               // one that was left behind, where a voter is missing
	LeaveJoint                   // a joint configuration that was left behind
	EvictLeader                  // from a store that is slow or being emptied
	BalanceLeader                // from a store with many to one with few
	BalanceRegion                // the same for peers
	SplitRegion                  // one that is far too large
	MergeRegions                 // two that are small
	operatorKindEnd              // not a kind
)

func (k OperatorKind) String() string {
	switch k {
	case ReplaceReplica:
		return "replace-replica"
	case AddReplica:
		return "add-replica"
	case RemoveReplica:
		return "remove-replica"
	case PromoteLearner:
		return "promote-learner"
	case LeaveJoint:
		return "leave-joint"
	case EvictLeader:
		return "evict-leader"
	case BalanceLeader:
		return "balance-leader"
	case BalanceRegion:
		return "balance-region"
	case SplitRegion:
		return "split-region"
	case MergeRegions:
		return "merge-regions"
	case operatorKindEnd:
	}
	return fmt.Sprintf("OperatorKind(%d)", uint8(k))
}

// OperatorKinds returns every kind, in order.
func OperatorKinds() []OperatorKind {
	kinds := make([]OperatorKind, 0, operatorKindEnd-1)
	for k := ReplaceReplica; k < operatorKindEnd; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

// OperatorOutcome is how an operator ended.
type OperatorOutcome uint8

// The outcomes. The zero value is none.
const (
	_         OperatorOutcome = iota
	Finished                  // all its steps were seen to be done
	TimedOut                  // a step took longer than Scheduling.OperatorTimeout
	Cancelled                 // somebody else has changed the region, or a store that it needs is no longer usable
	Abandoned                 // the leadership to which it belonged is over
	outcomeEnd
)

func (o OperatorOutcome) String() string {
	switch o {
	case Finished:
		return "finished"
	case TimedOut:
		return "timed-out"
	case Cancelled:
		return "cancelled"
	case Abandoned:
		return "abandoned"
	case outcomeEnd:
	}
	return fmt.Sprintf("OperatorOutcome(%d)", uint8(o))
}

// operator is a course of steps that change one region. The leader of the region
// gets the step that is next as the answer to its heartbeats, each of which shows
// whether it is done: what counts is the region, not what anybody was told. So a
// step may be sent twice, or be carried out by somebody else.
//
// Nothing of it is saved. A member that becomes leader begins with none and finds
// out anew what has to be done; what a predecessor has left half way - a learner, a
// joint configuration - is one of the things that the checkers look for.
type operator struct {
	kind   OperatorKind
	region uint64
	// absorbing is the region that takes the other one in; 0 unless this is a merge,
	// whose last step is a mergeRegion.
	absorbing uint64
	// meta is the region when the operator was made, for which its steps are meant.
	meta     *metapb.Region
	steps    []step
	current  int           // index of the step that is next
	since    time.Duration // when it became that
	deadline time.Duration // of that step
	asked    time.Duration // when its region was asked for last; 0: never
}

func newOperator(kind OperatorKind, r *regionInfo, steps ...step) *operator {
	return &operator{kind: kind, region: r.meta.Id, meta: r.meta, steps: steps}
}

// String describes the operator in one line.
func (o *operator) String() string {
	texts := make([]string, len(o.steps))
	for i, s := range o.steps {
		texts[i] = s.String()
	}
	return fmt.Sprintf("%v of region %d at %d.%d: %s", o.kind, o.region, o.meta.RegionEpoch.Version, o.meta.RegionEpoch.ConfVer, strings.Join(texts, ", "))
}

// advance passes over the steps that the region shows to be done, and reports
// whether all are.
func (o *operator) advance(r *regionInfo) (done bool) {
	for o.current < len(o.steps) && o.steps[o.current].finished(r) {
		o.current++
	}
	return o.current == len(o.steps)
}

// stale reports whether the region has changed in a way that the steps so far do
// not explain: then they were planned for a region that is no more. The version of
// the configuration tells (PD, server/schedule/operator_controller.go,
// checkStaleOperator); and no step but the last one of a split, which ends the
// operator, or of a merge changes the version of the range. PrepareMerge changes
// both by one.
func (o *operator) stale(r *regionInfo) bool {
	version, confVer := o.meta.RegionEpoch.Version, o.meta.RegionEpoch.ConfVer
	for _, s := range o.steps[:min(o.current+1, len(o.steps))] {
		confVer += s.confVerChanged(r)
	}
	if m, ok := o.steps[o.current].(mergeRegion); ok && markMergePrepared.Sometimes(m.prepared(r)) {
		version, confVer = version+1, confVer+1
	}
	return r.version() != version || r.confVer() > confVer
}

// command puts the step that is next into the answer to a heartbeat of the
// region, which is addressed to the leader that has sent it, and to the epoch that
// it has reported: a leader of another one does not obey.
func (o *operator) command(r *regionInfo, resp *pdpb.RegionHeartbeatResponse) {
	o.steps[o.current].command(r, resp)
}

// adds and removes return the stores that get or lose a peer by steps that are
// not done yet.
func (o *operator) adds(r *regionInfo) (stores []uint64) {
	for _, s := range o.steps {
		if add, ok := s.(addLearner); ok && peerOn(r.meta, add.peer.StoreId) == nil {
			stores = append(stores, add.peer.StoreId)
		}
	}
	return stores
}

func (o *operator) removes(r *regionInfo) (stores []uint64) {
	for _, s := range o.steps {
		if remove, ok := s.(removePeer); ok && peerOn(r.meta, remove.peer.StoreId) != nil {
			stores = append(stores, remove.peer.StoreId)
		}
	}
	return stores
}

// leads returns the store to which the operator moves the leader, 0 if it does
// not.
func (o *operator) leads() uint64 {
	for _, s := range o.steps {
		if t, ok := s.(transferLeader); ok {
			return t.to.StoreId
		}
	}
	return 0
}
