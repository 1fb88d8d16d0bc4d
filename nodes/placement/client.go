package placement

import (
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markRetry      = invariant.NewMark("placement: request repeated")
	markRedirected = invariant.NewMark("placement: request redirected to the leader")
	markDistrusted = invariant.NewMark("placement: redirection to a silent member not followed")
)

// ClientConfig configures a Client. The zero value of a duration stands for its
// default.
type ClientConfig struct {
	// ClusterID identifies the cluster.
	ClusterID uint64
	// Members are the names of the members.
	Members []string
	// RequestTimeout is how long one member is given to answer, Deadline how long
	// a request is repeated unless its caller sets a lower limit. Defaults 500 ms
	// and 3 s.
	RequestTimeout time.Duration
	Deadline       time.Duration
	// BackoffMin and BackoffMax bound the wait before a repetition, which doubles
	// from one to the next and is drawn from its upper half. Defaults 5 ms and
	// 200 ms.
	BackoffMin, BackoffMax time.Duration
}

func (c ClientConfig) withDefaults() ClientConfig {
	setDefault(&c.RequestTimeout, 500*time.Millisecond)
	setDefault(&c.Deadline, 3*time.Second)
	setDefault(&c.BackoffMin, 5*time.Millisecond)
	setDefault(&c.BackoffMax, 200*time.Millisecond)
	return c
}

// Client asks placement. It finds the member that leads, and repeats requests
// until the deadline: all of them may be executed more than once.
//
// Who leads is owned by the members; the client has a guess. A member that does
// not answer is wrong, and so is one that does not lead; the latter may name
// another, which is believed unless the request has met silence there: two
// members may hold each other, or one that is cut off, for the leader. An answer
// moves the guess only if it is still the one that was asked, so that a late one
// does not undo what others have learnt.
type Client struct {
	env    *env.Env
	ep     *rpc.Endpoint
	cfg    ClientConfig
	rand   env.Rand
	header *pdpb.RequestHeader
	member int // index of the member that is asked first

	timestamps timestampBatch
}

// NewClient returns a client. The names of the members must be resolvable.
func NewClient(e *env.Env, ep *rpc.Endpoint, cfg ClientConfig) *Client {
	invariant.Check(len(cfg.Members) > 0, "placement: client without members")
	return &Client{
		env: e, ep: ep, cfg: cfg.withDefaults(),
		rand:   e.Streams.Stream("placement client"),
		header: &pdpb.RequestHeader{ClusterId: cfg.ClusterID},
	}
}

// response is a pointer to a struct that is a response.
type response[P any] interface {
	*P
	rpc.Message
	GetHeader() *pdpb.ResponseHeader
}

// once asks the member that is believed to lead. If it should be asked again,
// or another one, retry is true. on is what the request has met so far.
func once[P any, R response[P]](
	c *Client, t env.Task, m rpc.Method, req rpc.Message, limit time.Duration, on *tour,
) (resp R, retry bool, err error) {
	asked := c.member
	name := c.cfg.Members[asked]
	addr, ok := c.env.Net.Resolve(name)
	invariant.Check(ok, "placement: no node is named %q", name)
	resp = R(new(P))
	if err = rpc.Call(t, c.ep, addr, m, req, resp, limit); err != nil {
		on.silent = append(on.silent, asked)
		c.turnFrom(asked, "", on)
		return nil, true, fmt.Errorf("placement: %s of %s: %w", m, name, err)
	}
	refusal := resp.GetHeader().GetError()
	if refusal == nil {
		return resp, false, nil
	}
	err = &Error{refusal.Type, refusal.Message}
	if leader, isNotLeader := leaderHint(refusal); isNotLeader {
		markRedirected.Sometimes(c.turnFrom(asked, leader, on))
		return nil, true, err
	}
	return nil, refusal.Type == pdpb.ErrorType_NOT_BOOTSTRAPPED, err
}

// tour is what one request has met among the members, by index.
type tour struct {
	asked  []int // in vain
	silent []int // of these, the ones that did not answer
}

// turnFrom gives up the guess that the member asked leads. It turns to the one
// that is named instead, and reports so, unless that one was silent: then, and
// without a name, it turns to one that was not asked yet. When all were, the tour
// begins anew, and a name is believed again.
func (c *Client) turnFrom(asked int, leader string, on *tour) (followed bool) {
	on.asked = append(on.asked, asked)
	if c.member != asked {
		return false // somebody has learnt better meanwhile
	}
	named := slices.Index(c.cfg.Members, leader)
	if named == asked {
		named = -1
	}
	if named >= 0 && !slices.Contains(on.silent, named) {
		c.member = named
		return true
	}
	markDistrusted.Sometimes(named >= 0)
	n := len(c.cfg.Members)
	for i := 1; i < n; i++ {
		if next := (asked + i) % n; !slices.Contains(on.asked, next) {
			c.member = next
			return false
		}
	}
	*on = tour{}
	if named < 0 {
		named = (asked + 1) % n
	}
	c.member = named
	return false
}

// call repeats a request until it is served or the deadline has passed.
func call[P any, R response[P]](c *Client, t env.Task, m rpc.Method, req rpc.Message) (R, error) {
	return callWithin[P, R](c, t, m, req, noLimit)
}

// noLimit stands for the client's own deadline.
const noLimit time.Duration = -1

// within is how long a request with a limit of its caller is repeated.
func (c *Client) within(limit time.Duration) time.Duration {
	if limit < 0 {
		return c.cfg.Deadline
	}
	return min(limit, c.cfg.Deadline)
}

// callWithin is call with a limit of the caller, who has a deadline of its own.
// It never waits longer than the client's.
func callWithin[P any, R response[P]](c *Client, t env.Task, m rpc.Method, req rpc.Message, limit time.Duration) (R, error) {
	deadline := c.env.Clock.Monotonic() + c.within(limit)
	backoff := c.cfg.BackoffMin
	var on tour
	for {
		left := deadline - c.env.Clock.Monotonic()
		resp, retry, err := once[P, R](c, t, m, req, min(left, c.cfg.RequestTimeout), &on)
		if !retry {
			return resp, err
		}
		pause := backoff/2 + time.Duration(c.rand.IntN(int(backoff/2)+1))
		if c.env.Clock.Monotonic()+pause >= deadline {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		t.Sleep(pause)
		again(m, err)
		backoff = min(2*backoff, c.cfg.BackoffMax)
	}
}

// AllocID returns an id that nobody else has or will have.
func (c *Client) AllocID(t env.Task) (uint64, error) {
	resp, err := call[pdpb.AllocIDResponse](c, t, rpc.PdAllocID, &pdpb.AllocIDRequest{Header: c.header})
	return resp.GetId(), err
}

// GetRegion returns the region that holds key, and its leader, which is nil if
// it is not known. It waits at most for limit, and never longer than
// ClientConfig.Deadline, which is what a negative limit stands for.
func (c *Client) GetRegion(t env.Task, key []byte, limit time.Duration) (*metapb.Region, *metapb.Peer, error) {
	resp, err := callWithin[pdpb.GetRegionResponse](c, t, rpc.PdGetRegion, &pdpb.GetRegionRequest{Header: c.header, RegionKey: key}, limit)
	return resp.GetRegion(), resp.GetLeader(), err
}

// GetRegionByID returns a region and its leader, which is nil if it is not
// known.
func (c *Client) GetRegionByID(t env.Task, id uint64) (*metapb.Region, *metapb.Peer, error) {
	resp, err := call[pdpb.GetRegionResponse](c, t, rpc.PdGetRegionByID, &pdpb.GetRegionByIDRequest{Header: c.header, RegionId: id})
	return resp.GetRegion(), resp.GetLeader(), err
}

// PutStore registers a store.
func (c *Client) PutStore(t env.Task, store *metapb.Store) error {
	_, err := call[pdpb.PutStoreResponse](c, t, rpc.PdPutStore, &pdpb.PutStoreRequest{Header: c.header, Store: store})
	return err
}

// GetStore returns a store. It waits at most for limit, and never longer than
// ClientConfig.Deadline, which is what a negative limit stands for.
func (c *Client) GetStore(t env.Task, id uint64, limit time.Duration) (*metapb.Store, error) {
	resp, err := callWithin[pdpb.GetStoreResponse](c, t, rpc.PdGetStore, &pdpb.GetStoreRequest{Header: c.header, StoreId: id}, limit)
	return resp.GetStore(), err
}

// GetAllStores returns all stores but the tombstones, by id.
func (c *Client) GetAllStores(t env.Task) ([]*metapb.Store, error) {
	resp, err := call[pdpb.GetAllStoresResponse](c, t, rpc.PdGetAllStores, &pdpb.GetAllStoresRequest{
		Header: c.header, ExcludeTombstoneStores: true,
	})
	return resp.GetStores(), err
}

// StoreHeartbeat reports that a store is alive. It is not repeated: the next
// heartbeat says more.
func (c *Client) StoreHeartbeat(t env.Task, stats *pdpb.StoreStats) (*pdpb.StoreHeartbeatResponse, error) {
	resp, _, err := once[pdpb.StoreHeartbeatResponse](c, t, rpc.PdStoreHeartbeat,
		&pdpb.StoreHeartbeatRequest{Header: c.header, Stats: stats}, c.cfg.RequestTimeout, &tour{})
	return resp, err
}

// RegionHeartbeat reports a region, as its leader sees it: Region, Leader and
// Term must be set. It is not repeated.
func (c *Client) RegionHeartbeat(t env.Task, req *pdpb.RegionHeartbeatRequest) (*pdpb.RegionHeartbeatResponse, error) {
	req.Header = c.header
	resp, _, err := once[pdpb.RegionHeartbeatResponse](c, t, rpc.PdRegionHeartbeat, req, c.cfg.RequestTimeout, &tour{})
	return resp, err
}

// AskBatchSplit returns ids for count new regions that are split off region.
func (c *Client) AskBatchSplit(t env.Task, region *metapb.Region, count int) ([]*pdpb.SplitID, error) {
	resp, err := call[pdpb.AskBatchSplitResponse](c, t, rpc.PdAskBatchSplit, &pdpb.AskBatchSplitRequest{
		Header: c.header, Region: region, SplitCount: uint32(count),
	})
	return resp.GetIds(), err
}
