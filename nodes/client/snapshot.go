package client

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

// Snapshot reads the database as it was at one timestamp: everything committed
// up to then and nothing else. It belongs to one task.
type Snapshot struct {
	client *Client
	ts     uint64
	// bypass holds the start timestamps of transactions whose locks this snapshot
	// need not heed: they were rolled back, or commit after ts. That is knowledge
	// about ts and dies with the snapshot.
	bypass []uint64

	// What a point read needs; kept, because a transaction makes many.
	ctx   kvrpcpb.Context
	req   kvrpcpb.GetRequest
	resp  kvrpcpb.GetResponse
	bound []byte
}

// Snapshot returns a snapshot at ts. Use a timestamp that was handed out before:
// at a later one, transactions that commit meanwhile could change what it shows.
// For what is newest see GetNewest.
func (c *Client) Snapshot(ts uint64) *Snapshot {
	invariant.Check(ts != codec.MaxTS, "client: there is no snapshot at the greatest timestamp")
	return &Snapshot{client: c, ts: ts}
}

// TS returns the timestamp at which the snapshot reads.
func (s *Snapshot) TS() uint64 { return s.ts }

// Get reads one key. The value is nil and found false if it is absent.
func (s *Snapshot) Get(t env.Task, key []byte) (value []byte, found bool, err error) {
	b := s.client.newBackoff(s.client.cfg.OpTimeout)
	value, found, err = s.get(t, &b, key)
	return value, found, failed("get", err)
}

func (s *Snapshot) get(t env.Task, b *backoff, key []byte) ([]byte, bool, error) {
	s.bound = codec.AppendBytes(s.bound[:0], key)
	s.req.Context, s.req.Key, s.req.Version = &s.ctx, key, s.ts
	for {
		s.ctx.ResolvedLocks = s.bypass
		if err := s.client.send(t, b, s.bound, call{rpc.KvGet, &s.ctx, &s.req, &s.resp}); err != nil {
			return nil, false, err
		}
		if ke := s.resp.Error; ke != nil {
			if err := s.onKeyErrors(t, b, ke); err != nil {
				return nil, false, err
			}
			continue
		}
		return valueOf(s.resp.Value, s.resp.NotFound), !s.resp.NotFound, nil
	}
}

// BatchGet reads several keys and returns the pairs found, in the order of keys.
func (s *Snapshot) BatchGet(t env.Task, keys [][]byte) ([]Pair, error) {
	b := s.client.newBackoff(s.client.cfg.OpTimeout)
	items := newBatch(keys, txnBounds)
	if err := s.client.readBatch(t, &b, items, s.batchGetPart); err != nil {
		return nil, failed("batch get", err)
	}
	return foundPairs(items, keys), nil
}

// batchGetPart reads those of the items that are in the region of the first.
func (s *Snapshot) batchGetPart(t env.Task, b *backoff, items []batchItem) (int, error) {
	c := s.client
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.BatchGetResponse{}
	for {
		r, err := c.locate(t, b, items[0].bound)
		if err != nil {
			return 0, err
		}
		n := within(r, items)
		ctx.ResolvedLocks = s.bypass
		req := &kvrpcpb.BatchGetRequest{Context: ctx, Keys: keysOf(items[:n]), Version: s.ts}
		v := c.attempt(t, b, r, call{rpc.KvBatchGet, ctx, req, resp})
		if v.fate != answered {
			if err := b.pause(t, v); err != nil {
				return 0, err
			}
			continue
		}
		var locked []*kvrpcpb.KeyError
		if resp.Error != nil {
			locked = append(locked, resp.Error)
		}
		for _, p := range resp.Pairs {
			if p.Error != nil {
				locked = append(locked, p.Error)
			}
		}
		if len(locked) == 0 {
			for _, p := range resp.Pairs {
				keep(items[:n], p.Key, p.Value)
			}
			return n, nil
		}
		// All keys are read again: at one timestamp the answer does not change.
		if err := s.onKeyErrors(t, b, locked...); err != nil {
			return 0, err
		}
	}
}

//nolint:gochecknoglobals // marks register once
var markReadBlocked = invariant.NewMark("client: read waited for a lock that could not be pushed")

// onKeyErrors deals with the locks that a read has met. The read may be
// repeated when it returns nil.
func (s *Snapshot) onKeyErrors(t env.Task, b *backoff, errs ...*kvrpcpb.KeyError) error {
	locks := make([]*kvrpcpb.LockInfo, 0, len(errs))
	for _, ke := range errs {
		if ke.Locked == nil {
			return keyError(ke)
		}
		locks = append(locks, ke.Locked)
	}
	blocked, err := s.client.resolveForRead(t, b, s, locks)
	if err != nil || blocked == nil {
		return err
	}
	markReadBlocked.Reached()
	return blocked.wait(t, b)
}

// pass makes the snapshot ignore the locks of a transaction from now on.
func (s *Snapshot) pass(startTS uint64) {
	if !slices.Contains(s.bypass, startTS) {
		s.bypass = append(s.bypass, startTS)
	}
}
