package isolation_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// modelLocks is what a model has whose transactions lock keys, read what is committed,
// and commit at timestamps that the store chooses. A lock is had or not, nobody waits;
// it may be lost, as if its TTL were over.
type modelLocks struct {
	held map[string]*running
	// newest is by key the newest commit of who wrote or locked it, seen the highest
	// timestamp at which it was read.
	newest, seen map[string]uint64
}

// lockingModel returns a model with locks.
func lockingModel(src source, keys, lists int) *model {
	return &model{src: src, versions: map[string][]modelVersion{}, keys: keys, lists: lists, locks: &modelLocks{
		held: map[string]*running{}, newest: map[string]uint64{}, seen: map[string]uint64{},
	}}
}

// draw decides which kind of transaction one is.
func (l *modelLocks) draw(src source, r *running) {
	if l == nil {
		return
	}
	r.locked, r.forUpdate = map[string]bool{}, r.op.Txn.StartTS
	n := src.intN(3)
	r.op.Txn.Pessimistic, r.op.Txn.ReadCommitted = n > 0, n > 1
}

// saw notes that a key was read at a timestamp.
func (l *modelLocks) saw(k string, ts uint64) {
	if l != nil {
		l.seen[k] = max(l.seen[k], ts)
	}
}

// lockingStep does what only a model with locks does with a key, and says whether there
// was such a thing to be done.
func (m *model) lockingStep(r *running, k string, list bool, n int) bool {
	switch t := r.op.Txn; {
	case m.locks == nil:
		return false
	case !t.Pessimistic && n == 9: // it looks at the commit
		r.locked[k] = true
		t.Ops = append(t.Ops, history.TxnOp{Kind: history.TxnLock, Key: k})
		return true
	case !t.Pessimistic:
		return false
	case m.src.intN(20) == 0:
		m.locks.lose(r)
		return true
	case list && r.writes[k].present:
		return true // it knows what it wrote
	case n >= 7:
		m.lock(r, k, m.key(false))
		return true
	case n >= 5 && list:
		if m.lock(r, k) {
			m.append(r, k, r.forUpdate)
		}
		return true
	case n < 4 && t.ReadCommitted:
		op := history.TxnOp{Kind: history.TxnRead, Key: k}
		if _, own := r.writes[k]; !own {
			op.TS = m.statement(r)
		}
		op.Value = ptr(m.read(r, k, op.TS))
		t.Ops = append(t.Ops, op)
		return true
	case n < 5 && t.ReadCommitted:
		ts := m.statement(r)
		m.scan(r, ts, ts)
		return true
	}
	return false
}

// statement draws a timestamp for a statement.
func (m *model) statement(r *running) uint64 {
	invoke := int64(m.tick())
	ts := m.tick()
	r.op.Txn.Statements = append(r.op.Txn.Statements, history.Statement{TS: ts, Invoke: invoke})
	return ts
}

// lock locks and reads keys, if nobody else has one of them.
func (m *model) lock(r *running, keys ...string) bool {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	for _, k := range keys {
		if h := m.locks.held[k]; h != nil && h != r {
			return false
		}
	}
	r.forUpdate = m.statement(r)
	r.statements++
	for _, k := range keys {
		if !r.locked[k] {
			r.locked[k], m.locks.held[k] = true, r
		}
		v := m.read(r, k, r.forUpdate)
		r.op.Txn.Ops = append(r.op.Txn.Ops, history.TxnOp{Kind: history.TxnLock, Key: k, TS: r.forUpdate},
			history.TxnOp{Kind: history.TxnRead, Key: k, TS: r.forUpdate, Value: ptr(v)})
	}
	return true
}

// lose takes a lock from a transaction, which does not hear of it.
func (l *modelLocks) lose(r *running) {
	for _, k := range slices.Sorted(maps.Keys(r.locked)) {
		if l.held[k] == r {
			delete(l.held, k)
			return
		}
	}
}

// changes says whether the transaction leaves records: if it wrote, and for its locks if
// it is optimistic or had them from several statements.
func (r *running) changes() bool {
	return len(r.writes) > 0 || len(r.locked) > 0 && (!r.op.Txn.Pessimistic || r.statements > 1)
}

// dropLocks takes locks that left no record out of the history.
func (r *running) dropLocks() {
	r.op.Txn.Ops = slices.DeleteFunc(r.op.Txn.Ops, func(o history.TxnOp) bool { return o.Kind == history.TxnLock })
}

// touched returns the keys that a transaction wrote or locked.
func (r *running) touched() map[string]bool {
	all := map[string]bool{}
	for k := range r.writes {
		all[k] = true
	}
	for k := range r.locked {
		all[k] = true
	}
	return all
}

// conflict says whether somebody else was first: since the start of an optimistic
// transaction, since the last lock of a pessimistic one if it has not locked the key. A
// key whose lock is lost must not have been touched since the start.
func (l *modelLocks) conflict(r *running) bool {
	for k := range r.touched() {
		var since uint64
		switch h := l.held[k]; {
		case h != nil && h != r:
			return true
		case h == r:
			continue
		case !r.op.Txn.Pessimistic || r.locked[k]:
			since = r.op.Txn.StartTS
		default:
			since = r.forUpdate
		}
		if l.newest[k] > since {
			return true
		}
	}
	return false
}

// choose returns a commit timestamp that was not drawn: above everything at which the
// keys were read, and the least of these, so that others may have the same.
func (l *modelLocks) choose(src source, r *running) (c uint64, chosen bool) {
	if l == nil || src.intN(2) == 0 {
		return 0, false
	}
	c = r.forUpdate
	for k := range r.touched() {
		c = max(c, l.seen[k])
	}
	return c + 1, true
}

// record notes that the keys of a transaction are committed.
func (l *modelLocks) record(r *running, c uint64) {
	if l == nil {
		return
	}
	for k := range r.touched() {
		l.newest[k] = c
	}
}

// release gives up all locks of a transaction.
func (l *modelLocks) release(r *running) {
	if l == nil {
		return
	}
	for k := range r.locked {
		if l.held[k] == r {
			delete(l.held, k)
		}
	}
}

// drawLocking draws a history of a model with locks.
func drawLocking(t *rapid.T, certain bool, lists int) *history.History {
	m := lockingModel(rapidSource{t}, 5, lists)
	m.certain = certain
	h := m.run(rapid.IntRange(2, 50).Draw(t, "txns"), rapid.IntRange(1, 6).Draw(t, "clients"), 8)
	if err := history.Validate(h); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestLockingModelAccepted: what a store answers that locks, whose statements have
// timestamps of their own and which chooses commit timestamps, is accepted.
func TestLockingModelAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawLocking(t, false, 2)
		if got := isolation.Check(h); got.Verdict == verdict.Violation || got.Checked > 0 && (got.Verdict != verdict.OK || got.Reason != "") {
			t.Fatalf("%+v", got)
		}
	})
}

// TestLockingModelMutated is TestModelMutated of the model with locks.
func TestLockingModelMutated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { mutateAnswer(t, drawLocking(t, false, 2)) })
}

// TestLockMoved makes a lock, and the last one of those that stand for a key without
// one, older than the commit of who was there before: then it has seen too little. No
// answer and no instant tells of it.
func TestLockMoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawLocking(t, true, 1)
		b := &brute{h: h}
		for _, w := range b.writers() {
			before := b.before(w)
			if before == nil || !w.op.Txn.Pessimistic || before.commit <= w.op.Txn.StartTS || rapid.IntRange(0, 2).Draw(t, "pass") == 0 {
				continue
			}
			held := false
			for i := range w.op.Txn.Ops {
				o := &w.op.Txn.Ops[i]
				held = held || o.Kind == history.TxnLock && o.Key == w.key
			}
			for i := range w.op.Txn.Ops {
				if o := &w.op.Txn.Ops[i]; o.Kind == history.TxnLock && (o.Key == w.key || !held) && o.TS >= before.commit {
					o.TS = before.commit - 1
				}
			}
			got := isolation.Check(h)
			if !slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool {
				return (f.Anomaly == verdict.GSIa || f.Anomaly == verdict.LostUpdate) && f.Evidence[0] == w.op.ID
			}) {
				t.Fatalf("id %d now cares for %s since before the commit of id %d, and that is accepted: %+v", w.op.ID, w.key, before.op.ID, got)
			}
			return
		}
		t.Skip("nothing to move")
	})
}

// TestStatementMoved gives a statement a timestamp from before the commit of who had
// been told of it: no answer is changed, and yet real time is broken.
func TestStatementMoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawLocking(t, false, 1)
		for i := range h.Ops {
			x := h.Ops[i].Txn
			for j := range x.Statements {
				for _, other := range h.Ops {
					commit := other.Txn.CommitTS
					if commit <= x.StartTS || other.Outcome != history.OK || other.Return >= x.Statements[j].Invoke || rapid.IntRange(0, 2).Draw(t, "pass") == 0 {
						continue
					}
					x.Statements[j].TS = commit - 1
					if got := isolation.Check(h); !slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool {
						return f.Anomaly == verdict.RealTimeOrder && f.Evidence[0] == h.Ops[i].ID
					}) {
						t.Fatalf("a statement of id %d is now below the commit of id %d, and that is accepted: %+v", h.Ops[i].ID, other.ID, got)
					}
					return
				}
			}
		}
		t.Skip("nothing to move")
	})
}
