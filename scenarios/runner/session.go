package runner

import (
	"fmt"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/scenarios/cluster"
	"simrun/scenarios/workload"
	"simrun/sim/history"
	"simrun/sim/plan"
	"simrun/sim/stream"
)

// session is a client over all processes of its node. A client whose process
// has ended goes on under another number: what it had under way stays open.
type session struct {
	workload.Session
	run    *run
	number int // 0: the administrator
	boots  int
	env    *env.Env

	served   bool   // succeeded once after the storm
	onServed func() // called then
	doing    string // what the administrator does
	lastErr  error
}

func newSession(r *run, number int) *session {
	s := &session{run: r, number: number}
	s.Rec = r.rec
	s.Modes = modes(&r.plan.Knobs)
	s.Now = func() int64 { return r.world.Now() }
	return s
}

// modes returns the options of transactions that a plan admits.
func modes(k *plan.Knobs) workload.Modes {
	m := workload.Modes{Pessimistic: k.Pessimistic, ReadCommitted: k.ReadCommitted}
	switch k.CommitMode {
	case plan.TwoPhase:
		m.Commit = []client.CommitMode{client.TwoPhase}
	case plan.AsyncCommit:
		m.Commit = []client.CommitMode{client.AsyncCommit}
	case plan.OnePhase:
		m.Commit = []client.CommitMode{client.OnePhase}
	case plan.MixedCommit:
		m.Commit = []client.CommitMode{client.TwoPhase, client.AsyncCommit, client.OnePhase}
	}
	return m
}

// started takes over a new process of the client's node.
func (s *session) started(e *env.Env, raw workload.Raw, db *client.Client) {
	s.ID = s.number + s.boots*(len(s.run.sessions)+1)
	s.boots++
	s.env, s.Raw, s.DB = e, raw, db
	s.Restart()
	if s.number > 0 && s.boots > 1 {
		s.work()
	}
}

// do runs a job of the administrator.
func (s *session) do(name string, job func(t env.Task)) {
	s.doing = name
	s.env.Sched.Go(name, func(t env.Task) {
		job(t)
		s.doing = ""
	})
}

// until repeats an operation until it succeeds.
func (s *session) until(t env.Task, operation func() error) {
	for {
		s.lastErr = operation()
		if s.lastErr == nil {
			return
		}
		t.Sleep(100 * time.Millisecond)
	}
}

// work lets the client issue operations until the storm is over, and then until
// one has succeeded.
func (s *session) work() {
	p := s.run.plan
	s.env.Sched.Go("work", func(t env.Task) {
		pause := stream.New(p.Seed, "pause", uint64(s.ID))
		for s.run.phase == phaseStorm && s.mayBegin() {
			t.Sleep(workload.Pause(pause, p.Workload.Clients, p.Workload.Rate))
			s.step(t)
		}
		for !s.onceServed(t) {
			t.Sleep(workload.Pause(pause, p.Workload.Clients, p.Workload.Rate))
		}
	})
}

// mayBegin keeps to the plan's number of operations.
func (s *session) mayBegin() bool {
	limit := s.run.plan.Workload.Operations
	return limit == 0 || s.run.operations < limit
}

func (s *session) step(t env.Task) {
	s.run.operations++
	s.Step(t, s.run.load, s.run.plan.Seed)
}

// onceServed waits for the calm and then runs one operation. It reports whether
// the client is done.
func (s *session) onceServed(t env.Task) bool {
	if s.run.phase == phaseStorm || s.run.minority.choosing {
		return false
	}
	if s.served {
		return true
	}
	before := s.run.rec.Len()
	s.step(t)
	for _, op := range s.run.rec.History().Ops[before:] {
		if op.Client == s.ID { // the last one counts
			s.served = op.Outcome == history.OK
		}
	}
	if s.served && s.onServed != nil {
		s.onServed()
	}
	return s.served
}

// probe asks for a call when the client has been served after the storm.
func (s *session) probe(onServed func()) { s.onServed = onServed }

// name is the name of the client's node.
func (s *session) name() string {
	if s.number == 0 {
		return cluster.AdminName
	}
	return fmt.Sprintf("client%d", s.number)
}

// waiting tells what the client waits for, "" if it does not.
func (s *session) waiting() string {
	switch {
	case s.number == 0 && s.doing != "":
		return fmt.Sprintf("is at its %s%s", s.doing, s.current())
	case s.number > 0 && s.run.phase == phaseCalm && !s.served:
		return "has not succeeded since the storm" + s.current()
	}
	return ""
}

// current tells of the operation that was begun last.
func (s *session) current() (text string) {
	if op := s.Current; op != nil {
		text = fmt.Sprintf(", with a %s", op.Kind)
		if op.Key != "" {
			text += fmt.Sprintf(" of %q", op.Key)
		}
		if op.Txn != nil && op.Txn.StartTS != 0 {
			text += fmt.Sprintf(" of timestamp %d", op.Txn.StartTS)
		}
		text += fmt.Sprintf(" since %v", time.Duration(op.Invoke))
		if op.Error != "" {
			text += ", which failed: " + op.Error
		}
	}
	if s.lastErr != nil {
		text += fmt.Sprintf("; before that: %v", s.lastErr)
	}
	return text
}
