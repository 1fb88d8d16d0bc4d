package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var markRawPartial = invariant.NewMark("client: raw batch executed in part")

// RawBatchGet reads several keys, each by itself: they need not have had these
// values at one moment. It returns the pairs found, in the order of keys.
func (c *Client) RawBatchGet(t env.Task, keys [][]byte) ([]Pair, error) {
	items := newBatch(keys, rawBounds)
	b := c.newBackoff(c.cfg.OpTimeout)
	err := c.readBatch(t, &b, items, func(t env.Task, b *backoff, part []batchItem) (int, error) {
		ctx := &kvrpcpb.Context{}
		resp := &kvrpcpb.RawBatchGetResponse{}
		for {
			r, err := c.locate(t, b, part[0].bound)
			if err != nil {
				return 0, err
			}
			n := within(r, part)
			req := &kvrpcpb.RawBatchGetRequest{Context: ctx, Keys: keysOf(part[:n])}
			v := c.attempt(t, b, r, call{rpc.RawBatchGet, ctx, req, resp})
			if v.fate == answered {
				for _, p := range resp.Pairs {
					if p.Error != nil {
						return 0, keyError(p.Error)
					}
					keep(part[:n], p.Key, p.Value)
				}
				return n, nil
			}
			if err := b.pause(t, v); err != nil {
				return 0, err
			}
		}
	})
	if err != nil {
		return nil, failed("raw batch get", err)
	}
	return foundPairs(items, keys), nil
}

// RawBatchPut writes several keys; the keys of one region are written at once,
// those of different regions are not. If only some were, the outcome is unknown
// (ErrPartial). Of pairs with the same key the last counts.
func (c *Client) RawBatchPut(t env.Task, pairs []Pair) error {
	sorted := make([]*kvrpcpb.KvPair, len(pairs))
	for i, p := range pairs {
		sorted[i] = &kvrpcpb.KvPair{Key: p.Key, Value: p.Value}
	}
	slices.SortStableFunc(sorted, func(x, y *kvrpcpb.KvPair) int { return bytes.Compare(x.Key, y.Key) })
	kept := sorted[:0]
	for i, p := range sorted {
		if i+1 == len(sorted) || !bytes.Equal(p.Key, sorted[i+1].Key) {
			kept = append(kept, p)
		}
	}
	keyAt := func(i int) []byte { return kept[i].Key }
	return c.rawBatchWrite(t, "raw batch put", len(kept), keyAt, func(ctx *kvrpcpb.Context, lo, hi int) (call, func() string) {
		resp := &kvrpcpb.RawBatchPutResponse{}
		req := &kvrpcpb.RawBatchPutRequest{Context: ctx, Pairs: kept[lo:hi], ForCas: true}
		return call{rpc.RawBatchPut, ctx, req, resp}, func() string { return resp.Error }
	})
}

// RawBatchDelete removes several keys, with the outcomes of RawBatchPut.
func (c *Client) RawBatchDelete(t env.Task, keys [][]byte) error {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, bytes.Compare)
	sorted = slices.CompactFunc(sorted, bytes.Equal)
	keyAt := func(i int) []byte { return sorted[i] }
	return c.rawBatchWrite(t, "raw batch delete", len(sorted), keyAt, func(ctx *kvrpcpb.Context, lo, hi int) (call, func() string) {
		resp := &kvrpcpb.RawBatchDeleteResponse{}
		req := &kvrpcpb.RawBatchDeleteRequest{Context: ctx, Keys: sorted[lo:hi], ForCas: true}
		return call{rpc.RawBatchDelete, ctx, req, resp}, func() string { return resp.Error }
	})
}

// tally counts the parts of a raw batch by outcome.
type tally struct {
	done, failed, unknown int
	err                   error // of the first part that is not done
}

func (y *tally) count(err error) {
	switch {
	case err == nil:
		y.done++
		return
	case errors.Is(err, ErrUndetermined):
		y.unknown++
	default:
		y.failed++
	}
	if y.err == nil {
		y.err = errors.Unwrap(err)
	}
}

// rawBatchWrite writes the keys 0 to n-1 (sorted, distinct), each region's part
// with one request, which build makes.
func (c *Client) rawBatchWrite(
	t env.Task, op string, n int, keyAt func(int) []byte,
	build func(ctx *kvrpcpb.Context, lo, hi int) (call, func() string),
) error {
	if n == 0 {
		return nil
	}
	b := c.newBackoff(c.cfg.OpTimeout)
	parts, err := c.partition(t, &b, n, keyAt)
	if err != nil {
		return failed(op, err)
	}
	var total tally
	c.inParallel(t, op, len(parts), func(t env.Task, i int) {
		own := b.fork()
		c.rawBatchPart(t, &own, op, parts[i], keyAt, build, &total)
	})
	switch {
	case total.failed == 0 && total.unknown == 0:
		return nil
	case total.done == 0 && total.unknown == 0:
		return failed(op, total.err)
	case total.unknown == 0:
		markRawPartial.Reached()
		return undetermined(op, fmt.Errorf("%w: %w", ErrPartial, total.err))
	}
	return undetermined(op, total.err)
}

// rawBatchPart writes one part, which held the keys of one region when the batch
// was cut; by now there may be several regions.
func (c *Client) rawBatchPart(
	t env.Task, b *backoff, op string, part span, keyAt func(int) []byte,
	build func(ctx *kvrpcpb.Context, lo, hi int) (call, func() string), total *tally,
) {
	for part.lo < part.hi {
		r, err := c.locate(t, b, keyAt(part.lo))
		if err != nil {
			total.count(failed(op, err))
			return
		}
		hi := part.lo + 1
		for hi < part.hi && r.endsAfter(keyAt(hi)) {
			hi++
		}
		req, problem := build(&kvrpcpb.Context{}, part.lo, hi)
		v := c.attempt(t, b, r, req)
		switch {
		case v.fate == lost:
			total.count(rawUnknown(op, v.err))
			part.lo = hi
		case v.fate == answered && problem() != "":
			total.count(rawUnknown(op, fmt.Errorf("the store says: %s", problem())))
			part.lo = hi
		case v.fate == answered:
			total.count(nil)
			part.lo = hi
		default:
			if err := b.pause(t, v); err != nil {
				total.count(failed(op, err))
				return
			}
		}
	}
}
