package rpc_test

import (
	"testing"

	"simrun/nodes/rpc"
)

// Goal: every method can be named, and a datagram tells which one it is of.
func TestKindOf(t *testing.T) {
	for m := rpc.Raft; m.String() != "unknown method"; m++ {
		if kind := rpc.KindOf([]byte{0, byte(m)}); kind != m.String() || !rpc.KnownMethod(kind) {
			t.Errorf("%v: kind %q", m, kind)
		}
	}
	if kind := rpc.KindOf([]byte{0}); kind != "" || rpc.KnownMethod(kind) {
		t.Errorf("a datagram without a method is of kind %q", kind)
	}
}
