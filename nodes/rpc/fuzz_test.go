package rpc

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim"
)

// Whatever bytes arrive, an endpoint takes them, drops them, or says by a failed
// check that nobody of ours can have sent them: it never reads past their end.
// The method: two processes with handlers and a call under way get the datagram
// as it is, and once more with the boot numbers that make it pass for one of
// the other's.
func FuzzReceive(f *testing.F) {
	request := encode(frameRequest, RawGet, 3, 5, 0, &kvrpcpb.RawGetRequest{Key: []byte("key")})
	for kind := frameOneWay; kind <= frameReset+1; kind++ {
		datagram := append([]byte{kind}, request[1:]...)
		f.Add(datagram)
		f.Add(datagram[:header])
		f.Add(datagram[:header-1])
		f.Add(append(datagram, 0xff, 0xff))
	}
	f.Add([]byte{})
	f.Add([]byte{frameRequest})
	f.Add([]byte{frameRequest, byte(numMethods)})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		w := sim.NewWorld(sim.Config{Seed: 1})
		defer w.Close()
		var endpoints []*Endpoint
		for _, name := range []string{"a", "b"} {
			w.AddNode(sim.NodeConfig{Name: name, Main: func(e *env.Env) func() {
				ep := NewEndpoint(e)
				endpoints = append(endpoints, ep)
				HandleFast(ep, RawGet, func(env.Addr, *kvrpcpb.RawGetRequest) *kvrpcpb.RawGetResponse { return &kvrpcpb.RawGetResponse{} })
				Handle(ep, RawPut, func(env.Task, env.Addr, *kvrpcpb.RawPutRequest) *kvrpcpb.RawPutResponse { return nil })
				ep.HandleRaw(Raft, func(env.Addr, []byte) {})
				e.Sched.Go("call", func(t env.Task) {
					_ = Call(t, ep, 1, RawGet, &kvrpcpb.RawGetRequest{}, &kvrpcpb.RawGetResponse{}, time.Second)
				})
				return nil
			}})
		}
		w.StartAll()
		for _, fit := range []bool{false, true} {
			for i, ep := range endpoints {
				buf := append([]byte{}, datagram...)
				if fit && len(buf) >= header {
					binary.LittleEndian.PutUint64(buf[2:], ep.boot)
					binary.LittleEndian.PutUint64(buf[10:], ep.boot)
				}
				err := w.Do(func() { ep.receive(env.Addr(2-i), buf) })
				var violation invariant.Violation
				if errors.As(err, &violation) {
					return // the check has said so, and the run has ended
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
