package client

import (
	"math"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// RawScan returns the pairs with keys from start to end, end excluded, in
// ascending order, at most limit of them. An empty end is no bound, a limit of
// 0 none. What lies in different regions is read at different moments.
func (c *Client) RawScan(t env.Task, start, end []byte, limit int) ([]Pair, error) {
	return c.rawScan(t, start, end, limit, false)
}

// RawReverseScan is RawScan in descending order: of the same range, it begins
// with the last key.
func (c *Client) RawReverseScan(t env.Task, start, end []byte, limit int) ([]Pair, error) {
	return c.rawScan(t, start, end, limit, true)
}

func (c *Client) rawScan(t env.Task, start, end []byte, limit int, reverse bool) ([]Pair, error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	b := c.newBackoff(c.cfg.OpTimeout)
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.RawScanResponse{}
	var pairs []Pair
	for cur := newCursor(start, end, reverse, false); !cur.done && len(pairs) < limit; {
		p, err := c.nextPart(t, &b, &cur)
		if err != nil {
			return nil, failed("raw scan", err)
		}
		page := min(limit-len(pairs), c.cfg.ScanPage)
		req := &kvrpcpb.RawScanRequest{Context: ctx, Limit: uint32(page), Reverse: reverse}
		req.StartKey, req.EndKey = p.bounds(reverse)
		v := c.attempt(t, &b, p.r, call{rpc.RawScan, ctx, req, resp})
		if v.fate != answered {
			if err := b.pause(t, v); err != nil {
				return nil, failed("raw scan", err)
			}
			continue
		}
		for _, kv := range resp.Kvs {
			if kv.Error != nil {
				return nil, failed("raw scan", keyError(kv.Error))
			}
			pairs = append(pairs, Pair{kv.Key, valueOf(kv.Value, false)})
		}
		if len(resp.Kvs) < page {
			cur.passed(p)
		} else {
			cur.passedKey(resp.Kvs[len(resp.Kvs)-1].Key)
		}
	}
	return pairs, nil
}
