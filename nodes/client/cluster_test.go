package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/placement"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
	"simrun/sim"
	"simrun/sim/disk"
)

var _ Placement = (*placement.Client)(nil)

// latency is the way of a message in the cluster.
const latency = time.Millisecond

// cluster is a database of one replica with the routing of many: the regions
// have peers, leaders and epochs, which every request is checked against, but
// all of them share one engine. The transactions are the real ones. Faults are
// put on single requests by rules.
type cluster struct {
	testing.TB
	world  *sim.World
	env    *env.Env
	client *Client
	db     *engine.DB
	sched  *txn.Scheduler
	waits  *txn.DetectTable
	// proposals counts what was replicated.
	proposals uint64

	stores  []env.Addr // of store i+1
	regions []*hosted  // in the order of keys
	nextID  uint64
	known   []*hosted // what placement knows; nil: the truth
	down    uint64    // a store that is gone; 0: none
	lastTS  uint64
	leap    time.Duration // of placement's clock
	pace    float64       // of placement's clock; 0: that of time

	rules    []*rule
	hooks    func(t env.Task, m rpc.Method) *rule // if no rule applies
	inFlight int
	trace    func(line string)
	tsNames  map[uint64]string
}

// hosted is a region as the stores know it.
type hosted struct {
	meta   *metapb.Region
	leader uint64 // store
}

// rule is a fault on the requests of one method.
type rule struct {
	method rpc.Method
	skip   int // so many requests pass before it applies
	times  int // then it applies so often

	refuse   bool
	dropReq  bool
	dropResp bool
	delay    time.Duration // before execution
	answer   *errorpb.Error
	before   func(t env.Task) // runs when the request arrives
	keyError *kvrpcpb.KeyError
}

func (r *rule) String() string {
	switch {
	case r.refuse:
		return "refused"
	case r.dropReq:
		return "request lost"
	case r.dropResp:
		return "response lost"
	case r.delay > 0:
		return fmt.Sprintf("request late by %v", r.delay)
	}
	return ""
}

// openWorld is the world of the last cluster: a process runs one at a time.
var openWorld *sim.World

// newCluster returns a cluster of three stores with regions that begin at the
// given keys (encoded for transactions, else raw) and a client of it.
func newCluster(tb testing.TB, seed uint64, cfg Config, raw bool, splits ...string) *cluster {
	if openWorld != nil {
		openWorld.Close() // a test may need one cluster after another
	}
	c := &cluster{TB: tb, world: sim.NewWorld(sim.Config{Seed: seed}), nextID: 1, tsNames: map[uint64]string{}}
	openWorld = c.world
	tb.Cleanup(c.world.Close)
	for i := range 3 {
		n := c.world.AddNode(sim.NodeConfig{Name: fmt.Sprintf("store%d", i+1), Main: func(*env.Env) func() { return nil }})
		c.stores = append(c.stores, n.Addr())
	}
	c.world.AddNode(sim.NodeConfig{Name: "client1", Disk: &disk.Config{}, Main: func(e *env.Env) func() {
		c.env = e
		var err error
		if c.db, err = engine.OpenDB(e, "kv", engine.Options{}); err != nil {
			tb.Fatal(err)
		}
		c.waits = txn.NewDetectTable(time.Second)
		c.sched = txn.NewScheduler(e, c, txn.Config{
			Detector: c, Timestamp: func(t env.Task) (uint64, error) { return c.tick(), nil },
		})
		c.sched.SetSafePoints(txn.SafePoints{})
		c.client = NewWithTransport(e, c, c, cfg)
		return c.db.Close
	}})
	c.world.StartAll()
	c.addRegion(nil, nil)
	for _, key := range splits {
		c.split(key, raw)
	}
	for i, r := range c.regions {
		r.leader = uint64(i%len(c.stores) + 1)
	}
	return c
}

func (c *cluster) addRegion(start, end []byte) *hosted {
	r := &hosted{leader: 1, meta: &metapb.Region{
		Id: c.nextID, StartKey: start, EndKey: end, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1},
	}}
	for i := range c.stores {
		r.meta.Peers = append(r.meta.Peers, &metapb.Peer{Id: c.nextID*10 + uint64(i) + 1, StoreId: uint64(i + 1)})
	}
	c.sched.RequireMaxTS(c.nextID, 1) // a leader is there from the beginning
	c.nextID++
	c.regions = append(c.regions, r)
	slices.SortFunc(c.regions, func(a, b *hosted) int { return bytes.Compare(a.meta.StartKey, b.meta.StartKey) })
	return r
}

func bound(key string, raw bool) []byte {
	if raw {
		return []byte(key)
	}
	return codec.EncodeBytes([]byte(key))
}

// split makes a region begin at key.
func (c *cluster) split(key string, raw bool) {
	at := bound(key, raw)
	left := find(c.regions, at)
	if bytes.Equal(left.meta.StartKey, at) {
		return
	}
	meta := *left.meta
	epoch := *meta.RegionEpoch
	epoch.Version++
	meta.RegionEpoch = &epoch
	right := c.addRegion(at, meta.EndKey)
	right.leader = left.leader
	right.meta.RegionEpoch = &metapb.RegionEpoch{ConfVer: 1, Version: epoch.Version}
	meta.EndKey = at
	left.meta = &meta
}

func (c *cluster) transfer(key string, raw bool, store uint64) {
	find(c.regions, bound(key, raw)).leader = store
}

func find(regions []*hosted, key []byte) *hosted {
	for _, r := range regions {
		if (&region{meta: r.meta}).contains(key) {
			return r
		}
	}
	panic(fmt.Sprintf("no region holds %q", key))
}

// freeze makes placement forget to follow the regions.
func (c *cluster) freeze() {
	c.known = nil
	for _, r := range c.regions {
		known := *r
		c.known = append(c.known, &known)
	}
}

// run runs fn as a task of the client's process, to its end.
func (c *cluster) run(fn func(t env.Task)) {
	c.Helper()
	done := false
	c.env.Sched.Go("test", func(t env.Task) {
		fn(t)
		done = true
	})
	for range 10_000 {
		if done {
			return
		}
		if err := c.world.RunFor(100 * time.Millisecond); err != nil {
			c.Fatal(err)
		}
	}
	c.Fatal("task does not end")
}

// settle lets background work end.
func (c *cluster) settle(t env.Task) {
	for c.client.background > 0 || c.inFlight > 0 {
		t.Sleep(10 * time.Millisecond)
	}
}

// Placement.

func (c *cluster) GetTS(t env.Task, _ time.Duration) (uint64, error) {
	if err := c.ask(t, rpc.PdTso); err != nil {
		return 0, err
	}
	return c.tick(), nil
}

// tick returns a timestamp without a journey.
func (c *cluster) tick() uint64 {
	now := c.world.Now() + int64(c.leap)
	if c.pace != 0 {
		now = int64(float64(c.world.Now())*c.pace) + int64(c.leap)
	}
	physical := uint64(now/int64(time.Millisecond)) + 1
	c.lastTS = max(c.lastTS+1, codec.ComposeTS(physical, 0))
	return c.lastTS
}

func (c *cluster) GetRegion(t env.Task, key []byte, _ time.Duration) (*metapb.Region, *metapb.Peer, error) {
	if err := c.ask(t, rpc.PdGetRegion); err != nil {
		return nil, nil, err
	}
	regions := c.known
	if regions == nil {
		regions = c.regions
	}
	r := find(regions, key)
	return r.meta, r.meta.Peers[r.leader-1], nil
}

func (c *cluster) GetStore(t env.Task, id uint64, _ time.Duration) (*metapb.Store, error) {
	if err := c.ask(t, rpc.PdGetStore); err != nil {
		return nil, err
	}
	return &metapb.Store{Id: id, Address: fmt.Sprintf("store%d", id)}, nil
}

var errNoAnswer = errors.New("placement does not answer")

func (c *cluster) ask(t env.Task, m rpc.Method) error {
	r := c.match(t, m)
	t.Sleep(2 * latency)
	if r != nil {
		c.logf("%-16v => no answer", m)
		return errNoAnswer
	}
	if c.trace != nil {
		c.logf("%-16v => ok", m)
	}
	return nil
}

// match returns the rule that applies to a request.
func (c *cluster) match(t env.Task, m rpc.Method) *rule {
	for _, r := range c.rules {
		if r.method != m || r.times == 0 {
			continue
		}
		if r.skip > 0 {
			r.skip--
			continue
		}
		r.times--
		return r
	}
	if c.hooks != nil {
		return c.hooks(t, m)
	}
	return nil
}

func (c *cluster) logf(format string, args ...any) {
	if c.trace != nil {
		c.trace(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}
