package bareraft

import (
	"bytes"
	"fmt"
	"io"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/checker"
	"simrun/nodes/invariant"
	"simrun/scenarios/bareraft/registers"
	"simrun/scenarios/cluster"
	"simrun/sim/history"
)

// CheckerName is the name of the checker of logs and states.
const CheckerName = "logs"

// Anomalies that it finds.
const (
	AnomalyLogs   checker.Anomaly = "log-mismatch"   // two logs differ in what was applied
	AnomalyStates checker.Anomaly = "state-mismatch" // equal logs have led to different states
)

// Quiet reports whether nothing moves any more.
func (c *Cluster) Quiet() bool { return c.Unrest() == "" }

// Unrest tells what still moves, or waits; "" if nothing does.
func (c *Cluster) Unrest() string {
	leaders := 0
	var first registers.Status
	for i, m := range c.members {
		if m.replica == nil {
			return m.node.Name() + " is down"
		}
		s := m.replica.Status()
		if i == 0 {
			first = s
		}
		switch {
		case s.Applied != s.Last:
			return fmt.Sprintf("%s has %d entries that are not applied", m.node.Name(), s.Last-s.Applied)
		case s.Applied != first.Applied:
			return fmt.Sprintf("%s has applied index %d and %s index %d", c.members[0].node.Name(), first.Applied, m.node.Name(), s.Applied)
		case s.Leading:
			leaders++
		}
	}
	if leaders != 1 {
		return fmt.Sprintf("the group has %d leaders", leaders)
	}
	return ""
}

// CheckState compares the logs and the states of all members, which must be
// quiet. The history plays no part.
func (c *Cluster) CheckState(*history.History) []checker.Result {
	r := checker.Result{Checker: CheckerName, Checked: int(c.ledger.commits())}
	reference := c.members[0]
	state := reference.replica.State()
	for _, m := range c.members[1:] {
		if text := difference(reference.log, m.log); text != "" {
			r.Add(checker.Finding{Anomaly: AnomalyLogs, Message: fmt.Sprintf("%s and %s: %s", reference.node.Name(), m.node.Name(), text)})
		}
		if !bytes.Equal(state, m.replica.State()) {
			r.Add(checker.Finding{Anomaly: AnomalyStates, Message: fmt.Sprintf(
				"%s and %s have applied the same index and hold different registers", reference.node.Name(), m.node.Name())})
		}
	}
	return []checker.Result{r}
}

// difference describes the first entry that two logs both have and that is not
// the same.
func difference(a, b *raft.MemoryStorage) string {
	of, other := entries(a), entries(b)
	for i, j := 0, 0; i < len(of) && j < len(other); {
		x, y := of[i], other[j]
		switch {
		case x.GetIndex() < y.GetIndex():
			i++
		case x.GetIndex() > y.GetIndex():
			j++
		case x.GetTerm() != y.GetTerm() || !bytes.Equal(x.GetData(), y.GetData()):
			return fmt.Sprintf("at index %d one has an entry of term %d, the other one of term %d, of %d and %d bytes",
				x.GetIndex(), x.GetTerm(), y.GetTerm(), len(x.GetData()), len(y.GetData()))
		default:
			i++
			j++
		}
	}
	return ""
}

// entries returns what a log holds.
func entries(log *raft.MemoryStorage) []*raftpb.Entry {
	list, _ := contents(log)
	return list
}

// DumpLogs writes the logs of all members in readable form.
func (c *Cluster) DumpLogs(w io.Writer) {
	for _, m := range c.members {
		hs, _, err := m.log.InitialState()
		invariant.Check(err == nil, "bareraft: cannot read a log: %v", err)
		fmt.Fprintf(w, "%s term %d vote %d commit %d\n", m.node.Name(), hs.GetTerm(), hs.GetVote(), hs.GetCommit())
		for _, e := range entries(m.log) {
			fmt.Fprintf(w, "  %d_%d %s\n", e.GetTerm(), e.GetIndex(), registers.Describe(e.GetData()))
		}
	}
}

// Replication implements runner.System.
func (c *Cluster) Replication() cluster.Replication {
	return cluster.Replication{Proposals: c.ledger.commits(), Messages: c.ledger.messages, Commits: c.ledger.commits()}
}

// Reads implements runner.System: how reads were served is not counted, for there is one
// way only, by the leader after it has asked a quorum (ReadIndex).
func (*Cluster) Reads() cluster.Reads { return cluster.Reads{} }

// Commits implements runner.System: there are no transactions.
func (*Cluster) Commits() cluster.Commits { return cluster.Commits{} }

// Operators implements runner.System: there is no placement driver.
func (*Cluster) Operators() []cluster.OperatorCount { return nil }

// LockWaits implements runner.System: there are no locks.
func (*Cluster) LockWaits() []cluster.LockWait { return nil }

// Engines implements runner.System: there is no database.
func (*Cluster) Engines() []cluster.EngineStats { return nil }

// Backlogs implements runner.System: the registers have no disk.
func (*Cluster) Backlogs() []cluster.BacklogStats { return nil }
