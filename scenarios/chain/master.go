package chain

import (
	"encoding/json"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/scenarios/trial"
)

const (
	masterName = "master"
	beatEvery  = 50 * time.Millisecond
	// lease is how long a replica may answer reads after it sent the heartbeat that
	// the master has answered.
	lease = 250 * time.Millisecond
	// suspectAfter is how long the master waits for a heartbeat. It is above lease by
	// more than clocks may differ: who is taken out of the chain has no lease any more.
	suspectAfter = 300 * time.Millisecond
)

// Marks of the branches that only faults lead to.
//
//nolint:gochecknoglobals // marks register once
var (
	markRemoved = invariant.NewMark("chain: removed a silent replica")
	markJoined  = invariant.NewMark("chain: a replica has joined and caught up")
)

// master decides who is in the chain.
type master struct {
	env     *env.Env
	omit    omissions
	decided func(Chain) // told each chain when it is durable
	log     *records
	chain   Chain
	heard   map[env.Addr]time.Duration
	waiting env.Addr // is not in the chain and wants to be
	busy    bool     // a decision is not durable yet
}

func startMaster(e *env.Env, omit omissions, decided func(Chain)) *master {
	m := &master{env: e, omit: omit, decided: decided, heard: map[env.Addr]time.Duration{}}
	m.chain.Epoch = 1
	for _, name := range trial.Names("replica", replicas) {
		a, _ := e.Net.Resolve(name)
		m.chain.Members = append(m.chain.Members, a)
		m.heard[a] = e.Clock.Monotonic()
	}
	var err error
	m.log, err = openRecords(e, omit, func(b []byte) {
		var c Chain
		invariant.Check(json.Unmarshal(b, &c) == nil, "chain: the master's log holds %q", b)
		m.chain = c
	})
	if err != nil {
		e.Exit("the master's log: " + err.Error())
		return m
	}
	e.Net.Receive(func(from env.Addr, b []byte) { m.receive(from, parse(b)) })
	m.busy = true
	m.log.append(func() { m.busy = false }, m.chain)
	e.Sched.Go("master", func(t env.Task) {
		for {
			t.Sleep(beatEvery / 2)
			m.look()
		}
	})
	return m
}

func (m *master) receive(from env.Addr, in *message) {
	if m.busy { // a lease must not be of a chain that ends
		return
	}
	out := message{Kind: config, Request: in.Request, Life: in.Life, Beat: in.Beat}
	if in.Kind == heartbeat {
		m.heard[from] = m.env.Clock.Monotonic()
		switch {
		case m.chain.place(from) < 0:
			m.waiting = from
		case from == m.chain.Joining && in.Synced && in.Epoch == m.chain.Epoch:
			c := m.chain
			c.Joining, c.JoinEpoch = 0, 0
			m.decide(c)
			markJoined.Reached()
			return
		}
	}
	c := m.chain
	out.Chain = &c
	m.env.Net.Send(from, out.bytes())
}

// look takes out who was silent for too long, one at a time, and takes in who waits.
func (m *master) look() {
	if m.busy {
		return
	}
	now := m.env.Clock.Monotonic()
	limit := suspectAfter
	if m.omit.wait {
		limit = lease / 2
	}
	for i, a := range m.chain.Members {
		full := len(m.chain.Members)
		if m.chain.Joining != 0 {
			full--
		}
		if now-m.heard[a] < limit || full == 1 && a != m.chain.Joining {
			continue
		}
		c := Chain{Joining: m.chain.Joining, JoinEpoch: m.chain.JoinEpoch}
		c.Members = append(append(c.Members, m.chain.Members[:i]...), m.chain.Members[i+1:]...)
		if a == c.Joining {
			c.Joining, c.JoinEpoch = 0, 0
		}
		markRemoved.Reached()
		m.decide(c)
		return
	}
	if m.waiting != 0 && m.chain.Joining == 0 && m.chain.place(m.waiting) < 0 {
		c := Chain{Joining: m.waiting, JoinEpoch: m.chain.Epoch + 1}
		c.Members = append(append(c.Members, m.chain.Members...), m.waiting)
		m.decide(c)
	}
	m.waiting = 0
}

// decide makes a chain the next one, once that is durable.
func (m *master) decide(c Chain) {
	c.Epoch = m.chain.Epoch + 1
	m.busy = true
	m.log.append(func() {
		m.chain, m.busy = c, false
		m.decided(c)
	}, c)
}
