package coverage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"simrun/checker"
	"simrun/checker/verdict"
	"simrun/faults"
	"simrun/nodes/placement"
	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// coverageSeeds is how many seeds a scenario has to do everything that it is
// for. It is a few times what it needs, for a change anywhere makes other runs
// of the same seeds.
const coverageSeeds = 60

// A scenario that never does what it is for finds nothing, and looks like one
// that finds nothing because all is well. The method: seeds are run one after
// another and what happened in them is summed, until all that the scenario
// promises has happened. What is left after the last seed is named.
func TestScenariosDoWhatTheyAreFor(t *testing.T) {
	if testing.Short() {
		t.Skip("runs many seeds")
	}
	marks := map[string]uint64{}
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			c := cover(t, name)
			for _, missing := range c.missing() {
				t.Errorf("%d seeds without %s", c.seeds, missing)
			}
			t.Logf("%d seeds; the last needed them for %s", c.seeds, strings.Join(c.last, "; "))
			for mark, n := range c.seen[markSeen] {
				marks[mark] += n
			}
		})
	}
	var never []string
	for mark, n := range marks {
		if n == 0 {
			never = append(never, mark)
		}
	}
	slices.Sort(never)
	t.Logf("%d of %d rare branches were not reached by any scenario:\n\t%s", len(never), len(marks), strings.Join(never, "\n\t"))
}

// What may happen is counted by where it is seen and by its name.
const (
	faultSeen    = "a fault that took effect:"
	targetSeen   = "a fault that took effect, of the"
	clusterSeen  = "in the cluster:"
	trafficSeen  = "on a network or disk:"
	markSeen     = "the branch"
	outcomeSeen  = "an operation whose outcome is"
	checkSeen    = "anything to check for"
	workloadSeen = "in the history:"
	operatorSeen = "an operator that finished:"
	engineSeen   = "in an engine:"
)

// coverage is what happened in the runs of a scenario.
type coverage struct {
	scenario *scenarios.Scenario
	wanted   []string // keys of seen, as key returns them
	seen     map[string]map[string]uint64
	seeds    int
	last     []string // what was missing before the last seed
}

// cover runs seeds of a scenario until there is nothing missing.
func cover(t *testing.T, name string) *coverage {
	t.Helper()
	s, err := scenarios.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	c := &coverage{scenario: s, seen: map[string]map[string]uint64{}}
	c.promise()
	for seed := uint64(1); seed <= coverageSeeds; seed++ {
		c.last = c.missing()
		o, err := runner.Run(s.Plan(seed), runner.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if o.Result.Verdict != checker.OK {
			t.Errorf("%v: %s\n    simrun run %s --seed %d", o.Result.Verdict, o.Result.Signature(), name, seed)
		}
		c.seeds++
		c.add(o)
		if len(c.missing()) == 0 {
			break
		}
	}
	return c
}

func (c *coverage) want(where string, what ...string) {
	for _, w := range what {
		c.wanted = append(c.wanted, where+"\x00"+w)
	}
}

func (c *coverage) count(where, what string, n uint64) {
	if c.seen[where] == nil {
		c.seen[where] = map[string]uint64{}
	}
	c.seen[where][what] += n
}

func (c *coverage) missing() []string {
	var missing []string
	for _, wanted := range c.wanted {
		where, what, _ := strings.Cut(wanted, "\x00")
		if c.seen[where][what] == 0 {
			missing = append(missing, where+" "+what)
		}
	}
	return missing
}

// promise lists what the scenario is for: what every one of them is, what its
// file asks for, and what its workload does.
func (c *coverage) promise() {
	s := c.scenario
	c.want(clusterSeen, "elections")
	c.want(outcomeSeen, string(history.OK))
	if s.Name == "births" { // in which nothing goes wrong
		c.want(faultSeen, faults.Split.String())
		c.want(clusterSeen, "splits")
		c.want(checkSeen, "births")
		c.want(markSeen, "raftstore: message parked until its region is born")
		c.want(workloadSeen, workloadPromises[s.Workload.Name]...)
		return
	}
	if s.Name == "thousand" { // as idle, which looks for what is rare
		c.want(clusterSeen, "crashes", "restarts", "a thousand regions asleep")
		c.want(markSeen, "raftstore: sleeping leader woken", "raftstore: followers woken, the store of their leader is silent")
		for _, k := range s.Faults.Kinds {
			c.want(faultSeen, k.String())
		}
		return
	}
	c.want(clusterSeen, "crashes", "restarts", "snapshots")
	restarts := slices.Contains(s.Faults.Kinds, faults.Restart) // where nothing is away for long
	if !restarts || s.Cluster.API == plan.Txn {                 // but transactions have conflicts
		c.want(outcomeSeen, string(history.Failed))
	}
	if s.Workload.Name != "timestamps" && (!restarts || s.Cluster.API == plan.Raw) { // which have no effect that could be unknown
		c.want(outcomeSeen, string(history.Unknown))
	}
	if len(s.Knobs.GCInterval) > 0 {
		c.want(markSeen, "txn: garbage of a key collected", "client: garbage collection left to another client")
		if s.Workload.Params["linger"] > 0 { // somebody reads for longer than versions are kept
			c.want(markSeen, "txn: read or lock refused below the safe point",
				"client: garbage collection held back for a long transaction", "client: garbage collection no longer held back",
				"client: transaction older than what garbage collection may have taken")
		}
	}
	for _, k := range s.Faults.Kinds {
		c.want(faultSeen, k.String())
		switch k {
		case faults.Split:
			c.want(clusterSeen, "splits")
			c.want(markSeen, "raftstore: split applied", "raftstore: epoch mismatch at propose")
			if s.Faults.KindChance == 1000 { // a split between proposal and apply takes many of them
				c.want(markSeen, "raftstore: epoch mismatch at apply")
			}
		case faults.MergeRegions:
			c.want(clusterSeen, "merges", "merge rollbacks")
			c.want(markSeen, "raftstore: target waited for its source to catch up", "raftstore: source caught up from the entries of its merge",
				"raftstore: source replaced by a snapshot of its target", "raftstore: start with a region that is merging",
				"raftstore: leader asked to roll its merge back", "client: region error ProposalInMergingMode",
				"raftstore: committed change of members learned from a vote")
		case faults.TransferLeader:
			c.want(clusterSeen, "leader transfers")
		case faults.Restart:
			c.want(checkSeen, "availability")
			c.want(markSeen, "cluster: store has handed over what it led before it is restarted", "placement: leadership begun")
		case faults.Partition, faults.Isolate:
			c.want(trafficSeen, "messages cut off")
		case faults.Clog:
			c.want(trafficSeen, "messages held")
		case faults.Network:
			c.want(trafficSeen, "messages lost", "messages duplicated", "messages reordered")
		case faults.DiskStall:
			c.want(trafficSeen, "operations stalled")
		case faults.DiskError, faults.DiskFull:
			c.want(trafficSeen, "operations with errors")
		case faults.PowerLoss:
			if s.Cluster.API != plan.Raft { // whose logs lie in memory
				c.want(trafficSeen, "unsynced writes lost", "unsynced writes torn")
			}
		default:
		}
	}
	c.promiseScheduling()
	c.promiseInstants()
	c.promiseDropped()
	switch {
	case s.Cluster.API == plan.Raft:
		c.want(markSeen, "registers: restored a snapshot from the leader", "registers: refused reads when the leader was deposed")
	case s.Workload.Name == "timestamps":
		c.want(markSeen, "raftstore: log compacted", "raftstore: snapshot applied", "raftstore: read dropped on a change of leader",
			"placement: leadership begun", "placement: leadership lost with requests waiting", "placement: timestamp window extended",
			"placement: timestamp request waited for the window to be extended",
			"placement: timestamps begin above the window of an earlier leadership", "placement: confirmation of leadership failed",
			"placement: one confirmation of leadership for several requests", "placement: request redirected to the leader")
	default:
		c.want(markSeen, "raftstore: log compacted", "raftstore: log compacted past a slow follower", "raftstore: snapshot applied",
			"raftstore: read waited for apply", "raftstore: reads shared one confirmation", "raftstore: read dropped on a change of leader",
			"raftstore: start with unapplied committed entries")
	}
	c.promiseCommits()
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
	c.promiseRoles()
	c.promiseCrashes()
	if s.Faults.Snapshots > 0 {
		c.snapshots()
	}
	c.want(workloadSeen, workloadPromises[s.Workload.Name]...)
	if s.Workload.Name == "table" {
		c.want(markSeen, "table: committed one schema version behind", "table: refused to commit two schema versions behind",
			"table: backfill went on after the first batch", "table: an index could not be added, for its values are not unique",
			"table: wrote no entry of an index that is delete-only", "table: two clients took row ids at the same time")
	}
	if len(s.Knobs.SchemaLease) > 0 {
		c.want(markSeen, "client: stores committed without asking", "client: too late to commit without being asked, two phases",
			"client: stores found no timestamp to commit at without asking, two phases",
			"table: change of the schema put off, the version before is too young")
	}
	if s.Workload.Name == "predicate" {
		c.want(markSeen, "client: scan went on in the next region", "client: region of a scan was split or merged before its end was reached",
			"txn: insert found a value", "txn: pessimistic lock for an insert found a value")
	}
	if s.Name == "serializable" {
		c.want(workloadSeen, "a list read under a lock and not appended to")
	}
	if s.Name == "for-update" { // whose pairs are all locked
		c.wanted = slices.DeleteFunc(c.wanted, func(w string) bool {
			return strings.HasSuffix(w, ", which is allowed") || strings.HasSuffix(w, "without locks")
		})
	}
}

// promiseCommits lists what the ways in which a scenario's transactions lock and
// commit are dangerous for.
func (c *coverage) promiseCommits() {
	k := &c.scenario.Knobs
	if slices.Contains(k.CommitMode, plan.AsyncCommit) {
		c.want(markSeen, "client: committed asynchronously", "client: async commit fell back to two phases",
			"client: lock of an async-commit transaction met",
			"txn: minimal commit timestamp above the maximal one, fell back")
	}
	if slices.Contains(k.CommitMode, plan.OnePhase) {
		c.want(markSeen, "client: committed in one phase")
		if c.scenario.Workload.Name != "long-fork" { // whose transactions write one key
			c.want(markSeen, "client: transaction too large for one request, no one-phase commit")
		}
	}
	if len(k.Pessimistic) > 0 {
		c.want(markSeen, "txn: pessimistic lock met the lock of another transaction", "txn: wait for a pessimistic lock ended with its release",
			"client: statement repeated at a later timestamp", "client: locks of a failed statement released")
	}
	switch c.scenario.Name {
	case "bank":
		c.want(markSeen, "txn: commit timestamp not chosen, max_ts is not synchronised")
	case "deadlock":
		c.want(markSeen, "txn: deadlock found", "client: statement ended by a deadlock", "txn: wait for a pessimistic lock timed out",
			"txn: several requests waited for one lock", "txn: wait for a pessimistic lock refused, too many wait")
	case "client-crash":
		c.want(markSeen, "client: async-commit transaction found committed by its locks",
			"client: async-commit transaction rolled back, a secondary key had no lock",
			"client: transaction rolled back by us on expiry of its lock", "client: lock met of a committed transaction")
	case "large":
		c.want(markSeen, "client: locks of a large transaction resolved by their region",
			"client: several locks of a large transaction met, and their region resolved once",
			"client: transaction too large for async commit",
			"client: keys of one region prewritten by several requests", "client: keys of one prewrite found in several regions",
			"client: prewrite outlived the first TTL of its primary, which heartbeats kept alive",
			"client: async-commit transaction found committed by its locks",
			"client: async-commit transaction rolled back, a secondary key had no lock")
		c.want(workloadSeen, "more than 256 lists appended to at once")
	case "lost-responses":
		c.promiseLostResponses()
	}
}

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
		c.want(operatorSeen, placement.MergeRegions.String())
		c.want(markSeen, "raftstore: merge begun by order of the placement driver")
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
			c.want(markSeen, "placement: replica moved away from a store that is being emptied", "placement: store removed for good",
				"placement: operator timed out")
		case faults.AddPeer, faults.RemovePeer, faults.MovePeer: // by somebody else
			c.want(markSeen, "placement: operator cancelled, somebody else has changed the region")
		default:
		}
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
		c.want(targetSeen, faults.TargetMerging.String(), faults.TargetMergeTarget.String())
	}
	if s.Faults.PlacementChance > 0 {
		c.want(targetSeen, faults.TargetPlacementLeader.String())
	}
	if s.Faults.Snapshots > 0 {
		c.want(targetSeen, faults.TargetSnapshotReceiver.String(), faults.TargetSnapshotSender.String())
	}
	if s.Cluster.API != plan.Raft && s.Workload.Name != "timestamps" && slices.ContainsFunc(s.Faults.Kinds, func(k faults.Kind) bool { return k == faults.Kill || k == faults.PowerLoss }) {
		c.want(targetSeen, faults.TargetLeader.String(), faults.TargetFollower.String())
	}
}

// snapshots promises what a scenario is for that strikes at their senders and
// receivers.
func (c *coverage) snapshots() {
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

// add counts what happened in a run.
func (c *coverage) add(o *runner.Outcome) {
	r := o.Result
	for _, f := range r.Stats.Faults {
		c.count(faultSeen, f.Kind, uint64(f.Effective))
	}
	for _, e := range r.Timeline {
		for _, role := range roles {
			if e.Kind == reports.Fault && strings.Contains(e.Text, " "+role) {
				c.count(targetSeen, role, 1)
			}
		}
	}
	for _, m := range r.Marks {
		c.count(markSeen, m.Name, m.Count)
		if m.Name == "raftstore: leader goes to sleep" && m.Count >= 1000 {
			c.count(clusterSeen, "a thousand regions asleep", 1)
		}
	}
	for _, k := range r.Checkers {
		if c.seen[checkSeen][k.Checker] == 0 && c.seeds == 1 {
			c.want(checkSeen, k.Checker)
		}
		c.count(checkSeen, k.Checker, uint64(k.Checked))
		for _, f := range k.Observations {
			c.count(workloadSeen, string(f.Anomaly)+", which is allowed", 1)
		}
	}
	c.addStats(&r.Stats)
	for i := range o.History.Ops {
		c.count(outcomeSeen, string(o.History.Ops[i].Outcome), 1)
	}
	for what, n := range workloadCounts(o.History) {
		c.count(workloadSeen, what, n)
	}
	c.addInstants(o.History)
}

func (c *coverage) addStats(s *reports.Stats) {
	for what, n := range map[string]uint64{
		"elections": s.Cluster.Elections, "leader transfers": s.Cluster.LeaderTransfers, "splits": s.Cluster.Splits,
		"merges": s.Cluster.Merges, "merge rollbacks": s.Cluster.MergeRollbacks,
		"snapshots": s.Cluster.Snapshots, "snapshots sent": s.Cluster.SnapshotsSent,
		"snapshots resumed": s.Cluster.SnapshotsResumed, "snapshots refused": s.Cluster.SnapshotsRefused,
		"crashes": s.Cluster.Crashes, "restarts": s.Cluster.Restarts,
	} {
		c.count(clusterSeen, what, n)
	}
	for _, o := range s.Operators {
		c.count(operatorSeen, o.Kind, o.Finished)
	}
	for i := range s.Engines {
		if s.Engines[i].Levels >= 3 {
			c.count(engineSeen, "tables in three levels", 1)
		}
	}
	for what, n := range map[string]uint64{
		"messages lost": s.Network.Lost, "messages cut off": s.Network.Cut, "messages duplicated": s.Network.Duplicated,
		"messages reordered": s.Network.Reordered, "messages held": s.Network.Clogged,
		"unsynced writes lost": s.Disk.Lost, "unsynced writes torn": s.Disk.Torn, "operations with errors": s.Disk.Errors, "operations stalled": s.Disk.Stalls,
	} {
		c.count(trafficSeen, what, n)
	}
}

// workloadPromises are what the histories of each workload must hold, all of it
// in the storm. See workloadCounts.
var workloadPromises = map[string][]string{
	"register":   {"a swap that succeeded", "a swap that found another value", "a read that saw a value", "a delete"},
	"bank":       {"a transfer", "a full read", "a full read beside a transfer", "a backward read"},
	"timestamps": {"a timestamp"},
	"table":      {"a row that moved", "a range downward", "an index entry read", "a schema change"},
	"sql":        {"a row that moved", "a range downward", "an index entry read", "a row locked"},
	"append":     {"a list by several clients", "appends to one list at the same time"},
	"long-fork": {
		"a key written blindly and alone", "several keys read at once, of which some are written", "a read of a key beside its write",
	},
	"predicate": {
		string(verdict.G2) + ", which is allowed", "a range downward", "a range cut off by its limit", "a range read twice",
		"a key found by a range and removed", "a key added to the range of another one at the same time",
	},
	"write-skew": {
		string(verdict.G2Item) + ", which is allowed",
		"a pair changed under locks", "a pair changed without locks", "somebody off call",
	},
}

// workloadCounts counts what the clients of a workload did during the storm,
// with success.
func workloadCounts(h *history.History) map[string]uint64 {
	counts := map[string]uint64{}
	var done []*history.Op
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Outcome == history.OK && op.Phase == "storm" {
			done = append(done, op)
		}
	}
	for _, op := range done {
		if op.Txn == nil {
			counts[registerCount(op)]++
			continue
		}
		for _, what := range txnCounts(h, op.Txn) {
			counts[what]++
		}
	}
	for i, a := range done {
		for _, b := range done[i+1:] { // in the order of return
			if b.Invoke < a.Return && a.Txn != nil && b.Txn != nil {
				for _, what := range pairCounts(h, a.Txn, b.Txn) {
					counts[what]++
				}
			}
		}
	}
	return counts
}

func registerCount(op *history.Op) string {
	switch {
	case op.Kind == history.Timestamp:
		return "a timestamp"
	case op.Kind == history.CAS && op.Swapped:
		return "a swap that succeeded"
	case op.Kind == history.CAS:
		return "a swap that found another value"
	case op.Kind == history.Read && op.Value != nil:
		return "a read that saw a value"
	case op.Kind == history.Write && op.Value == nil:
		return "a delete"
	}
	return "something else"
}

// txnCounts names what one transaction did.
func txnCounts(h *history.History, x *history.TxnRecord) []string {
	var found []string
	if h.Tables {
		return tableCounts(h, x)
	}
	writes, locks := written(x, history.TxnWrite), written(x, history.TxnLock)
	switch {
	case h.Bank != nil && (len(writes) == 2 || len(writes) == 4): // with notes or without
		found = append(found, "a transfer")
	case len(writes) > 0 && len(locks) > 0:
		found = append(found, "a pair changed under locks")
	case len(writes) > 0:
		found = append(found, "a pair changed without locks")
	}
	if fullRead(h, x) {
		found = append(found, "a full read")
	}
	found = append(found, rangeCounts(x)...)
	if h.WriteOnce {
		found = append(found, forkCounts(x)...)
	}
	if len(written(x, history.TxnAppend)) > 256 {
		found = append(found, "more than 256 lists appended to at once")
	}
	for _, key := range locks {
		if appended := written(x, history.TxnAppend); h.Consistency == history.Serializable && !slices.Contains(appended, key) {
			found = append(found, "a list read under a lock and not appended to")
		}
	}
	for i := range x.Ops {
		op := &x.Ops[i]
		if op.Kind == history.TxnScan && op.Reverse {
			found = append(found, "a backward read")
		}
		if op.Kind != history.TxnRead || op.Value == nil {
			continue
		}
		if len(clientsOf(*op.Value)) > 1 {
			found = append(found, "a list by several clients")
		}
		if strings.HasPrefix(*op.Value, "off ") {
			found = append(found, "somebody off call")
		}
	}
	return found
}

// tableCounts names what one transaction did to tables, whose keys tell.
func tableCounts(h *history.History, x *history.TxnRecord) []string {
	var found []string
	isRow := func(key string) bool {
		return strings.HasPrefix(key, "t") && strings.HasPrefix(key[min(9, len(key)):], "_r")
	}
	isIndex := func(key string) bool {
		return strings.HasPrefix(key, "t") && strings.HasPrefix(key[min(9, len(key)):], "_i")
	}
	rowsWritten, rowsDeleted := false, false
	for i := range x.Ops {
		op := &x.Ops[i]
		key := h.Bytes(op.Key)
		switch {
		case op.Kind == history.TxnScan && op.Reverse && isRow(key):
			found = append(found, "a range downward")
		case (op.Kind == history.TxnScan || op.Kind == history.TxnRead) && isIndex(key):
			found = append(found, "an index entry read")
		case op.Kind == history.TxnLock && isRow(key):
			found = append(found, "a row locked")
		case op.Kind == history.TxnWrite && strings.HasPrefix(key, "m"):
			found = append(found, "a schema change")
		}
		rowsWritten = rowsWritten || op.Kind == history.TxnWrite && isRow(key)
		rowsDeleted = rowsDeleted || op.Kind == history.TxnDelete && isRow(key)
	}
	if rowsWritten && rowsDeleted {
		found = append(found, "a row that moved")
	}
	return append(found, dropCounts(h, x)...)
}

// pairCounts names what two transactions did that were under way at the same
// time.
func pairCounts(h *history.History, a, b *history.TxnRecord) []string {
	var found []string
	for _, pair := range [][2]*history.TxnRecord{{a, b}, {b, a}} {
		if fullRead(h, pair[0]) && len(written(pair[1], history.TxnWrite)) == 2 {
			found = append(found, "a full read beside a transfer")
		}
	}
	found = append(found, pairOfRanges(a, b)...)
	found = append(found, pairOfDrop(h, a, b)...)
	for _, key := range written(a, history.TxnAppend) {
		if slices.Contains(written(b, history.TxnAppend), key) {
			found = append(found, "appends to one list at the same time")
		}
	}
	return found
}

// written returns the keys of a transaction's operations of a kind.
func written(x *history.TxnRecord, kind history.TxnKind) []string {
	var keys []string
	for i := range x.Ops {
		if x.Ops[i].Kind == kind {
			keys = append(keys, x.Ops[i].Key)
		}
	}
	return keys
}

// fullRead reports whether a transaction read all accounts of a bank.
func fullRead(h *history.History, x *history.TxnRecord) bool {
	return h.Bank != nil && slices.ContainsFunc(x.Ops, func(op history.TxnOp) bool {
		return op.Kind == history.TxnScan && op.Limit == 0 // accounts that are closed are missing
	})
}

// clientsOf returns the clients that have appended to a list, whose elements
// begin with their number.
func clientsOf(list string) []string {
	var clients []string
	for element := range strings.FieldsSeq(list) {
		client, _, isElement := strings.Cut(element, ".")
		if isElement && !slices.Contains(clients, client) {
			clients = append(clients, client)
		}
	}
	return clients
}

// A promise that nobody counts would be missed in every run, and one that is
// counted whatever happens would be kept by none: what stands for a workload is
// counted in a history that has it, and in an empty one it is not.
func TestCoverageMissesWhatIsMissing(t *testing.T) {
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		c := &coverage{scenario: s, seen: map[string]map[string]uint64{}}
		c.promise()
		if len(workloadPromises[s.Workload.Name]) == 0 {
			t.Errorf("nobody says what the workload %s is for", s.Workload.Name)
		}
		if n := len(c.missing()); n != len(c.wanted) || n < len(s.Faults.Kinds) {
			t.Errorf("%s: %d of %d promises are missing before the first seed", name, n, len(c.wanted))
		}
		c.count(faultSeen, s.Faults.Kinds[0].String(), 1)
		if n := len(c.missing()); n != len(c.wanted)-1 || slices.Contains(c.missing(), fmt.Sprint(faultSeen, " ", s.Faults.Kinds[0])) {
			t.Errorf("%s: a fault that took effect is missing still: %v", name, c.missing())
		}
	}
}
