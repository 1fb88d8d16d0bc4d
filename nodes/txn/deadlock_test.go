package txn

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/deadlock"
)

// TestDetectTable follows the edges of the wait-for graph through their lives: an
// edge lives for a second after its last report, and one that closes a circle is
// reported each time it comes, and never kept.
func TestDetectTable(t *testing.T) {
	d := NewDetectTable(time.Second)
	ask := func(now time.Duration, from, to uint64, circle int) {
		t.Helper()
		chain := d.Detect(now, deadlock.WaitForEntry{Txn: from, WaitForTxn: to})
		if len(chain) != circle {
			t.Errorf("%d waits for %d at %v: a circle with %d others, want %d", from, to, now, len(chain), circle)
		}
	}
	const ms = time.Millisecond
	ask(0, 1, 2, 0)
	ask(0, 2, 1, 1)
	ask(0, 2, 1, 1) // the answer was lost
	ask(0, 2, 3, 0)
	ask(0, 3, 1, 2)
	ask(0, 3, 4, 0)
	if d.Len() != 3 {
		t.Errorf("%d edges, want 3", d.Len())
	}

	// A report gives an edge another second.
	ask(600*ms, 1, 2, 0)
	ask(1500*ms, 2, 1, 1)
	if d.Len() != 1 {
		t.Errorf("%d edges after the others have expired, want 1", d.Len())
	}
	ask(1601*ms, 2, 1, 0)

	// A wait that is over takes its edge with it.
	ask(1700*ms, 1, 2, 1)
	d.Forget(deadlock.WaitForEntry{Txn: 2, WaitForTxn: 1})
	ask(1700*ms, 1, 2, 0)
	d.Clear()
	ask(1700*ms, 2, 1, 0)
}

// TestDetectTableKeys: a transaction that waits for another one at two keys still does
// when it has been given one of them, and until the other one has been reported for the
// last time as well.
func TestDetectTableKeys(t *testing.T) {
	d := NewDetectTable(time.Second)
	edge := func(from, to uint64, key string) deadlock.WaitForEntry {
		return deadlock.WaitForEntry{Txn: from, WaitForTxn: to, Key: []byte(key), KeyHash: KeyHash([]byte(key))}
	}
	circle := func(when string, now time.Duration, want string) {
		t.Helper()
		got := ""
		if chain := d.Detect(now, edge(2, 1, "z")); len(chain) > 0 {
			got = string(chain[len(chain)-1].Key)
		}
		if got != want {
			t.Errorf("%s: the circle is closed at %q, not at %q", when, got, want)
		}
		d.Forget(edge(2, 1, "z"))
	}
	const ms = time.Millisecond
	d.Detect(0, edge(1, 2, "x"))
	d.Detect(600*ms, edge(1, 2, "y"))
	d.Forget(edge(1, 2, "x"))
	circle("it waits at y", 700*ms, "y")
	d.Detect(700*ms, edge(1, 2, "x"))
	d.Forget(edge(1, 2, "y"))
	circle("it waits at x", 800*ms, "x")
	d.Detect(1500*ms, edge(1, 2, "y"))
	circle("the one at x is not known any more", 1800*ms, "y")
	d.Forget(edge(1, 2, "y"))
	circle("it does not wait", 1800*ms, "")
	if d.Len() != 0 {
		t.Errorf("%d edges are left", d.Len())
	}
}
