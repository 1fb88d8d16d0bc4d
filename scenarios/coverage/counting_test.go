package coverage

import (
	"strings"

	"simrun/faults"
	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// What may happen is counted by where it is seen and by its name.
const (
	faultSeen    = "a fault that took effect:"
	targetSeen   = "a fault that took effect, of the"
	clusterSeen  = "in the cluster:"
	trafficSeen  = "by faults of network or disk:"
	markSeen     = "the branch"
	healingSeen  = "in the storm or while it is healed, the branch"
	endSeen      = "in the storm or after it:"
	outcomeSeen  = "an operation whose outcome is"
	checkSeen    = "anything to check for"
	workloadSeen = "in the history:"
	operatorSeen = "an operator that finished:"
	engineSeen   = "in an engine:"
	calmSeen     = "what a store suffered in the calm:"
)

// coverage is what happened in the runs of a scenario.
type coverage struct {
	scenario *scenarios.Scenario
	wanted   []string // keys of seen: where and what, as want joins them
	// byFaults are those of them that nothing but faults may bring about.
	byFaults []string
	seen     map[string]map[string]uint64
	seeds    int
	last     []string // what was missing before the last seed
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

// wantByFaults is want of what nothing but faults may bring about.
func (c *coverage) wantByFaults(where string, what ...string) {
	before := len(c.wanted)
	c.want(where, what...)
	c.byFaults = append(c.byFaults, c.wanted[before:]...)
}

// add counts what happened in the storm of a run: what its boot, its calm and its
// audit do, they do in every run.
func (c *coverage) add(p *plan.Plan, o *runner.Outcome) {
	c.addFaults(o)
	for i, m := range o.Storm.After.Marks {
		before := o.Storm.Before.Marks[i].Count
		c.count(markSeen, m.Name, m.Count-before)
		c.count(healingSeen, m.Name, o.Storm.Healed.Marks[i].Count-before)
		c.count(endSeen, m.Name, o.Result.Marks[i].Count-before)
		if m.Name == "raftstore: leader goes to sleep" && m.Count >= 1000 { // since the boot
			c.count(clusterSeen, "a thousand regions asleep", 1)
		}
	}
	for _, k := range o.Result.Checkers {
		if c.seen[checkSeen][k.Checker] == 0 && c.seeds == 1 && k.Reason == "" {
			c.want(checkSeen, k.Checker)
		}
		c.count(checkSeen, k.Checker, uint64(k.Checked))
		for _, f := range k.Observations {
			c.count(workloadSeen, string(f.Anomaly)+", which is allowed", 1)
		}
	}
	c.addStats(p, &o.Storm)
	c.addOperators(endSeen, &o.Result.Stats, &o.Storm.Before.Stats)
	h := duringStorm(o.History)
	for i := range h.Ops {
		c.count(outcomeSeen, string(h.Ops[i].Outcome), 1)
	}
	for what, n := range workloadCounts(h) {
		c.count(workloadSeen, what, n)
	}
	c.addInstants(h)
	c.addStatements(h)
}

// duringStorm returns the operations of a history that its clients issued in the
// storm.
func duringStorm(h *history.History) *history.History {
	storm := &history.History{Header: h.Header}
	for i := range h.Ops {
		if h.Ops[i].Phase == "storm" {
			storm.Ops = append(storm.Ops, h.Ops[i])
		}
	}
	return storm
}

// addFaults counts the faults that took effect, and those of them that struck at
// somebody for what he did.
func (c *coverage) addFaults(o *runner.Outcome) {
	for _, f := range o.Result.Stats.Faults {
		if kind, of := strings.CutPrefix(f.Kind, "minority-"); of {
			c.count(calmSeen, kind, uint64(f.Effective))
			continue
		}
		c.count(faultSeen, f.Kind, uint64(f.Effective))
	}
	for _, e := range o.Storm.Faults {
		if e.Stage == faults.Began && !e.Fault.Kind.Momentary() || !e.Effect {
			continue // it is in force, and has met nobody yet
		}
		for _, role := range roles {
			if strings.Contains(e.Fault.String(), " "+role) {
				c.count(targetSeen, role, 1)
			}
		}
	}
}

// addOperators counts the operators that finished after the first of two instants.
func (c *coverage) addOperators(where string, now, before *reports.Stats) {
	finished := map[string]uint64{}
	for _, o := range before.Operators {
		finished[o.Kind] = o.Finished
	}
	for _, o := range now.Operators {
		c.count(where, o.Kind, o.Finished-finished[o.Kind])
	}
}

func (c *coverage) addStats(p *plan.Plan, s *runner.Storm) {
	now, before := &s.After.Stats, &s.Before.Stats
	for what, n := range map[string]uint64{
		"elections": now.Cluster.Elections - before.Cluster.Elections, "leader transfers": now.Cluster.LeaderTransfers - before.Cluster.LeaderTransfers,
		"snapshots": now.Cluster.Snapshots - before.Cluster.Snapshots, "snapshots sent": now.Cluster.SnapshotsSent - before.Cluster.SnapshotsSent,
		"snapshots resumed": now.Cluster.SnapshotsResumed - before.Cluster.SnapshotsResumed,
		"snapshots refused": now.Cluster.SnapshotsRefused - before.Cluster.SnapshotsRefused,
		"crashes":           now.Cluster.Crashes - before.Cluster.Crashes, "restarts": now.Cluster.Restarts - before.Cluster.Restarts,
	} {
		c.count(clusterSeen, what, n)
	}
	if p.Scheduling.SplitKeys == 0 && p.Scheduling.SplitSize == 0 { // nobody but faults splits
		c.count(clusterSeen, "splits", now.Cluster.Splits-before.Cluster.Splits)
	}
	if p.Scheduling.MergeKeys == 0 { // nobody but faults merges
		c.count(clusterSeen, "merges", now.Cluster.Merges-before.Cluster.Merges)
		c.count(clusterSeen, "merge rollbacks", now.Cluster.MergeRollbacks-before.Cluster.MergeRollbacks)
	}
	c.addOperators(operatorSeen, now, before)
	for i := range now.Engines {
		if now.Engines[i].Levels >= 3 {
			c.count(engineSeen, "tables in three levels", 1)
		}
	}
	harm, earlier := s.After.Harm, s.Before.Harm
	for what, n := range map[string]uint64{
		"messages lost": harm.Lost - earlier.Lost, "messages cut off": harm.Cut - earlier.Cut, "messages held": harm.Clogged - earlier.Clogged,
		"messages duplicated": harm.Duplicated - earlier.Duplicated, "messages reordered": harm.Reordered - earlier.Reordered,
		"unsynced writes lost": now.Disk.Lost - before.Disk.Lost, "unsynced writes torn": now.Disk.Torn - before.Disk.Torn,
		"operations with errors": now.Disk.Errors - before.Disk.Errors, "operations stalled": now.Disk.Stalls - before.Disk.Stalls,
	} {
		c.count(trafficSeen, what, n)
	}
}
