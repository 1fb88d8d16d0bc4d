package state

import (
	"fmt"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// left reports the lock of a committed transaction that a reader must have
// removed. Locks are resolved by whoever meets them, so a lock that nobody met
// may stay for ever. One that stands in the way of a read may not: a transaction
// takes its commit timestamp when all its locks stand, so a read at or after
// that timestamp finds the lock or the commit record in its place, and has to
// turn the one into the other before it can answer.
//
// Allowed is what a read may pass by:
//   - the lock of a transaction that committed after the reader's timestamp (its
//     min_commit_ts was pushed, perhaps): nothing of it is visible;
//   - locks without data: SELECT FOR UPDATE and pessimistic locks block no read;
//   - the lock of a transaction that was rolled back: a prewrite that was long
//     under way may have set it after the last reader had passed, for only the
//     primary remembers the rollback.
func (m *scan) left(key string, l *lock, commit uint64) {
	if m.opts.Reads == nil || (l.kind != 'P' && l.kind != 'D') {
		return
	}
	reader := readerOf(m.opts.Reads, key, commit)
	if reader == nil {
		return
	}
	m.r.Add(verdict.Finding{
		Anomaly: verdict.LockLeft, Evidence: []int{reader.ID},
		Message: fmt.Sprintf("key %q: the lock of transaction %d, which committed at %d, is left although id %d read the key at %d",
			key, l.start, commit, reader.ID, reader.Txn.StartTS),
	})
}

// readerOf returns a transaction that read key from the stores at or after ts.
// Those that wrote are passed over, for their reads may have been answered from
// what they wrote.
func readerOf(h *history.History, key string, ts uint64) *history.Op {
	key = h.Text(key)
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Kind != history.Txn || op.Txn == nil || op.Outcome != history.OK || op.Txn.StartTS < ts || op.Txn.Writes() {
			continue
		}
		for j := range op.Txn.Ops {
			if covers(&op.Txn.Ops[j], key) {
				return op
			}
		}
	}
	return nil
}

// covers says whether an operation read the key; a scan with a limit may have
// ended before it.
func covers(op *history.TxnOp, key string) bool {
	switch op.Kind {
	case history.TxnRead:
		return op.Key == key
	case history.TxnScan:
		return op.Limit == 0 && op.Key <= key && (op.EndKey == "" || key < op.EndKey)
	case history.TxnWrite, history.TxnAppend, history.TxnDelete, history.TxnLock:
	}
	return false
}
