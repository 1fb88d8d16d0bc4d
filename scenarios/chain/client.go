package chain

import (
	"fmt"
	"time"

	"simrun/nodes/env"
	"simrun/scenarios/trial"
	"simrun/sim/history"
)

const (
	requestTimeout   = 100 * time.Millisecond
	operationTimeout = 3 * time.Second
)

// client reads and writes registers.
type client struct {
	*trial.Client
	env     *env.Env
	keys    int
	master  env.Addr
	chain   Chain
	request int
	answer  env.Future[*message]
}

func startClient(e *env.Env, kit *trial.Client, keys int) *client {
	c := &client{Client: kit, env: e, keys: keys}
	c.master, _ = e.Net.Resolve(masterName)
	e.Net.Receive(func(_ env.Addr, b []byte) {
		m := parse(b)
		switch {
		case m.Kind == config && m.Chain.Epoch > c.chain.Epoch:
			c.chain = *m.Chain
		case m.Kind == reply && m.Request == c.request:
			c.answer.Resolve(m, nil)
		}
	})
	return c
}

// operate does one operation.
func (c *client) operate(t env.Task) {
	m := message{Kind: read, Key: fmt.Sprintf("k%d", c.Rand.IntN(c.keys))}
	op := history.Op{Kind: history.Read, Key: m.Key}
	if c.Rand.IntN(2) == 0 {
		m.Kind, m.Value = write, c.Unique()
		op.Kind, op.Value = history.Write, &m.Value
	}
	rec := c.Begin(op)
	m.Request = rec.ID + 1
	switch a, err := c.ask(t, m); {
	case err != nil:
		rec.Error = err.Error()
		c.End(rec, history.Unknown)
	default:
		if m.Kind == read && a.Value != "" {
			rec.Value = &a.Value
		}
		c.End(rec, history.OK)
	}
	t.Sleep(time.Duration(5+c.Rand.IntN(50)) * time.Millisecond)
}

// ask sends a request, again and again, to whom it concerns in the chain that is known.
func (c *client) ask(t env.Task, m message) (*message, error) {
	c.request, c.answer = m.Request, env.Future[*message]{}
	for begun := c.env.Clock.Monotonic(); c.env.Clock.Monotonic()-begun < operationTimeout; {
		if members := c.chain.Members; len(members) > 0 {
			to := members[0]
			if m.Kind == read {
				to = members[len(members)-1]
			}
			c.env.Net.Send(to, m.bytes())
			if a, err := c.answer.Await(t, requestTimeout); err == nil {
				return a, nil
			}
		}
		c.env.Net.Send(c.master, (&message{Kind: who}).bytes())
		t.Sleep(10 * time.Millisecond)
	}
	return nil, env.ErrTimeout
}
