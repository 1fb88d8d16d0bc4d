package client

import (
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// Placement is what a client asks the placement driver. Implementations find
// its leader and repeat requests on their own; an error means that no answer
// was to be had for now. None waits longer than limit, which is what is left to
// the operation that asks.
type Placement interface {
	// GetTS returns a timestamp greater than every one handed out before.
	GetTS(t env.Task, limit time.Duration) (uint64, error)
	// GetRegion returns the region that holds key, and its leader if known.
	GetRegion(t env.Task, key []byte, limit time.Duration) (*metapb.Region, *metapb.Peer, error)
	// GetStore returns a store; its address is a name on the network.
	GetStore(t env.Task, id uint64, limit time.Duration) (*metapb.Store, error)
}

// Transport sends a request and waits for its response. After an error that is
// rpc.ErrRefused the request was not executed and never will be; after any
// other error that is unknown.
type Transport interface {
	Call(t env.Task, to env.Addr, m rpc.Method, req, resp rpc.Message, limit time.Duration) error
}

// endpointTransport is the Transport of an rpc.Endpoint.
type endpointTransport struct{ ep *rpc.Endpoint }

func (e endpointTransport) Call(t env.Task, to env.Addr, m rpc.Method, req, resp rpc.Message, limit time.Duration) error {
	return rpc.Call(t, e.ep, to, m, req, resp, limit)
}

// Client is a client of the database for all the tasks of one process.
type Client struct {
	env       *env.Env
	transport Transport
	placement Placement
	cfg       Config

	regions  regionCache
	stores   storeCache
	statuses statusCache
	jitter   env.Rand
	replicas env.Rand // which reads go to followers, and to which

	newest     uint64 // the greatest timestamp that placement has told
	stats      Stats
	open       []open // transactions that have begun and not ended
	background int    // tasks that go on after their operation has returned
}

// New returns a client that sends through ep.
func New(e *env.Env, ep *rpc.Endpoint, pd Placement, cfg Config) *Client {
	return NewWithTransport(e, endpointTransport{ep}, pd, cfg)
}

// NewWithTransport returns a client that sends through a transport of one's own.
func NewWithTransport(e *env.Env, transport Transport, pd Placement, cfg Config) *Client {
	cfg.setDefaults()
	return &Client{
		env:       e,
		transport: transport,
		placement: pd,
		cfg:       cfg,
		stores:    storeCache{stores: map[uint64]*store{}},
		statuses:  statusCache{commitTS: map[uint64]uint64{}},
		jitter:    e.Streams.Stream("client backoff"),
		replicas:  e.Streams.Stream("client replica"),
	}
}

// Stats returns what the client has counted so far.
func (c *Client) Stats() Stats { return c.stats }

// TxnOptions returns the options of transactions that are begun without any.
func (c *Client) TxnOptions() TxnOptions { return c.cfg.Txn }

// timestamp gets a timestamp, as often as it takes within b.
func (c *Client) timestamp(t env.Task, b *backoff) (uint64, error) {
	for {
		c.stats.Timestamps++
		ts, err := c.placement.GetTS(t, b.left())
		if err == nil {
			c.newest = max(c.newest, ts)
			return ts, nil
		}
		if err = b.wait(t, causePlacement, 0, err); err != nil {
			return 0, err
		}
	}
}

// inBackground runs fn in a task of its own with the limits of background work.
func (c *Client) inBackground(name string, fn func(t env.Task, b *backoff)) {
	c.background++
	c.env.Sched.Go(name, func(t env.Task) {
		defer func() { c.background-- }()
		b := c.newBackoff(c.cfg.BackgroundTimeout)
		fn(t, &b)
	})
}

// inParallel runs fn(t, 0) to fn(t, n-1) at the same time, the first in the
// caller's own task, and returns when all have returned.
func (c *Client) inParallel(t env.Task, name string, n int, fn func(t env.Task, i int)) {
	if n == 0 {
		return
	}
	if n == 1 {
		fn(t, 0)
		return
	}
	running := n - 1
	var done env.Future[struct{}]
	for i := 1; i < n; i++ {
		c.env.Sched.Go(name, func(t env.Task) {
			fn(t, i)
			running--
			if running == 0 {
				done.Resolve(struct{}{}, nil)
			}
		})
	}
	fn(t, 0)
	// Cannot fail: there is no limit, and every fn has limits of its own.
	_, _ = done.Await(t, -1)
}
