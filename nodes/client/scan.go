package client

import (
	"bytes"
	"math"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markScanOn    = invariant.NewMark("client: scan went on in the next region")
	markScanMoved = invariant.NewMark("client: region of a scan was split or merged before its end was reached")
)

// Scan returns the pairs with keys from start to end, end excluded, in
// ascending order, at most limit of them. An empty end is no bound, a limit of
// 0 none.
func (s *Snapshot) Scan(t env.Task, start, end []byte, limit int) ([]Pair, error) {
	pairs, err := s.scan(t, nil, start, end, limit, false)
	return pairs, failed("scan", err)
}

// ReverseScan is Scan in descending order: of the same range, it begins with
// the last key.
func (s *Snapshot) ReverseScan(t env.Task, start, end []byte, limit int) ([]Pair, error) {
	pairs, err := s.scan(t, nil, start, end, limit, true)
	return pairs, failed("reverse scan", err)
}

// scan merges what the snapshot shows with own, the writes of the range that
// override it.
func (s *Snapshot) scan(t env.Task, own []write, start, end []byte, limit int, reverse bool) ([]Pair, error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	b := s.client.newBackoff(s.client.cfg.OpTimeout)
	page := s.client.cfg.ScanPage
	if limit < page-len(own) {
		page = limit + len(own) // own deletions can hide so many
	}
	sc := scanner{s: s, cur: newCursor(start, end, reverse, true), page: page}
	var pairs []Pair
	for len(pairs) < limit {
		stored, ok, err := sc.peek(t, &b)
		if err != nil {
			return nil, err
		}
		next, fromOwn := nextOwn(own, stored, ok, reverse)
		if !fromOwn {
			if !ok {
				break
			}
			pairs = append(pairs, stored)
			sc.skip()
			continue
		}
		own = dropOwn(own, reverse)
		same := ok && bytes.Equal(stored.Key, next.key)
		switch next.kind {
		case writePut:
			pairs = append(pairs, Pair{next.key, bytes.Clone(next.value)})
		case writeLock:
			if same {
				pairs = append(pairs, stored)
			}
		case writeDelete:
		}
		if same {
			sc.skip()
		}
	}
	return pairs, nil
}

// nextOwn returns the first of the writes in the direction of the scan, and
// whether it comes before or at the stored pair (if there is one).
func nextOwn(own []write, stored Pair, isStored, reverse bool) (write, bool) {
	if len(own) == 0 {
		return write{}, false
	}
	w := own[0]
	if reverse {
		w = own[len(own)-1]
	}
	if !isStored {
		return w, true
	}
	order := bytes.Compare(w.key, stored.Key)
	return w, order == 0 || order < 0 != reverse
}

// dropOwn drops the write that nextOwn returned.
func dropOwn(own []write, reverse bool) []write {
	if reverse {
		return own[:len(own)-1]
	}
	return own[1:]
}

// scanner reads the pairs of a range page by page.
type scanner struct {
	s    *Snapshot
	cur  cursor
	page int
	buf  []Pair // read and not yet consumed
	// in is the region in which the scan is, as it was asked last; nil before each
	// of them.
	in *metapb.Region
}

// peek returns the next pair, and false at the end.
func (sc *scanner) peek(t env.Task, b *backoff) (Pair, bool, error) {
	for len(sc.buf) == 0 {
		if sc.cur.done {
			return Pair{}, false, nil
		}
		if err := sc.fill(t, b); err != nil {
			return Pair{}, false, err
		}
	}
	return sc.buf[0], true, nil
}

// skip consumes the pair that peek returned.
func (sc *scanner) skip() { sc.buf = sc.buf[1:] }

// fill makes one attempt to read a page. It may bring nothing.
func (sc *scanner) fill(t env.Task, b *backoff) error {
	c := sc.s.client
	p, err := c.nextPart(t, b, &sc.cur)
	if err != nil {
		return err
	}
	markScanMoved.Sometimes(sc.in != nil && !sameBounds(sc.in, p.r.meta))
	sc.in = p.r.meta
	ctx := &kvrpcpb.Context{ResolvedLocks: sc.s.bypass}
	req := &kvrpcpb.ScanRequest{Context: ctx, Limit: uint32(sc.page), Version: sc.s.ts, Reverse: sc.cur.reverse}
	req.StartKey, req.EndKey = p.bounds(sc.cur.reverse)
	resp := &kvrpcpb.ScanResponse{}
	v := c.attempt(t, b, p.r, call{rpc.KvScan, ctx, req, resp})
	if v.fate != answered {
		return b.pause(t, v)
	}
	if resp.Error != nil {
		return sc.s.onKeyErrors(t, b, resp.Error)
	}
	// What comes before the first lock is good. The locks behind it are resolved
	// together, and the scan goes on at the first of them.
	var locked []*kvrpcpb.KeyError
	for _, kv := range resp.Pairs {
		switch {
		case kv.Error != nil:
			locked = append(locked, kv.Error)
		case len(locked) == 0:
			sc.buf = append(sc.buf, Pair{kv.Key, valueOf(kv.Value, false)})
		}
	}
	if len(locked) == 0 && len(resp.Pairs) < sc.page {
		sc.cur.passed(p)
		sc.in = nil
		markScanOn.Sometimes(!p.last)
		return nil
	}
	if n := len(sc.buf); n > 0 {
		sc.cur.passedKey(sc.buf[n-1].Key)
	}
	if len(locked) > 0 {
		return sc.s.onKeyErrors(t, b, locked...)
	}
	return nil
}

func sameBounds(a, b *metapb.Region) bool {
	return bytes.Equal(a.StartKey, b.StartKey) && bytes.Equal(a.EndKey, b.EndKey)
}
