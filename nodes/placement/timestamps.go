package placement

import (
	"errors"
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var markBatched = invariant.NewMark("placement: one request for the timestamps of several tasks")

// timestampBatch collects the tasks that want a timestamp while a request is
// under way. They share the next one: a timestamp must be drawn after it was
// asked for, so nobody may join a request that was sent.
type timestampBatch struct {
	waiting []*env.Future[uint64]
	running bool // a task sends requests as long as somebody waits
}

// GetTS returns a timestamp that is greater than all that were returned before
// the call, to anybody. It waits at most for limit; a negative one is that of
// the requests, ClientConfig.Deadline for the one under way and for the next. A
// caller who has given up leaves the request to the others who share it.
func (c *Client) GetTS(t env.Task, limit time.Duration) (uint64, error) {
	want := &env.Future[uint64]{}
	c.timestamps.waiting = append(c.timestamps.waiting, want)
	if !c.timestamps.running {
		c.timestamps.running = true
		c.env.Sched.Go("placement timestamps", c.fetchTimestamps)
	}
	ts, err := want.Await(t, limit)
	if errors.Is(err, env.ErrTimeout) && !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: no timestamp within %v", ErrUnavailable, limit)
	}
	return ts, err
}

// fetchTimestamps serves those who wait, until nobody does.
func (c *Client) fetchTimestamps(t env.Task) {
	b := &c.timestamps
	for len(b.waiting) > 0 {
		batch := b.waiting
		if len(batch) > maxTimestamps {
			batch = batch[:maxTimestamps]
		}
		b.waiting = b.waiting[len(batch):]
		markBatched.Sometimes(len(batch) > 1)
		last, err := c.requestTimestamps(t, len(batch))
		for i, want := range batch {
			want.Resolve(last-uint64(len(batch)-1-i), err)
		}
	}
	b.waiting = nil
	b.running = false
}

// requestTimestamps returns the last of count consecutive timestamps.
func (c *Client) requestTimestamps(t env.Task, count int) (uint64, error) {
	resp, err := call[pdpb.TsoResponse](c, t, rpc.PdTso, &pdpb.TsoRequest{Header: c.header, Count: uint32(count)})
	if err != nil {
		return 0, err
	}
	ts := resp.GetTimestamp()
	invariant.Check(int(resp.Count) == count && ts.GetLogical() >= int64(count) && ts.GetLogical() <= maxLogical,
		"placement: asked for %d timestamps, got %d up to %v", count, resp.Count, ts)
	return codec.ComposeTS(uint64(ts.Physical), uint64(ts.Logical)), nil
}
