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
