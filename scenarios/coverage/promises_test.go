package coverage

import (
	"slices"
	"strings"

	"simrun/faults"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// promise lists what the scenario is for: what every one of them is, what its
// file asks for, and what its workload does.
func (c *coverage) promise() {
	s := c.scenario
	c.want(clusterSeen, "elections")
	c.want(outcomeSeen, string(history.OK))
	c.promiseMinority()
	switch s.Name {
	case "births": // in which nothing goes wrong
		c.wantByFaults(faultSeen, faults.Split.String())
		c.wantByFaults(clusterSeen, "splits")
		c.want(checkSeen, "births")
		c.want(markSeen, "raftstore: message parked until its region is born")
		c.want(workloadSeen, workloadPromises[s.Workload.Name]...)
		return
	case "thousand": // as idle, which looks for what is rare
		c.wantByFaults(clusterSeen, "crashes", "restarts")
		c.want(clusterSeen, "a thousand regions asleep")
		c.want(markSeen, "raftstore: sleeping leader woken", "raftstore: followers woken, the store of their leader is silent")
		for _, k := range s.Faults.Kinds {
			c.wantByFaults(faultSeen, k.String())
		}
		return
	}
	c.want(clusterSeen, "snapshots")
	c.promiseOutcomes()
	c.promiseCollection()
	c.promiseFaults()
	c.promiseRoles()
	c.promiseCrashes()
	c.promiseScheduling()
	c.promiseStores()
	c.promiseCommits()
	c.promiseInstants()
	c.promiseStatements()
	c.promiseDropped()
	c.promiseWorkload()
}

// promiseOutcomes lists how operations have to end.
func (c *coverage) promiseOutcomes() {
	s := c.scenario
	restarts := slices.Contains(s.Faults.Kinds, faults.Restart) // where nothing is away for long
	if !restarts || s.Cluster.API == plan.Txn {                 // but transactions have conflicts
		c.want(outcomeSeen, string(history.Failed))
	}
	if s.Workload.Name != "timestamps" && (!restarts || s.Cluster.API == plan.Raw) { // which have no effect that could be unknown
		c.want(outcomeSeen, string(history.Unknown))
	}
}

// promiseCollection lists what the collection of garbage meets.
func (c *coverage) promiseCollection() {
	s := c.scenario
	if len(s.Knobs.GCInterval) == 0 {
		return
	}
	c.want(markSeen, "txn: garbage of a key collected", "client: garbage collection left to another client")
	if s.Workload.Params["linger"] > 0 { // somebody reads for longer than versions are kept
		c.want(markSeen, "txn: read or lock refused below the safe point",
			"client: garbage collection held back for a long transaction", "client: garbage collection no longer held back",
			"client: transaction older than what garbage collection may have taken")
	}
}

// promiseFaults lists what each kind of faults of the scenario has to bring about.
func (c *coverage) promiseFaults() {
	s := c.scenario
	c.wantByFaults(clusterSeen, "crashes", "restarts")
	for _, k := range s.Faults.Kinds {
		c.wantByFaults(faultSeen, k.String())
		switch k {
		case faults.Split:
			c.wantByFaults(clusterSeen, "splits")
			c.want(markSeen, "raftstore: split applied", "raftstore: epoch mismatch at propose")
			if s.Faults.KindChance == 1000 { // a split between proposal and apply takes many of them
				c.want(markSeen, "raftstore: epoch mismatch at apply")
			}
		case faults.MergeRegions:
			c.wantByFaults(clusterSeen, "merges", "merge rollbacks")
			c.want(markSeen, "raftstore: target waited for its source to catch up", "raftstore: source caught up from the entries of its merge",
				"raftstore: start with a region that is merging",
				"raftstore: leader asked to roll its merge back", "client: region error ProposalInMergingMode",
				"raftstore: committed change of members learned from a vote")
			c.want(healingSeen, "raftstore: source replaced by a snapshot of its target") // of a store that was away for long
		case faults.TransferLeader:
			c.wantByFaults(clusterSeen, "leader transfers")
		case faults.Restart:
			c.wantByFaults(checkSeen, "availability")
			c.wantByFaults(markSeen, "cluster: store has handed over what it led before it is restarted", "placement: leadership begun")
		case faults.Partition, faults.Isolate:
			c.wantByFaults(trafficSeen, "messages cut off")
		case faults.Clog:
			c.wantByFaults(trafficSeen, "messages held")
		case faults.Network:
			c.wantByFaults(trafficSeen, "messages lost", "messages duplicated", "messages reordered")
		case faults.DiskStall:
			c.wantByFaults(trafficSeen, "operations stalled")
		case faults.DiskError, faults.DiskFull:
			c.wantByFaults(trafficSeen, "operations with errors")
		case faults.PowerLoss:
			if s.Cluster.API != plan.Raft { // whose logs lie in memory
				c.wantByFaults(trafficSeen, "unsynced writes lost", "unsynced writes torn")
			}
		default:
		}
	}
}

// promiseStores lists what stores, or the placement driver alone, have to come into.
func (c *coverage) promiseStores() {
	s := c.scenario
	switch {
	case s.Cluster.API == plan.Raft:
		c.want(markSeen, "registers: restored a snapshot from the leader", "registers: refused reads when the leader was deposed")
	case s.Workload.Name == "timestamps":
		c.want(markSeen, "raftstore: log compacted", "raftstore: snapshot applied", "raftstore: read dropped on a change of leader",
			"placement: timestamp window extended", "placement: timestamp request waited for the window to be extended",
			"placement: one confirmation of leadership for several requests", "placement: request redirected to the leader")
		c.wantByFaults(markSeen, "placement: leadership begun", "placement: leadership lost with requests waiting",
			"placement: timestamps begin above the window of an earlier leadership", "placement: confirmation of leadership failed")
	default:
		c.want(markSeen, "raftstore: log compacted", "raftstore: log compacted past a slow follower", "raftstore: snapshot applied",
			"raftstore: read waited for apply", "raftstore: read dropped on a change of leader")
		if s.Cluster.API == plan.Raw { // transactions read less often at the same instant
			c.want(markSeen, "raftstore: reads shared one confirmation")
		}
		if s.Name != "lease" { // where no power is lost: what a killed process has applied is there
			c.wantByFaults(markSeen, "raftstore: start with unapplied committed entries")
		}
	}
	if s.Name == "slow-disk" {
		c.want(markSeen, "engine: writes slowed down", "engine: writes stopped by immutable memtables",
			"engine: writes stopped by files of level 0", "engine: writes stopped by pending compaction bytes",
			"engine: a stop of writes has ended", "engine: a write waited for its turn", "engine: flush while writes are stopped",
			"engine: compaction between levels below 0", "raftstore: apply waits for a stalled engine",
			"raftstore: append waits for a stalled engine", "raftstore: write refused because the engine is stalled")
		c.want(engineSeen, "tables in three levels")
	}
	if len(s.Knobs.MaxUncommitted) > 0 {
		c.want(markSeen, "raftstore: proposal refused, too much is uncommitted")
	}
	if slices.Contains(s.Knobs.MaxInflightMsgs, 1) {
		c.want(markSeen, "raftstore: entries withheld from a follower, its window is full")
	}
	if len(s.Knobs.Hibernate) > 0 {
		c.want(markSeen, "raftstore: leader goes to sleep", "raftstore: follower goes to sleep", "raftstore: sleeping leader woken")
		if slices.Min(s.Knobs.Hibernate) > 0 { // in every run, so this is what the scenario is for
			c.want(markSeen, hibernationPromises()...)
		}
	}
	if s.Faults.Snapshots > 0 {
		c.promiseSnapshots()
	}
}

// promiseWorkload lists what the clients have to do, and what becomes of it.
func (c *coverage) promiseWorkload() {
	s := c.scenario
	c.want(workloadSeen, workloadPromises[s.Workload.Name]...)
	switch s.Workload.Name {
	case "table":
		c.want(markSeen, "table: committed one schema version behind", "table: refused to commit two schema versions behind",
			"table: backfill went on after the first batch", "table: an index could not be added, for its values are not unique",
			"table: wrote no entry of an index that is delete-only", "table: two clients took row ids at the same time",
			"table: statement ran one schema version behind", "table: statement refused two schema versions behind")
	case "predicate":
		c.want(markSeen, "client: scan went on in the next region", "client: region of a scan was split or merged before its end was reached",
			"txn: insert found a value", "txn: pessimistic lock for an insert found a value")
	}
	if len(s.Knobs.SchemaLease) > 0 {
		c.want(markSeen, "client: stores committed without asking", "client: too late to commit without being asked, two phases",
			"client: stores found no timestamp to commit at without asking, two phases")
		if s.Workload.Name == "table" { // that of SQL changes its schema in the boot alone
			c.want(markSeen, "table: change of the schema put off, the version before is too young")
		}
	}
	switch s.Name {
	case "serializable":
		c.want(workloadSeen, "a list read under a lock and not appended to")
	case "for-update": // whose pairs are all locked
		c.wanted = slices.DeleteFunc(c.wanted, func(w string) bool {
			return strings.HasSuffix(w, ", which is allowed") || strings.HasSuffix(w, "without locks")
		})
	}
}

// roles are the targets that mean whoever it is at the instant of the fault.
var roles = []string{
	faults.TargetLeader.String(), faults.TargetFollower.String(), faults.TargetMerging.String(), faults.TargetMergeTarget.String(),
	faults.TargetPlacementLeader.String(), faults.TargetSnapshotReceiver.String(), faults.TargetSnapshotSender.String(),
}

// promiseRoles lists whom the faults of one store strike at by what it is doing.
func (c *coverage) promiseRoles() {
	s := c.scenario
	if s.Faults.MergingChance > 0 {
		c.wantByFaults(targetSeen, faults.TargetMerging.String(), faults.TargetMergeTarget.String())
	}
	if s.Faults.PlacementChance > 0 {
		c.wantByFaults(targetSeen, faults.TargetPlacementLeader.String())
	}
	if s.Faults.Snapshots > 0 {
		c.wantByFaults(targetSeen, faults.TargetSnapshotReceiver.String(), faults.TargetSnapshotSender.String())
	}
	if s.Cluster.API != plan.Raft && s.Workload.Name != "timestamps" && slices.ContainsFunc(s.Faults.Kinds, func(k faults.Kind) bool { return k == faults.Kill || k == faults.PowerLoss }) {
		c.wantByFaults(targetSeen, faults.TargetLeader.String(), faults.TargetFollower.String())
	}
}

// promiseSnapshots lists what a scenario is for that strikes at senders and receivers
// of snapshots.
func (c *coverage) promiseSnapshots() {
	c.want(clusterSeen, "snapshots sent", "snapshots resumed", "snapshots refused")
	for _, mark := range []string{
		"sender of a snapshot throttled", "sender of a snapshot waits for a busy receiver", "snapshot stream broken",
		"snapshot given up by its sender", "snapshot deferred, too many under way", "snapshot of an earlier process offered again",
		"half a received snapshot found at start", "half a snapshot superseded by a newer one",
		"entries stored while a snapshot was applied", "application of a snapshot completed after a crash",
	} {
		c.want(markSeen, "raftstore: "+mark)
	}
}

// hibernationPromises are the ways in which regions that hibernate are woken, and
// in which they are kept awake.
func hibernationPromises() []string {
	var marks []string
	for _, what := range []string{
		"woken by a proposal", "woken by a read", "woken by a message", "woken by a request for a vote",
		"woken by a leader transfer", "woken by a change of members",
		"leader woken by its follower", "sleeping follower woken by a request",
		"followers woken, the store of their leader is silent",
		"leader does not sleep, a member is behind or silent", "leader does not sleep, a follower does not agree",
		"leader does not sleep, something is under way", "follower does not agree to sleep",
		"sleeping region reported again, the placement driver has forgotten it",
	} {
		marks = append(marks, "raftstore: "+what)
	}
	return marks
}
