package txn

import (
	"cmp"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/deadlock"
)

// DetectTable is the wait-for graph of the whole cluster: which transaction waits
// for which. The leader of the region that holds the empty key keeps it in
// memory. It is a helper, not a truth: an edge may be missing, because its message
// was lost or the leader is new, and the wait's own timeout sends it again; and an
// edge may outlive its wait, until its time to live is over, so that a transaction
// is told of a deadlock that is none - which is allowed, and rare.
type DetectTable struct {
	ttl time.Duration
	// edges are sorted by the waiting transaction, the one waited for and the key, once
	// each: a statement waits at several keys at once, and goes on waiting for a
	// transaction at one of them when another one has been released.
	edges []waitEdge
}

// waitEdge says that one transaction waits for another at a key.
type waitEdge struct {
	entry deadlock.WaitForEntry
	seen  time.Duration // when it was reported last, on the monotonic clock
}

// NewDetectTable returns an empty graph whose edges live for ttl, which has to
// exceed the longest wait.
func NewDetectTable(ttl time.Duration) *DetectTable { return &DetectTable{ttl: ttl} }

// Len returns the number of edges.
func (d *DetectTable) Len() int { return len(d.edges) }

// Detect adds an edge at an instant of the monotonic clock, unless it closes a
// circle: then it returns the other edges of the circle, in order from the
// transaction that is waited for, and adds nothing.
func (d *DetectTable) Detect(now time.Duration, e deadlock.WaitForEntry) []*deadlock.WaitForEntry {
	d.expire(now)
	if i, found := d.search(e.Txn, e.WaitForTxn, e.KeyHash); found {
		// It did not close a circle when it came, and whatever came later would
		// have been found to.
		d.edges[i].seen = now
		return nil
	}
	if chain := d.path(e.WaitForTxn, e.Txn); chain != nil {
		markDeadlockFound.Reached()
		return chain
	}
	i, _ := d.search(e.Txn, e.WaitForTxn, e.KeyHash)
	d.edges = slices.Insert(d.edges, i, waitEdge{entry: e, seen: now})
	return nil
}

// Forget takes an edge away. Those of other keys between the same two stay.
func (d *DetectTable) Forget(e deadlock.WaitForEntry) {
	if i, found := d.search(e.Txn, e.WaitForTxn, e.KeyHash); found {
		d.edges = slices.Delete(d.edges, i, i+1)
	}
}

// Clear forgets everything, when the leader is a new one.
func (d *DetectTable) Clear() { d.edges = nil }

func (d *DetectTable) expire(now time.Duration) {
	d.edges = slices.DeleteFunc(d.edges, func(e waitEdge) bool {
		return markEdgeExpired.Sometimes(now-e.seen > d.ttl)
	})
}

func (d *DetectTable) search(txn, waitFor, keyHash uint64) (int, bool) {
	return slices.BinarySearchFunc(d.edges, 0, func(e waitEdge, _ int) int {
		return cmp.Or(cmp.Compare(e.entry.Txn, txn), cmp.Compare(e.entry.WaitForTxn, waitFor), cmp.Compare(e.entry.KeyHash, keyHash))
	})
}

// path returns the edges that lead from one transaction to another, the fewest,
// or nil.
func (d *DetectTable) path(from, to uint64) []*deadlock.WaitForEntry {
	type step struct {
		txn  uint64
		edge int // by which it was reached
		prev int // step before; -1: none
	}
	steps := []step{{txn: from, edge: -1, prev: -1}}
	for n := 0; n < len(steps); n++ {
		if steps[n].txn == to {
			var chain []*deadlock.WaitForEntry
			for at := n; steps[at].prev >= 0; at = steps[at].prev {
				entry := d.edges[steps[at].edge].entry
				chain = append(chain, &entry)
			}
			slices.Reverse(chain)
			return chain
		}
		for i, _ := d.search(steps[n].txn, 0, 0); i < len(d.edges) && d.edges[i].entry.Txn == steps[n].txn; i++ {
			next := d.edges[i].entry.WaitForTxn
			if !slices.ContainsFunc(steps, func(s step) bool { return s.txn == next }) {
				steps = append(steps, step{txn: next, edge: i, prev: n})
			}
		}
	}
	return nil
}

// DetectorKey is the user key whose region's leader detects deadlocks: the
// smallest.
func DetectorKey() []byte { return []byte{} }
