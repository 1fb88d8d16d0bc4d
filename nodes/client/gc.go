package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markGCHeld        = invariant.NewMark("client: garbage collection got less than it wanted")
	markGCResolved    = invariant.NewMark("client: lock below the safe point resolved by garbage collection")
	markGCAsync       = invariant.NewMark("client: garbage collection met the lock of an async commit")
	markGCPessimistic = invariant.NewMark("client: garbage collection met a pessimistic lock")
	markGCMemory      = invariant.NewMark("client: garbage collection met a lock in the memory of a leader")
	markGCTogether    = invariant.NewMark("client: locks of several transactions resolved at once by garbage collection")
	markGCWaits       = invariant.NewMark("client: garbage collection waits for a living transaction")
	markGCFailed      = invariant.NewMark("client: round of garbage collection given up")
	markGCDone        = invariant.NewMark("client: round of garbage collection done")
	markGCOthers      = invariant.NewMark("client: garbage collection left to another client")
)

// SafePoints is what garbage collection asks of the placement driver.
type SafePoints interface {
	// SafePoints returns the bounds below which nothing begins, and nothing is
	// decided any more.
	SafePoints(t env.Task) (closed, settled uint64, err error)
	// AdvanceSafePoint wants to close everything below ts, and returns the bound
	// that it gets: what nobody asks to keep.
	AdvanceSafePoint(t env.Task, ts uint64) (closed uint64, err error)
	// UpdateGCSafePoint says that everything below ts is settled.
	UpdateGCSafePoint(t env.Task, ts uint64) (settled uint64, err error)
	// GetAllStores returns every store that was registered before the call and
	// is not a tombstone.
	GetAllStores(t env.Task) ([]*metapb.Store, error)
}

// Collector removes the versions that nobody reads any more, round by round:
//
//  1. The placement driver fixes the safe point: the age of data that is kept, or
//     less if somebody still reads below.
//  2. Every store closes it: no read and no lock begins below it from then on.
//  3. All locks of transactions that began below it are resolved.
//  4. Every store settles it: nobody is told any more what became of such a
//     transaction, for the records that say so are about to go.
//  5. Ranges of keys that were dropped up to the safe point go as a whole, and
//     every region drops what nobody can read.
//
// Each step is done for good before the next one begins, and repeating one does
// no harm, so that a round may be given up anywhere and several clients may
// collect at a time. (TiDB's gc_worker has the same steps; where it waits for as
// long as it takes all servers to hear of the safe point, here the stores
// refuse, so that no clock matters.) A store that cannot be reached holds up the
// collection until it comes back or is removed.
type Collector struct {
	client *Client
	points SafePoints
	cfg    CollectorConfig
	// Rounds counts those that were done.
	Rounds int
}

// CollectorConfig configures a Collector.
type CollectorConfig struct {
	// Interval is the time between two rounds, of all clients together.
	Interval time.Duration
	// Lifetime is the age up to which versions are kept.
	Lifetime time.Duration
	// Dropped knows which ranges of keys were dropped; nil: there are none.
	Dropped DroppedRanges
	// Collected, if set, is told the safe point of each round that was done.
	Collected func(safePoint uint64)
}

// NewCollector returns a collector that works through c.
func NewCollector(c *Client, points SafePoints, cfg CollectorConfig) *Collector {
	return &Collector{client: c, points: points, cfg: cfg}
}

// Start begins to collect, for as long as the process lasts.
func (g *Collector) Start() {
	jitter := g.client.env.Streams.Stream("garbage collection")
	g.client.env.Sched.Go("garbage collection", func(t env.Task) {
		for {
			t.Sleep(g.cfg.Interval/2 + time.Duration(jitter.IntN(int(g.cfg.Interval))))
			if err := g.Round(t); err != nil {
				markGCFailed.Reached()
			}
		}
	})
}

// Round does one round, unless somebody else has done one not long ago.
func (g *Collector) Round(t env.Task) error {
	b := g.client.newBackoff(g.client.cfg.BackgroundTimeout)
	now, err := g.client.timestamp(t, &b)
	if err != nil {
		return err
	}
	_, last, err := g.points.SafePoints(t)
	if err != nil {
		return err
	}
	oldest := int64(codec.PhysicalTS(now)) - g.cfg.Lifetime.Milliseconds()
	if markGCOthers.Sometimes(oldest-int64(codec.PhysicalTS(last)) < g.cfg.Interval.Milliseconds()/2) {
		return nil
	}
	wanted := codec.ComposeTS(uint64(oldest), 0)
	safePoint, err := g.points.AdvanceSafePoint(t, wanted)
	if err != nil {
		return err
	}
	if markGCHeld.Sometimes(safePoint < wanted) && safePoint <= last {
		return nil
	}
	if err := g.prepare(t, &b, safePoint); err != nil {
		return err
	}
	if err := g.deleteDropped(t, &b, safePoint); err != nil {
		return err
	}
	if err := g.eachRegion(t, &b, func(p part) error { return g.collect(t, &b, p, safePoint) }); err != nil {
		return err
	}
	markGCDone.Reached()
	g.Rounds++
	if g.cfg.Collected != nil {
		g.cfg.Collected(safePoint)
	}
	return nil
}

// prepare makes sure that nobody needs anything below the safe point.
func (g *Collector) prepare(t env.Task, b *backoff, safePoint uint64) error {
	if err := g.tellStores(t, b, safePoint, g.closeStore); err != nil {
		return err
	}
	if err := g.eachRegion(t, b, func(p part) error { return g.resolveLocks(t, b, p, safePoint) }); err != nil {
		return err
	}
	settled, err := g.points.UpdateGCSafePoint(t, safePoint)
	if err != nil {
		return err
	}
	invariant.Check(settled >= safePoint, "client: placement lets garbage collection advance to %d, and said %d before", settled, safePoint)
	return g.tellStores(t, b, safePoint, g.settleStore)
}

// teller has one store move a bound, and returns where it is then.
type teller func(t env.Task, b *backoff, addr env.Addr, safePoint uint64) (uint64, error)

func (g *Collector) closeStore(t env.Task, b *backoff, addr env.Addr, safePoint uint64) (uint64, error) {
	resp := &pdpb.UpdateServiceGCSafePointResponse{}
	req := &pdpb.UpdateServiceGCSafePointRequest{SafePoint: safePoint}
	err := g.callStore(t, b, addr, rpc.CloseSafePoint, req, resp)
	return resp.MinSafePoint, err
}

func (g *Collector) settleStore(t env.Task, b *backoff, addr env.Addr, safePoint uint64) (uint64, error) {
	resp := &pdpb.UpdateGCSafePointResponse{}
	req := &pdpb.UpdateGCSafePointRequest{SafePoint: safePoint}
	err := g.callStore(t, b, addr, rpc.SettleSafePoint, req, resp)
	return resp.NewSafePoint, err
}

// callStore makes one request of a store that concerns no region.
func (g *Collector) callStore(t env.Task, b *backoff, addr env.Addr, m rpc.Method, req, resp rpc.Message) error {
	b.sending(m)
	err := g.client.transport.Call(t, addr, m, req, resp, min(g.client.cfg.RPCTimeout, b.remaining()))
	if err != nil && !errors.Is(err, rpc.ErrRefused) {
		b.unanswered(m)
	}
	return err
}

// tellStores has every store move a bound to the safe point at least.
func (g *Collector) tellStores(t env.Task, b *backoff, safePoint uint64, tell teller) error {
	stores, err := g.points.GetAllStores(t)
	if err != nil {
		return err
	}
	var first error
	g.client.inParallel(t, "move safe point", len(stores), func(t env.Task, i int) {
		b := b.fork()
		if err := g.tellStore(t, &b, stores[i].Id, safePoint, tell, &first); err != nil && first == nil {
			first = err
		}
	})
	return first
}

// tellStore tells one store until it has answered, or another one is given up.
func (g *Collector) tellStore(t env.Task, b *backoff, store, safePoint uint64, tell teller, givenUp *error) error {
	c := g.client
	for *givenUp == nil {
		addr, err := c.address(t, b, store)
		if err == nil && b.remaining() <= 0 {
			return ErrDeadline
		}
		if err == nil {
			var at uint64
			if at, err = tell(t, b, addr, safePoint); err == nil {
				invariant.Check(at >= safePoint, "client: store %d has its safe point at %d, told of %d", store, at, safePoint)
				return nil
			}
		}
		if err = b.wait(t, causeLost, 0, err); err != nil {
			return err
		}
	}
	return nil
}

// errElsewhere says that the keys of a part are not all in its region any more.
var errElsewhere = errors.New("the region has changed")

// eachRegion calls fn for the parts of the key space that lie in one region each.
func (g *Collector) eachRegion(t env.Task, b *backoff, fn func(p part) error) error {
	return g.eachPart(t, b, nil, nil, fn)
}

// eachPart calls fn for the parts of a range that lie in one region each. A part
// that is elsewhere meanwhile is looked for again.
func (g *Collector) eachPart(t env.Task, b *backoff, start, end []byte, fn func(p part) error) error {
	cur := newCursor(start, end, false, true)
	for !cur.done {
		p, err := g.client.nextPart(t, b, &cur)
		if err != nil {
			return err
		}
		switch err := fn(p); {
		case err == nil:
			cur.passed(p)
		case !errors.Is(err, errElsewhere):
			return err
		}
	}
	return nil
}

// gcScanPage is how many locks are asked for at a time.
const gcScanPage = 64

// resolveLocks resolves the locks of a part whose transactions began below the
// safe point. A transaction that is alive is waited for.
func (g *Collector) resolveLocks(t env.Task, b *backoff, p part, safePoint uint64) error {
	c := g.client
	for {
		ctx := &kvrpcpb.Context{}
		resp := &kvrpcpb.ScanLockResponse{}
		req := &kvrpcpb.ScanLockRequest{Context: ctx, MaxVersion: safePoint - 1, StartKey: p.lo, EndKey: p.hi, Limit: gcScanPage}
		if err := g.ask(t, b, p, call{rpc.KvScanLock, ctx, req, resp}); err != nil {
			return err
		}
		var blocked *blockage
		var err error
		switch {
		case resp.Error.GetLocked() != nil:
			// In the memory of the leader, about to be applied: a resolution that looks for
			// locks in the data does not find it.
			markGCMemory.Reached()
			locks := []*kvrpcpb.LockInfo{resp.Error.Locked}
			markGCLocks(locks)
			blocked, err = c.resolveForWrite(t, b, codec.MaxTS, locks)
		case resp.Error != nil:
			return fmt.Errorf("scan locks: %w", keyError(resp.Error))
		case len(resp.Locks) == 0:
			return nil
		default:
			markGCLocks(resp.Locks)
			blocked, err = g.resolveFound(t, b, p, resp.Locks)
		}
		if err != nil {
			return err
		}
		if markGCWaits.Sometimes(blocked != nil) {
			if err := blocked.wait(t, b); err != nil {
				return err
			}
		}
	}
}

// resolveFound resolves the locks of a part of the transactions that have ended, with
// one request for all of them. It returns a blockage if there are others.
func (g *Collector) resolveFound(t env.Task, b *backoff, p part, locks []*kvrpcpb.LockInfo) (*blockage, error) {
	// Its own start comes after all of them, so that none is too young to be waited
	// for.
	blocked, ended, err := g.client.judge(t, b, codec.MaxTS, locks)
	if err != nil {
		return nil, err
	}
	var released resolutions
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.ResolveLockResponse{}
	req := &kvrpcpb.ResolveLockRequest{Context: ctx}
	for _, r := range ended {
		if r.pessimistic {
			released = append(released, r)
			continue
		}
		req.TxnInfos = append(req.TxnInfos, &kvrpcpb.TxnInfo{Txn: r.startTS, Status: r.commitTS})
	}
	if err := g.client.resolve(t, b, released); err != nil || len(req.TxnInfos) == 0 {
		return blocked, err
	}
	if err := g.ask(t, b, p, call{rpc.KvResolveLock, ctx, req, resp}); err != nil {
		return nil, err
	}
	if resp.Error != nil {
		return nil, fmt.Errorf("resolve locks below the safe point: %w", keyError(resp.Error))
	}
	markGCTogether.Sometimes(len(req.TxnInfos) > 1)
	return blocked, nil
}

// markGCLocks notes what kinds of locks were met. Whether an async commit stands, only
// all of its locks together tell; a pessimistic lock says nothing of its transaction,
// which may even be committed without the key.
func markGCLocks(locks []*kvrpcpb.LockInfo) {
	markGCResolved.Reached()
	for _, lock := range locks {
		markGCAsync.Sometimes(lock.UseAsyncCommit)
		markGCPessimistic.Sometimes(lock.LockType == kvrpcpb.Op_PessimisticLock)
	}
}

// collect has a region drop its garbage.
func (g *Collector) collect(t env.Task, b *backoff, p part, safePoint uint64) error {
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.GCResponse{}
	if err := g.ask(t, b, p, call{rpc.KvGC, ctx, &kvrpcpb.GCRequest{Context: ctx, SafePoint: safePoint}, resp}); err != nil {
		return err
	}
	if resp.Error != nil {
		return fmt.Errorf("collect garbage: %w", keyError(resp.Error))
	}
	return nil
}

// ask makes an attempt in the region of a part. Without an answer it waits for
// the next one, and has the part looked for again.
func (g *Collector) ask(t env.Task, b *backoff, p part, req call) error {
	v := g.client.attempt(t, b, p.r, req)
	if v.fate == answered {
		return nil
	}
	if err := b.pause(t, v); err != nil {
		return err
	}
	return errElsewhere
}
