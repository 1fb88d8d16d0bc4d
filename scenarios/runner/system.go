package runner

import (
	"io"

	"simrun/checker"
	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/scenarios/bareraft"
	"simrun/scenarios/cluster"
	"simrun/scenarios/workload"
	"simrun/sim"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// System is what a run puts under test: something that a plan describes, with
// stores that may lead something, and clients that speak workload.Raw. It may be
// asked to move leaders and to change regions and stores, if it is one of those that
// sim.Directory names. What it counts is what the database counts; a system that has none of
// something answers with nothing, as bareraft does for most. A protocol of another
// shape, with clients of its own, is put under test by package trial instead, which
// asks for none of this.
type System interface {
	sim.Directory
	// Quiet reports whether nothing moves any more; Unrest tells what does.
	Quiet() bool
	Unrest() string
	// Reads counts how reads were served.
	Reads() cluster.Reads
	// Commits counts how transactions were committed.
	Commits() cluster.Commits
	// LockWaits returns when transactions stood in the queue for a lock.
	LockWaits() []cluster.LockWait
	// Operators counts what the placement driver has had done.
	Operators() []cluster.OperatorCount
	// Replication counts what raft has done.
	Replication() cluster.Replication
	// Explain tells what those who wait do wait for.
	Explain(waiters []cluster.Waiter) cluster.Explanation
	// Engines counts what the nodes' databases did in the background.
	Engines() []cluster.EngineStats
	// Backlogs tells how much has waited for the stores' disks.
	Backlogs() []cluster.BacklogStats
	// CheckState runs the checkers of stored state, when the system is quiet.
	CheckState(h *history.History) []checker.Result
	// DumpLogs writes the raft logs in readable form.
	DumpLogs(w io.Writer)
	// Close ends everything.
	Close()
}

// Hooks are how a run hears of its system.
type Hooks struct {
	Logf    func(format string, args ...any)
	OnEvent func(cluster.Event)
	// Client is called when the process of a client (1, 2, ...; 0 is the
	// administrator) has started; db is nil where there are no transactions.
	Client func(n int, e *env.Env, raw workload.Raw, db *client.Client)
}

// Builder builds the system of a plan, and the world that it lives in.
type Builder func(p *plan.Plan, h Hooks) (System, *sim.World, error)

// builder returns the builder for the API of a plan.
func builder(api plan.API) Builder {
	if api == plan.Raft {
		return BareRaft(bareraft.Options{})
	}
	return database
}

// database builds the whole database.
func database(p *plan.Plan, h Hooks) (System, *sim.World, error) {
	c, err := cluster.New(p, cluster.Options{
		Logf: h.Logf, OnEvent: h.OnEvent,
		Client: func(n int, e *env.Env, db *client.Client) { h.Client(n, e, db, db) },
	})
	if err != nil {
		return nil, nil, err
	}
	return c, c.World, nil
}

// BareRaft returns a builder of a raft group without the database; of the
// options it sets those that are hooks.
func BareRaft(opts bareraft.Options) Builder {
	return func(p *plan.Plan, h Hooks) (System, *sim.World, error) {
		o := opts
		o.Logf, o.OnEvent = h.Logf, h.OnEvent
		o.Client = func(n int, e *env.Env, db *bareraft.Database) { h.Client(n, e, db, nil) }
		c, err := bareraft.New(p, o)
		if err != nil {
			return nil, nil, err
		}
		return c, c.World, nil
	}
}
