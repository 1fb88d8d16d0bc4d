package reports

import (
	"fmt"
	"strings"
	"time"
)

// figures tells what was counted.
func (t *text) figures() {
	t.cluster()
	t.engines()
	t.traffic()
	t.cost()
	t.marks()
	t.time()
}

// unrecorded stands for the figures of a run that did not come to its end.
func (t *text) unrecorded() {
	t.labelled("time", seconds(t.r.Stats.Virtual)+" virtual at least")
	t.labelled("trace", "not recorded, nor is anything else that is counted to the end of a run")
}

func (t *text) cluster() {
	c := &t.r.Stats.Cluster
	if !t.run.ofDatabase() && c.onlyNodes() {
		t.labelled("nodes", listed([]quantity{{c.Crashes, "crash"}, {c.Restarts, "restart"}}))
	} else {
		t.labelled("cluster", listed([]quantity{
			{c.Elections, "election"},
			{c.LeaderTransfers, "leader transfer"},
			{c.Splits, "split"},
			{c.Snapshots, "snapshot"},
			{c.Crashes, "crash"},
			{c.Restarts, "restart"},
		}))
	}
	if c.SnapshotsSent+c.SnapshotsResumed+c.SnapshotsRefused > 0 {
		t.labelled("snapshots", fmt.Sprintf("%s sent, %s resumed, %s applied, %s",
			grouped(c.SnapshotsSent), grouped(c.SnapshotsResumed), grouped(c.Snapshots), plural(c.SnapshotsRefused, "chunk")+" refused"))
	}
	if c.MergesPrepared > 0 {
		t.labelled("merges", fmt.Sprintf("%s prepared, %s committed, %s rolled back",
			grouped(c.MergesPrepared), grouped(c.Merges), grouped(c.MergeRollbacks)))
	}
	if r := &t.r.Stats.Reads; *r != (ReadStats{}) {
		t.labelled("reads", fmt.Sprintf("%s by lease, %s by read index, %s by followers",
			grouped(r.Lease), grouped(r.Index), grouped(r.Replica)))
	}
	t.commits(&t.r.Stats.Commits)
	t.operators()
}

// commits tells how many transactions were committed in which way, and in how many
// rounds of requests.
func (t *text) commits(c *CommitStats) {
	var words []string
	for _, m := range []struct {
		name string
		n    CommitMode
	}{{"in two phases", c.TwoPhase}, {"asynchronously", c.Async}, {"in one phase", c.OnePhase}} {
		if m.n.Transactions > 0 {
			words = append(words, fmt.Sprintf("%s %s in %s", grouped(m.n.Transactions), m.name, plural(m.n.Rounds, "round")))
		}
	}
	if len(words) > 0 {
		t.labelled("commits", strings.Join(words, ", ")+"; "+plural(c.Proposals, "proposal"))
	}
}

// operators tells what the placement driver has had done: of each kind how many
// have finished, of how many.
func (t *text) operators() {
	var kinds []string
	var timedOut, cancelled, abandoned uint64
	for _, c := range t.r.Stats.Operators {
		kinds = append(kinds, fmt.Sprintf("%s"+noBreak+"%d/%d", c.Kind, c.Finished, c.Begun))
		timedOut, cancelled, abandoned = timedOut+c.TimedOut, cancelled+c.Cancelled, abandoned+c.Abandoned
	}
	if len(kinds) > 0 {
		t.labelled("operators", fmt.Sprintf("%s; %d timed out, %d cancelled, %d lost with a leader",
			strings.Join(kinds, ", "), timedOut, cancelled, abandoned))
	}
}

// engines tells what the databases did in the background, and which of them held
// back writes.
func (t *text) engines() {
	var sum EngineStats
	var stalled []string
	for i := range t.r.Stats.Engines {
		e := &t.r.Stats.Engines[i]
		sum.Flushes += e.Flushes
		sum.Compactions += e.Compactions
		sum.Lower += e.Lower
		sum.Levels = max(sum.Levels, e.Levels)
		if e.Slowdowns+e.Stops > 0 {
			stalled = append(stalled, fmt.Sprintf("%s slowed %s and stopped %s", e.Node, seconds(int64(e.Slowed)), seconds(int64(e.Stopped))))
		}
	}
	if len(t.r.Stats.Engines) == 0 {
		return
	}
	words := fmt.Sprintf("%s, %s, %s of them below level 0; at most %s",
		plural(sum.Flushes, "flush"), plural(sum.Compactions, "compaction"), grouped(sum.Lower), plural(sum.Levels, "level"))
	if len(stalled) > 0 {
		words += "; writes of " + strings.Join(stalled, ", ")
	}
	t.labelled("engines", words)
}

// quantity is a number of something.
type quantity struct {
	n    uint64
	noun string
}

// listed joins quantities with commas.
func listed(quantities []quantity) string {
	words := make([]string, len(quantities))
	for i, q := range quantities {
		words[i] = plural(q.n, q.noun)
	}
	return strings.Join(words, ", ")
}

func (t *text) traffic() {
	n, d := &t.r.Stats.Network, &t.r.Stats.Disk
	t.labelled("network", fmt.Sprintf("%s (%s), %s delivered, %s lost, %s cut off, %s duplicated, %s reordered, %s held",
		plural(n.Sent, "message"), byteSize(n.Bytes), grouped(n.Delivered), grouped(n.Lost+n.Overflowed), grouped(n.Cut),
		grouped(n.Duplicated), grouped(n.Reordered), grouped(n.Clogged)))
	if !t.run.ofDatabase() && d.Operations == 0 {
		return // the nodes have none
	}
	t.labelled("disk", fmt.Sprintf("%s, %s, %s written; power losses: %s lost, %s torn; %s, %s",
		plural(d.Operations, "operation"), plural(d.Syncs, "sync"), byteSize(d.Bytes), plural(d.Lost, "unsynced write"),
		grouped(d.Torn), plural(d.Errors, "error"), plural(d.Stalls, "stalled operation")))
}

func (t *text) marks() {
	if len(t.r.Marks) == 0 {
		return
	}
	reached := 0
	var never []string
	for _, m := range t.r.Marks {
		if m.Count > 0 {
			reached++
		} else {
			never = append(never, m.Name)
		}
	}
	words := fmt.Sprintf("%d of %d rare branches reached", reached, len(t.r.Marks))
	if !t.run.ofDatabase() && len(never) > 0 { // the database has hundreds
		words += "; never: " + strings.Join(never, ", ")
	}
	t.labelled("marks", words)
}

func (t *text) time() {
	words := fmt.Sprintf("%s virtual, %s", seconds(t.r.Stats.Virtual), plural(t.r.Stats.Events, "event"))
	if t.r.Wall > 0 {
		words += fmt.Sprintf("; %v of wall time", t.r.Wall.Round(time.Millisecond))
	}
	t.labelled("time", words)
	t.labelled("trace", t.r.TraceHash.String())
	if t.r.Program != "" {
		t.labelled("program", "simrun "+t.r.Program)
	}
}
