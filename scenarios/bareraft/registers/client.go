package registers

import (
	"errors"
	"fmt"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// Errors of operations.
var (
	// ErrFailed: the operation has and will have no effect.
	ErrFailed = errors.New("failed without effect")
	// ErrUnknown: a write was not answered; it may have an effect at any time.
	ErrUnknown = errors.New("outcome unknown")
)

// ClientConfig is the configuration of a client.
type ClientConfig struct {
	// Members are the names of the nodes of all replicas, as they have them.
	Members []string
	// RequestTimeout is how long the client waits for one answer.
	RequestTimeout time.Duration
	// OperationTimeout is how long it tries an operation. It is at least
	// RequestTimeout.
	OperationTimeout time.Duration
}

// retryPause is how long a client waits when nobody is known to lead.
const retryPause = 20 * time.Millisecond

// Client runs operations one after another, at the member that leads.
type Client struct {
	env     *env.Env
	cfg     ClientConfig
	members []member
	target  int // the member that may lead, as an index of members

	last   attemptID // the latest attempt
	answer env.Future[response]
	// scratch is for encoding.
	scratch []byte
}

// member is a replica as the client knows it.
type member struct {
	addr        env.Addr
	incarnation uint64 // of its latest process that has answered; 0: none has
}

// NewClient returns a client on a node of its own, whose datagrams it receives.
func NewClient(e *env.Env, cfg ClientConfig) *Client {
	c := &Client{env: e, cfg: cfg}
	for _, name := range cfg.Members {
		addr, ok := e.Net.Resolve(name)
		invariant.Check(ok, "registers: no node is called %s", name)
		c.members = append(c.members, member{addr: addr})
	}
	r := e.Streams.Stream("session")
	c.last.session = r.Uint64()
	c.target = r.IntN(len(c.members))
	e.Net.Receive(c.receive)
	return c
}

// Get reads a register.
func (c *Client) Get(t env.Task, key string) (value string, found bool, err error) {
	a, err := c.do(t, request{op: opGet, key: key})
	return a.value.value, a.value.present, err
}

// Put writes a register.
func (c *Client) Put(t env.Task, key, value string) error {
	_, err := c.do(t, request{op: opPut, key: key, value: optional{value, true}})
	return err
}

// Delete makes a register absent.
func (c *Client) Delete(t env.Task, key string) error {
	_, err := c.do(t, request{op: opDelete, key: key})
	return err
}

// CompareAndSwap writes a register if it holds what is expected, nil meaning
// that it is absent, and returns what it held.
func (c *Client) CompareAndSwap(t env.Task, key string, expected *string, value string) (swapped bool, previous *string, err error) {
	q := request{op: opCompareAndSwap, key: key, value: optional{value, true}}
	if expected != nil {
		q.expected = optional{*expected, true}
	}
	a, err := c.do(t, q)
	if a.value.present {
		previous = &a.value.value
	}
	return a.swapped, previous, err
}

// do tries an operation until it is executed, its outcome is unknown or the
// time is over.
func (c *Client) do(t env.Task, q request) (response, error) {
	deadline := c.env.Clock.Monotonic() + c.cfg.OperationTimeout
	hinted := false // a hint was followed since the last pause: two members may name each other
	for {
		at := &c.members[c.target]
		q.incarnation = at.incarnation
		a, err := c.attempt(t, at.addr, &q)
		switch {
		case err == nil && !a.refused:
			return a, nil
		case err != nil && q.op != opGet && q.incarnation != 0:
			// No process has incarnation 0, so that what names it is not executed.
			c.target = (c.target + 1) % len(c.members)
			return response{}, fmt.Errorf("%w: no answer within %v", ErrUnknown, c.cfg.RequestTimeout)
		case err == nil && a.incarnation != at.incarnation:
			at.incarnation = a.incarnation
			continue
		}
		if c.env.Clock.Monotonic() >= deadline {
			return response{}, fmt.Errorf("%w: no leader was found within %v", ErrFailed, c.cfg.OperationTimeout)
		}
		hinted = c.redirect(t, a.leader, hinted)
	}
}

// redirect chooses the member to ask next, and waits if there is no better
// guess than any. It reports whether it has followed a hint at once.
func (c *Client) redirect(t env.Task, leader uint64, hinted bool) bool {
	known := leader != 0 && leader != uint64(c.target+1)
	if known {
		c.target = int(leader - 1)
	} else {
		c.target = (c.target + 1) % len(c.members)
	}
	if known && !hinted {
		return true
	}
	t.Sleep(retryPause)
	return false
}

// attempt sends a request once and waits for its answer.
func (c *Client) attempt(t env.Task, to env.Addr, q *request) (response, error) {
	c.last.number++
	q.id = c.last
	c.answer = env.Future[response]{}
	c.scratch = append(c.scratch[:0], datagramRequest)
	c.scratch = q.appendTo(c.scratch)
	c.env.Net.Send(to, append([]byte(nil), c.scratch...))
	return c.answer.Await(t, c.cfg.RequestTimeout)
}

// receive takes an answer. One to an earlier attempt comes too late.
func (c *Client) receive(_ env.Addr, payload []byte) {
	if len(payload) == 0 || payload[0] != datagramResponse {
		invariant.Fail("registers: a client got no response but %x", payload)
	}
	a, err := parseResponse(payload[1:])
	must(err, "decode a response")
	if a.id == c.last {
		c.answer.Resolve(a, nil)
	}
}
