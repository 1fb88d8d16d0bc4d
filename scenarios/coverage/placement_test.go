package coverage

import (
	"slices"

	"simrun/faults"
	"simrun/nodes/placement"
)

// promiseScheduling lists what the placement driver should have done by itself.
func (c *coverage) promiseScheduling() {
	s := &c.scenario.Scheduling
	if len(s.Interval) == 0 {
		return
	}
	c.want(markSeen, "placement: operator finished")
	if slices.Contains(s.ReplicaCheck, true) || slices.Contains(s.BalanceRegions, true) {
		c.want(markSeen, "raftstore: members changed by order of the placement driver")
	}
	switch c.scenario.Name {
	case "asleep": // so many regions that their turn to be reported would come too late
		c.want(markSeen, "placement: region with an operator asked for, for it was silent",
			"raftstore: sleeping region reported, the placement driver has asked for it")
	case "membership": // where operators have a second, and somebody else is in their way
		c.want(markSeen, "placement: operator timed out")
		c.want(operatorSeen, placement.AddReplica.String(), placement.RemoveReplica.String(),
			placement.PromoteLearner.String(), placement.LeaveJoint.String())
	case "predicate": // in which somebody else is about their work, too
		c.want(operatorSeen, placement.RemoveReplica.String(), placement.LeaveJoint.String())
	case "replace-store":
		c.want(operatorSeen, placement.RemoveReplica.String())
	}
	if slices.Contains(s.BalanceLeaders, true) {
		c.want(operatorSeen, placement.BalanceLeader.String())
		c.want(markSeen, "raftstore: leader transferred by order of the placement driver")
	}
	if slices.Contains(s.BalanceRegions, true) {
		c.want(operatorSeen, placement.BalanceRegion.String())
	}
	if len(s.EvictSlow) > 0 {
		c.want(markSeen, "placement: store found to be slow", "placement: leader evicted from a slow store")
	}
	if len(s.SplitSize) > 0 {
		c.want(markSeen, "raftstore: region divided where a part has enough bytes")
	}
	if slices.ContainsFunc(s.SplitKeys, func(n int64) bool { return n > 0 }) {
		c.want(markSeen, "raftstore: region found too large and split", "raftstore: region smaller than it was taken for")
	}
	if slices.ContainsFunc(s.MergeKeys, func(n int64) bool { return n > 0 }) {
		// It waits for regions that are well, and in most of these storms there are none
		// for long enough.
		c.want(endSeen, placement.MergeRegions.String(), "raftstore: merge begun by order of the placement driver",
			"raftstore: region reported whose size is not known", "placement: region not merged, for its size is not known",
			"raftstore: region found to have less than what was counted", "cluster: no small neighbours are left, where regions are merged")
	}
	if c.scenario.Name == "scale-out" {
		c.want(operatorSeen, placement.MergeRegions.String())
		c.want(endSeen, "cluster: merge begun when all sizes are known, of two small regions")
	}
	for _, k := range c.scenario.Faults.Kinds {
		switch k {
		case faults.Wipe:
			c.want(operatorSeen, placement.ReplaceReplica.String())
			c.want(markSeen, "placement: store declared to be destroyed", "placement: store removed for good")
		case faults.Destroy:
			c.want(operatorSeen, placement.ReplaceReplica.String())
			c.want(markSeen, "placement: replica on a store that is down replaced")
		case faults.Drain:
			c.want(markSeen, "placement: replica moved away from a store that is being emptied", "placement: store removed for good")
		case faults.AddPeer, faults.RemovePeer, faults.MovePeer: // by somebody else
			c.want(markSeen, "placement: operator cancelled, somebody else has changed the region")
		default:
		}
	}
}
