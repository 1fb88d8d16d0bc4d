package rpc_test

import (
	"testing"

	"simrun/nodes/rpc"
)

// Goal: every method can be named, and a datagram tells which one it is of.
func TestKindOf(t *testing.T) {
	last := rpc.ReportRegion
	for m := rpc.Raft; m <= last; m++ {
		if m.String() == "unknown method" {
			continue // the number of one that is gone
		}
		if kind := rpc.KindOf([]byte{0, byte(m)}); kind != m.String() || !rpc.KnownMethod(kind) {
			t.Errorf("%v: kind %q", m, kind)
		}
	}
	if next := last + 1; next.String() != "unknown method" || rpc.KnownMethod(next.String()) {
		t.Errorf("%v comes after the last method", next)
	}
	if kind := rpc.KindOf([]byte{0}); kind != "" || rpc.KnownMethod(kind) {
		t.Errorf("a datagram without a method is of kind %q", kind)
	}
}
