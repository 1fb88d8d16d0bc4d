package client

import (
	"errors"
	"fmt"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

// response is any response of a store to a request that concerns a region.
type response interface {
	rpc.Message
	Reset()
	GetRegionError() *errorpb.Error
}

// call is a request to the region that holds some keys. ctx is the context of
// req, into which each attempt writes the region and peer that it goes to.
type call struct {
	method rpc.Method
	ctx    *kvrpcpb.Context
	req    rpc.Message
	resp   response
}

// fate is what is known of one attempt.
type fate uint8

const (
	answered fate = iota // the store executed the request; resp is its answer
	rejected             // it was not executed and never will be
	lost                 // nobody knows
)

// verdict is the fate of an attempt and what follows from it.
type verdict struct {
	fate   fate
	err    error // why it was not answered
	lesson lesson
}

//nolint:gochecknoglobals // marks register once
var (
	markLost    = invariant.NewMark("client: request lost")
	markRefused = invariant.NewMark("client: request refused")
)

// attempt sends a request once, to the peer of r that is believed to lead, or to
// another one that may serve it too, and corrects the caches by what it learns.
func (c *Client) attempt(t env.Task, b *backoff, r *region, req call) verdict {
	c.avoidSuspect(r)
	peer := c.choosePeerFor(b, r, req.method)
	addr, err := c.address(t, b, peer.StoreId)
	if err != nil {
		c.tryNext(r, peer)
		return verdict{rejected, err, lesson{why: causePlacement}}
	}
	limit := min(c.cfg.RPCTimeout, b.remaining())
	if limit <= 0 {
		return verdict{rejected, ErrDeadline, lesson{why: causeLost}}
	}
	req.ctx.RegionId = r.meta.Id
	req.ctx.RegionEpoch = r.meta.RegionEpoch
	req.ctx.Peer = peer
	req.ctx.ReplicaRead = peer != r.peer()
	req.resp.Reset()
	c.stats.Calls[req.method]++
	b.sending(req.method)
	err = c.transport.Call(t, addr, req.method, req.req, req.resp, limit)
	if err != nil {
		v := c.unanswered(r, peer, req.method, err)
		if v.fate == lost {
			b.unanswered(req.method)
		}
		return v
	}
	c.stores.get(peer.StoreId).answers()
	if e := req.resp.GetRegionError(); e != nil {
		return c.regionError(r, peer, e)
	}
	if peer == r.peer() {
		r.silent = 0
	}
	return verdict{fate: answered}
}

// unanswered judges an attempt that brought no response.
func (c *Client) unanswered(r *region, peer *metapb.Peer, m rpc.Method, err error) verdict {
	err = fmt.Errorf("%s to store %d: %w", m, peer.StoreId, err)
	c.stores.get(peer.StoreId).wasSilent(c.env.Clock.Monotonic(), c.cfg.SuspectFor)
	c.tryNext(r, peer)
	if errors.Is(err, rpc.ErrRefused) {
		markRefused.Reached()
		return verdict{rejected, err, lesson{why: causeRefused}}
	}
	markLost.Reached()
	c.stats.Lost++
	return verdict{lost, err, lesson{why: causeLost}}
}

// regionError judges an attempt that the store did not execute. An error that
// names no reason we know is no proof of that: a store that lost track of a
// proposal may have nothing better to say.
func (c *Client) regionError(r *region, peer *metapb.Peer, e *errorpb.Error) verdict {
	kind := kindOf(e)
	regionErrorMarks[kind].Reached()
	v := verdict{rejected, &regionErr{kind, e}, regionErrorHandlers[kind].learn(c, r, peer, e)}
	if kind == regionUnrecognised {
		v.fate = lost
	}
	if v.lesson.final {
		v.err = fmt.Errorf("%w: %w", ErrRejected, v.err)
	}
	return v
}

// pause waits as an unanswered attempt suggests. It returns an error if there
// is no time for another one or it would make no sense.
func (b *backoff) pause(t env.Task, v verdict) error {
	if v.lesson.final {
		return v.err
	}
	return b.wait(t, v.lesson.why, v.lesson.atLeast, v.err)
}

// send repeats an idempotent request to the region that holds key until it is
// answered. key must stay as it is meanwhile.
func (c *Client) send(t env.Task, b *backoff, key []byte, req call) error {
	for {
		r, err := c.locate(t, b, key)
		if err != nil {
			return err
		}
		v := c.attempt(t, b, r, req)
		if v.fate == answered {
			return nil
		}
		if err := b.pause(t, v); err != nil {
			return err
		}
	}
}
