package trial

import (
	"fmt"
	"time"

	"simrun/checker"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// LivenessName is the name in results of who makes sure that every client is served.
const LivenessName = "liveness"

// AnomalyStuck is that a client did not succeed, without faults, for as long as it had.
const AnomalyStuck checker.Anomaly = "stuck"

// idlePause is how long a client that may not begin an operation waits before it asks
// again.
const idlePause = 10 * time.Millisecond

// Client is one process of a client: it does one operation after the other and records
// them.
type Client struct {
	// Number is that of the client, from 1: its node is client1, ...
	Number int
	// ID is what it is called in the history. Whoever was killed in an operation leaves it
	// open, so that each process has another one: Number, and then Number plus the number of
	// clients for every process before.
	ID int
	// Rand is what the current operation is drawn from. It depends on the operation's number
	// alone, and not on what others do.
	Rand *stream.Stream

	trial   *Trial
	life    int
	steps   int  // operations of this process
	served  bool // an operation that it began in this phase has succeeded
	current *history.Op
}

// Clients adds the clients of the plan, each a node. start begins a process of one, and
// returns what does one operation, which is called over and over: it may wait, and records
// what it does with Begin and End.
func (t *Trial) Clients(start func(e *env.Env, c *Client) (operate func(task env.Task))) {
	for i, name := range t.Plan.ClientNames() {
		t.clients = append(t.clients, &Client{Number: i + 1, trial: t, life: -1})
		t.World.AddNode(sim.NodeConfig{Name: name, Main: func(e *env.Env) func() {
			before := t.clients[i]
			c := &Client{Number: i + 1, trial: t, life: before.life + 1, served: before.served}
			c.ID = c.Number + c.life*t.Plan.Clients
			t.clients[i] = c
			operate := start(e, c)
			e.Sched.Go("client", func(task env.Task) { c.work(task, operate) })
			return nil
		}})
	}
}

// work does operations until the audit.
func (c *Client) work(task env.Task, operate func(env.Task)) {
	t := c.trial
	for t.phase != phaseAudit {
		if !c.mayBegin() {
			task.Sleep(idlePause)
			continue
		}
		if t.phase == phaseStorm {
			t.begun++
		}
		c.steps++
		c.Rand = stream.New(t.Plan.Seed, "operation", uint64(c.ID), uint64(c.steps))
		began := t.World.Now()
		operate(task)
		if t.World.Now() == began {
			task.Sleep(idlePause) // else what takes no time would never end
		}
	}
}

// mayBegin keeps to the plan's number of operations: beside them, everybody succeeds once in
// the boot and once in the calm.
func (c *Client) mayBegin() bool {
	t := c.trial
	if t.Plan.Operations == 0 {
		return true
	}
	if t.phase == phaseStorm {
		return t.begun < t.Plan.Operations
	}
	return !c.served
}

// Unique returns a value that no other operation of the run has.
func (c *Client) Unique() string { return fmt.Sprintf("%d.%d", c.ID, c.steps) }

// Begin records that the client begins an operation, and returns it for the client to fill
// in what it learns; who it is and what time it is stands there already.
func (c *Client) Begin(op history.Op) *history.Op {
	op.Client = c.ID
	c.current = c.trial.Recorder.Begin(op, c.trial.World.Now())
	return c.current
}

// End records how the operation has ended.
func (c *Client) End(op *history.Op, outcome history.Outcome) {
	invariant.Check(op == c.current, "trial: client %d ends an operation that it has not begun last", c.ID)
	t := c.trial
	t.Recorder.End(op, outcome, t.World.Now())
	c.current = nil
	if outcome == history.OK && op.Phase == t.phase && !c.served {
		c.served = true
		if t.phase == phaseBoot && t.unserved() == 0 {
			t.World.Stop()
		}
	}
}

// unserved returns how many clients have not succeeded in this phase.
func (t *Trial) unserved() (n int) {
	for _, c := range t.clients {
		if !c.served {
			n++
		}
	}
	return n
}

// stuck tells which clients have not succeeded in a phase without faults.
func (t *Trial) stuck(within Duration) {
	for i, name := range t.Plan.ClientNames() {
		c := t.clients[i]
		if c.served {
			continue
		}
		f := checker.Finding{Anomaly: AnomalyStuck, Place: checker.Place{At: t.World.Now(), Nodes: []string{name}}}
		f.Message = fmt.Sprintf("%s has not succeeded within %v of %s", name, within, t.phase)
		if c.current != nil {
			f.Evidence = []int{c.current.ID}
			f.Message += fmt.Sprintf(", with an operation %s since %v", c.current.Kind, time.Duration(c.current.Invoke))
		}
		t.liveness.Add(f)
	}
}
