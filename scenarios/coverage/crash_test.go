package coverage

// promiseCrashes lists what the processes of a scenario have to find that begin
// where an earlier one was in the middle of a step: of a split, a merge or a change
// of members, or with what a leader had reserved and not used. Each of these has
// its crash tests in its own package, disk operation by disk operation; here it has
// to come about by chance, among everything else.
func (c *coverage) promiseCrashes() {
	switch c.scenario.Name {
	case "split":
		c.want(markSeen, "raftstore: lease not used during a split")
		c.wantByFaults(markSeen, "raftstore: split applied that an earlier process had in its log",
			"placement: ids begin above the batch of an earlier leadership")
	case "membership":
		c.wantByFaults(markSeen, "raftstore: joint configuration entered that an earlier process had in its log",
			"raftstore: joint configuration left that an earlier process had in its log")
	case "merge":
		c.wantByFaults(markSeen, "raftstore: start with a region of a split that has written no log", "raftstore: start in a joint configuration",
			"raftstore: merge prepared that an earlier process had in its log",
			"raftstore: merge committed that an earlier process had in its log")
		c.want(markSeen, "raftstore: lease not used during a split", "raftstore: lease not used during a merge", "raftstore: lease given up for a merge")
	case "merge-bank", "predicate":
		c.want(markSeen, "raftstore: lease not used during a merge", "raftstore: lease given up for a merge")
	case "timestamps":
		c.wantByFaults(markSeen, "placement: ids begin above the batch of an earlier leadership")
	}
}
