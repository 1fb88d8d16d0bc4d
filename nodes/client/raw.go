package client

import (
	"errors"
	"fmt"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

// Pair is a key and its value.
type Pair struct {
	Key, Value []byte
}

//nolint:gochecknoglobals // marks register once
var (
	markRawUnknown = invariant.NewMark("client: raw write of unknown outcome")
	markRawResent  = invariant.NewMark("client: raw write sent again after proof that it was not executed")
)

// RawGet reads one key. The value is nil and found false if it is absent.
func (c *Client) RawGet(t env.Task, key []byte) (value []byte, found bool, err error) {
	b := c.newBackoff(c.cfg.OpTimeout)
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.RawGetResponse{}
	req := call{rpc.RawGet, ctx, &kvrpcpb.RawGetRequest{Context: ctx, Key: key}, resp}
	for {
		if err := c.send(t, &b, key, req); err != nil {
			return nil, false, failed("raw get", err)
		}
		if resp.Error == "" {
			return valueOf(resp.Value, resp.NotFound), !resp.NotFound, nil
		}
		if err := b.wait(t, causeRejected, 0, errors.New(resp.Error)); err != nil {
			return nil, false, failed("raw get", err)
		}
	}
}

// valueOf gives absent keys a nil value and present ones never.
func valueOf(value []byte, notFound bool) []byte {
	if !notFound && value == nil {
		return []byte{}
	}
	return value
}

// RawPut writes one key.
func (c *Client) RawPut(t env.Task, key, value []byte) error {
	b := c.newBackoff(c.cfg.OpTimeout)
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.RawPutResponse{}
	// ForCas makes the store order this write with compare-and-swaps of the key.
	req := &kvrpcpb.RawPutRequest{Context: ctx, Key: key, Value: value, ForCas: true}
	return c.rawWrite(t, &b, "raw put", key, call{rpc.RawPut, ctx, req, resp}, func() string { return resp.Error })
}

// RawDelete removes one key; it need not exist.
func (c *Client) RawDelete(t env.Task, key []byte) error {
	b := c.newBackoff(c.cfg.OpTimeout)
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.RawDeleteResponse{}
	req := &kvrpcpb.RawDeleteRequest{Context: ctx, Key: key, ForCas: true}
	return c.rawWrite(t, &b, "raw delete", key, call{rpc.RawDelete, ctx, req, resp}, func() string { return resp.Error })
}

// RawCompareAndSwap writes value if the key's value is expected; a nil expected
// asks for the key to be absent. It returns whether it did, and the value that
// the key had before, nil if it was absent.
func (c *Client) RawCompareAndSwap(t env.Task, key, expected, value []byte) (swapped bool, previous []byte, err error) {
	b := c.newBackoff(c.cfg.OpTimeout)
	ctx := &kvrpcpb.Context{}
	resp := &kvrpcpb.RawCASResponse{}
	req := &kvrpcpb.RawCASRequest{
		Context: ctx, Key: key, Value: value,
		PreviousNotExist: expected == nil, PreviousValue: expected,
	}
	err = c.rawWrite(t, &b, "raw compare-and-swap", key, call{rpc.RawCompareAndSwap, ctx, req, resp},
		func() string { return resp.Error })
	if err != nil {
		return false, nil, err
	}
	return resp.Succeed, valueOf(resp.PreviousValue, resp.PreviousNotExist), nil
}

// rawWrite sends a write until one attempt may have been executed. A write
// carries no identity by which a store could tell the second attempt from the
// first: if the first is only late, it can execute after the second, and after
// a later write of another client, whose effect would be lost. A
// compare-and-swap that is repeated could fail because of itself. So only an
// attempt that was proved not to be executed is repeated.
//
// problem returns what an executed request says went wrong in its own words,
// which prove nothing.
func (c *Client) rawWrite(t env.Task, b *backoff, op string, key []byte, req call, problem func() string) error {
	for first := true; ; first = false {
		r, err := c.locate(t, b, key)
		if err != nil {
			return failed(op, err)
		}
		markRawResent.Sometimes(!first)
		v := c.attempt(t, b, r, req)
		switch {
		case v.fate == lost:
			return rawUnknown(op, v.err)
		case v.fate == answered && problem() != "":
			return rawUnknown(op, fmt.Errorf("the store says: %s", problem()))
		case v.fate == answered:
			return nil
		}
		if err := b.pause(t, v); err != nil {
			return failed(op, err)
		}
	}
}

func rawUnknown(op string, err error) error {
	markRawUnknown.Reached()
	return undetermined(op, err)
}
