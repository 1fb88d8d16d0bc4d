package state

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// AcknowledgedName is the checker's name in results.
const AcknowledgedName = "acknowledged"

// Acknowledged compares what clients were told with what is stored: a committed
// transaction has its commit record, with its commit timestamp and value, on
// every key it wrote, or is still locked there, and whoever meets that lock finds the
// transaction committed; a failed one has no record, and no lock that would be found
// committed; one of unknown outcome has all or none. It holds for rows of the whole
// key space. What garbage collection up to the safe point (0: there was none) has to
// remove may be gone, that of tables and indexes which were dropped by then included,
// and nothing else.
func Acknowledged(h *history.History, rows Rows, safePoint uint64) verdict.Result {
	m := newScan(rows)
	a := &acknowledged{
		r:      verdict.Result{Checker: AcknowledgedName},
		header: &h.Header,
		chaff:  chaff{safePoint: safePoint},
		scan:   m,
		values: valuesOf(rows),
	}
	a.records = m.commits()
	if h.Tables {
		a.chaff.dropped, _ = drops(h, m.newest(a.values)) // what is wrong with others, Index tells
	}
	a.chaff.note(h)
	a.chaff.keep(m.keys)
	for i := range h.Ops {
		if op := &h.Ops[i]; wrote(op) {
			a.r.Checked++
			a.check(op)
		}
	}
	if a.r.Checked == 0 {
		a.r.Undecided("no transaction with a timestamp wrote anything")
	}
	return a.r
}

// wrote reports whether an operation is a transaction that wrote something, or
// would have.
func wrote(op *history.Op) bool {
	return op.Kind == history.Txn && op.Txn != nil && op.Txn.StartTS != 0 && op.Txn.Writes()
}

type acknowledged struct {
	chaff  chaff
	r      verdict.Result
	header *history.Header
	scan   *scan
	values map[version][]byte
	// records are the commit records, by key and start timestamp.
	records map[version]*record
}

// stored is what is found of one transaction on one key.
type stored struct {
	record *record // its commit record
	lock   *lock
}

func (a *acknowledged) find(key string, start uint64) (s stored) {
	if k := a.scan.keys[key]; k != nil && k.lock != nil && k.lock.start == start {
		s.lock = k.lock
	}
	s.record = a.records[version{key, start}]
	return s
}

// commits finds the commit records. Of two that one transaction has on a key, which MVCC
// reports, the newer one counts.
func (m *scan) commits() map[version]*record {
	records := map[version]*record{}
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		writes := m.keys[key].writes
		for i := range writes {
			w := &writes[i]
			if before := records[version{key, w.start}]; w.kind != 'R' && (before == nil || before.commit < w.commit) {
				records[version{key, w.start}] = w
			}
		}
	}
	return records
}

// want is what a transaction that commits stores on one key.
type want struct {
	key      string
	kind     byte
	value    string
	appended bool // value is only the end
}

func wants(h *history.Header, t *history.TxnRecord) []want {
	var out []want
	at := map[string]int{}
	for i := range t.Ops {
		op := &t.Ops[i]
		w := want{key: h.Bytes(op.Key)}
		switch op.Kind {
		case history.TxnWrite:
			w.kind, w.value = 'P', h.Bytes(*op.Value)
		case history.TxnAppend:
			w.kind, w.value, w.appended = 'P', h.Bytes(*op.Value), true
		case history.TxnDelete:
			w.kind = 'D'
		case history.TxnLock:
			w.kind = 'L'
		case history.TxnRead, history.TxnScan:
			continue
		}
		if j, ok := at[w.key]; !ok {
			at[w.key] = len(out)
			out = append(out, w)
		} else if w.kind != 'L' {
			out[j] = w
		}
	}
	return out
}

// check compares the outcome of a transaction with what its keys have. What a lock is
// worth, all of the locks tell: who recovers the transaction (scan.committed) may find
// that the primary is to commit asynchronously, and one of its secondaries has fallen
// back to two phases; then nothing but the primary's record commits it.
func (a *acknowledged) check(op *history.Op) {
	t := op.Txn
	found, missing := "", ""    // with a record, without a record and a lock
	standing, pending := "", "" // with a lock that is as good as a record, and with one that is not
	all := wants(a.header, t)
	commitTS := a.committedAt(all, t)
	for _, w := range all {
		s := a.find(w.key, t.StartTS)
		switch {
		case s.record == nil && s.lock == nil && a.chaff.collected(&w, commitTS):
		case s.record != nil:
			found = w.key
			a.compare(op, &w, s.record)
		case s.lock == nil || s.lock.kind == 'S':
			missing = w.key
		case a.scan.committed(s.lock):
			standing = w.key
		default:
			pending = w.key
		}
	}
	switch {
	case op.Outcome == history.OK && missing != "":
		a.add(verdict.LostCommit, op, fmt.Sprintf("it was acknowledged, and has no record on %q", missing))
	case op.Outcome == history.OK && pending != "":
		a.add(verdict.LostCommit, op, fmt.Sprintf("it was acknowledged, holds a lock on %q, and neither its primary's record nor all its locks commit it", pending))
	case op.Outcome == history.Failed && found != "":
		a.add(verdict.UndeadAbort, op, fmt.Sprintf("it failed, and is committed on %q", found))
	case op.Outcome == history.Failed && standing != "":
		a.add(verdict.UndeadAbort, op, fmt.Sprintf("it failed, and who meets its lock on %q finds it committed", standing))
	case op.Outcome == history.Unknown && found+standing != "" && missing+pending != "":
		a.add(verdict.RecordConflict, op, fmt.Sprintf("it is committed on %q and not on %q", cmp.Or(found, standing), cmp.Or(missing, pending)))
	}
}

// committedAt returns the commit timestamp of a transaction, 0 if nothing tells it. A
// client that does not know the outcome may not know the timestamp either, if the
// stores were to choose it; then a record says which it is.
func (a *acknowledged) committedAt(all []want, t *history.TxnRecord) uint64 {
	if t.CommitTS != 0 {
		return t.CommitTS
	}
	for _, w := range all {
		if s := a.find(w.key, t.StartTS); s.record != nil {
			return s.record.commit
		}
	}
	return 0
}

// compare checks one commit record against what the client knows.
func (a *acknowledged) compare(op *history.Op, w *want, r *record) {
	t := op.Txn
	if op.Outcome == history.Failed {
		return
	}
	if t.CommitTS != 0 && r.commit != t.CommitTS {
		a.add(verdict.RecordConflict, op, fmt.Sprintf("it committed at %d, and %q says %d", t.CommitTS, w.key, r.commit))
		return
	}
	if w.kind != r.kind {
		a.add(verdict.RecordConflict, op, fmt.Sprintf("%q has a record of type %q, not %q", w.key, r.kind, w.kind))
		return
	}
	if w.kind != 'P' {
		return
	}
	value := r.short
	if value == nil {
		value = a.values[version{w.key, t.StartTS}]
	}
	if string(value) != w.value && (!w.appended || !bytes.HasSuffix(value, []byte(w.value))) {
		a.add(verdict.ValueMissing, op, fmt.Sprintf("%q holds %.40q, not %.40q", w.key, value, w.value))
	}
}

func (a *acknowledged) add(n verdict.Anomaly, op *history.Op, message string) {
	a.r.Add(verdict.Finding{
		Anomaly: n, Evidence: []int{op.ID},
		Message: fmt.Sprintf("id %d (start_ts %d): %s", op.ID, op.Txn.StartTS, message),
	})
}
