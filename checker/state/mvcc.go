package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// MVCCName is the checker's name in results.
const MVCCName = "mvcc"

// Options say what may be expected of the rows.
type Options struct {
	// Reads, if not nil, tells what was read before the rows were dumped: the
	// locks of committed transactions that stood in the way must be gone. It also
	// tells which transactions were granted locks before they wrote, and when.
	Reads *history.History
	// Optimistic says that every transaction was optimistic which Reads does not call
	// pessimistic: nobody else may have committed a key between the start of one that
	// wrote it and its commit.
	Optimistic bool
	// At is where garbage was collected: nothing that began below what is settled is
	// undecided, and nothing that is garbage at what was collected is left.
	At SafePoints
}

// MVCC checks the records of transactions in rows that cover the whole key
// space, or whole transactions at least.
func MVCC(rows Rows, opts Options) verdict.Result {
	m := &scan{
		r:    verdict.Result{Checker: MVCCName, Checked: len(rows.Default) + len(rows.Lock) + len(rows.Write)},
		opts: opts,
		txns: map[uint64]*txn{},
		used: map[version]struct{}{},
		long: map[version]struct{}{},
	}
	m.load(rows)
	m.locking(opts.Reads)
	for _, k := range slices.Sorted(maps.Keys(m.keys)) {
		m.oneKey(k, m.keys[k])
	}
	for _, start := range slices.Sorted(maps.Keys(m.txns)) {
		m.oneTxn(start, m.txns[start])
	}
	m.values(rows)
	if m.r.Checked == 0 {
		m.r.Undecided("there are no records")
	}
	return m.r
}

// version names a value in the default family.
type version struct {
	key   string
	start uint64
}

// record is a write record and its commit timestamp.
type record struct {
	write
	commit uint64
}

// keyRecords is all that one user key has.
type keyRecords struct {
	lock   *lock
	writes []record // the newest first
}

// mark is a place where a transaction left a record.
type mark struct {
	key    string
	commit uint64 // 0: rolled back
}

// txn is what the records say of one transaction.
type txn struct {
	marks []mark
	locks []string // keys that it holds locked
}

type scan struct {
	r    verdict.Result
	opts Options
	keys map[string]*keyRecords
	txns map[uint64]*txn
	long map[version]struct{} // values in the default family
	used map[version]struct{} // values that a record refers to
	// pessimistic are the transactions that locked before they wrote, by start timestamp:
	// of each the timestamp above which it has to commit, as the history tells. The records
	// of what is committed do not have it.
	pessimistic map[uint64]uint64
	readers     *readers // made when a lock is left of a committed transaction
}

// locking notes the pessimistic transactions of a history.
func (m *scan) locking(h *history.History) {
	m.pessimistic = map[uint64]uint64{}
	if h == nil {
		return
	}
	for i := range h.Ops {
		if x := h.Ops[i].Txn; x != nil && x.Pessimistic {
			m.pessimistic[x.StartTS] = max(m.pessimistic[x.StartTS], x.HeldUntil())
		}
	}
}

func (m *scan) add(a verdict.Anomaly, format string, args ...any) {
	m.r.Add(verdict.Finding{Anomaly: a, Message: fmt.Sprintf(format, args...)})
}

func (m *scan) load(rows Rows) {
	m.keys = map[string]*keyRecords{}
	at := func(user []byte) *keyRecords {
		k := m.keys[string(user)]
		if k == nil {
			k = &keyRecords{}
			m.keys[string(user)] = k
		}
		return k
	}
	for _, row := range rows.Lock {
		user, rest, err := decodeKey(row.Key)
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("%d bytes follow the key of a lock", len(rest))
		}
		l, err2 := decodeLock(row.Value)
		if err = cmp.Or(err, err2); err != nil {
			m.add(verdict.RecordCorrupt, "lock %x = %x: %v", row.Key, row.Value, err)
			continue
		}
		at(user).lock = &l
	}
	for _, row := range rows.Write {
		user, ts, err := decodeVersion(row.Key)
		w, err2 := decodeWrite(row.Value)
		if err = cmp.Or(err, err2); err != nil {
			m.add(verdict.RecordCorrupt, "write %x = %x: %v", row.Key, row.Value, err)
			continue
		}
		k := at(user)
		k.writes = append(k.writes, record{write: w, commit: ts})
	}
	for _, row := range rows.Default {
		user, ts, err := decodeVersion(row.Key)
		if err != nil {
			m.add(verdict.RecordCorrupt, "default %x: %v", row.Key, err)
			continue
		}
		m.long[version{string(user), ts}] = struct{}{}
	}
}

func (m *scan) txn(start uint64) *txn {
	t := m.txns[start]
	if t == nil {
		t = &txn{}
		m.txns[start] = t
	}
	return t
}

// oneKey checks the records of one key and notes them with their transactions.
func (m *scan) oneKey(key string, k *keyRecords) {
	slices.SortStableFunc(k.writes, func(a, b record) int { return cmp.Compare(b.commit, a.commit) })
	m.garbage(key, k.writes)
	status := map[uint64]string{} // by start timestamp
	settle := func(start uint64, s string) {
		if before, ok := status[start]; ok {
			m.add(verdict.RecordConflict, "key %q: transaction %d is %s and %s", key, start, before, s)
		}
		status[start] = s
	}
	for i, w := range k.writes {
		if w.overlapped {
			settle(w.commit, "rolled back")
			m.txn(w.commit).marks = append(m.txn(w.commit).marks, mark{key: key})
		}
		if w.kind == 'R' {
			m.rollback(key, w, settle)
			continue
		}
		settle(w.start, fmt.Sprintf("committed at %d", w.commit))
		m.commit(key, w)
		if _, locks := m.pessimistic[w.start]; m.opts.Optimistic && !locks {
			m.overlap(key, w, k.writes[i+1:])
		}
	}
	if k.lock != nil {
		m.lock(key, k.lock, status)
	}
}

func (m *scan) rollback(key string, w record, settle func(uint64, string)) {
	if w.start != w.commit {
		m.add(verdict.RecordConflict, "key %q: the rollback of %d stands at %d", key, w.start, w.commit)
	}
	settle(w.start, "rolled back")
	m.txn(w.start).marks = append(m.txn(w.start).marks, mark{key: key})
}

func (m *scan) commit(key string, w record) {
	switch granted := m.pessimistic[w.start]; {
	case w.commit <= w.start:
		m.add(verdict.RecordConflict, "key %q: transaction %d is committed at %d", key, w.start, w.commit)
	case w.commit <= granted:
		m.add(verdict.RecordConflict, "key %q: transaction %d is committed at %d, and was granted a lock at %d", key, w.start, w.commit, granted)
	}
	m.txn(w.start).marks = append(m.txn(w.start).marks, mark{key: key, commit: w.commit})
	if w.kind == 'P' && w.short == nil {
		m.use(key, w.start, "the commit at "+fmt.Sprint(w.commit))
	}
}

// overlap checks first committer wins against the next older commit.
func (m *scan) overlap(key string, w record, older []record) {
	for _, o := range older {
		if o.kind == 'R' {
			continue
		}
		if o.commit > w.start {
			m.add(verdict.RecordConflict, "key %q: transaction %d, committed at %d, did not see the commit of %d at %d in between",
				key, w.start, w.commit, o.start, o.commit)
		}
		return
	}
}

// use notes that a record needs a value in the default family.
func (m *scan) use(key string, start uint64, who string) {
	v := version{key, start}
	m.used[v] = struct{}{}
	if _, ok := m.long[v]; !ok {
		m.add(verdict.ValueMissing, "key %q: %s of transaction %d has no value", key, who, start)
	}
}

func (m *scan) lock(key string, l *lock, status map[uint64]string) {
	if s, ok := status[l.start]; ok {
		m.add(verdict.RecordConflict, "key %q: transaction %d is %s and still holds its lock", key, l.start, s)
	}
	if l.start < m.opts.At.Settled {
		m.add(verdict.LockLeft, "key %q: the lock of transaction %d is left below the safe point %d", key, l.start, m.opts.At.Settled)
	}
	if l.kind == 'P' && l.short == nil {
		m.use(key, l.start, "the lock")
	}
	m.txn(l.start).locks = append(m.txn(l.start).locks, key)
}

// oneTxn checks that the keys of a transaction agree on its fate.
func (m *scan) oneTxn(start uint64, t *txn) {
	var committed, rolledBack *mark
	for i := range t.marks {
		at := &t.marks[i]
		switch {
		case at.commit == 0:
			rolledBack = at
		case committed == nil:
			committed = at
		case committed.commit != at.commit && committed.key != at.key:
			m.add(verdict.RecordConflict, "transaction %d is committed at %d on %q and at %d on %q",
				start, committed.commit, committed.key, at.commit, at.key)
		}
	}
	if committed != nil && rolledBack != nil && committed.key != rolledBack.key {
		m.add(verdict.RecordConflict, "transaction %d is committed at %d on %q and rolled back on %q",
			start, committed.commit, committed.key, rolledBack.key)
	}
	m.locksOf(start, t, committed)
}

// locksOf checks the locks that a transaction still holds. That it was rolled back on
// another key forbids none. A prewrite of a secondary that was long under way may set
// its lock after the rollback, for only the primary remembers that; and the primary may
// be locked still when a secondary is rolled back: by a client that gives up and cannot
// reach it, and by whoever recovers an asynchronous commit, for whom it comes last. A
// lock and a rollback of one key contradict each other, which lock finds.
func (m *scan) locksOf(start uint64, t *txn, committed *mark) {
	for i, key := range t.locks {
		l := m.keys[key].lock
		if l.kind == 'S' {
			// A pessimistic lock may be late: taken by a statement that failed and named
			// another primary, or after the transaction has ended without this key. It
			// means nothing, and whoever meets it takes it away.
			continue
		}
		if first := m.keys[t.locks[0]].lock; i > 0 && first.kind != 'S' && string(l.primary) != string(first.primary) {
			m.add(verdict.RecordConflict, "transaction %d has primary %q on %q and %q on %q", start, first.primary, t.locks[0], l.primary, key)
		}
		if committed != nil && committed.key != key {
			if string(l.primary) == key && !l.async {
				m.add(verdict.RecordConflict, "transaction %d is committed at %d on %q while its primary %q is locked", start, committed.commit, committed.key, key)
			}
			if committed.commit < l.minCommit {
				m.add(verdict.RecordConflict, "transaction %d is committed at %d, and its lock on %q says not before %d", start, committed.commit, key, l.minCommit)
			}
			if committed.commit <= l.forUpdate {
				m.add(verdict.RecordConflict, "transaction %d is committed at %d, and its lock on %q is of %d", start, committed.commit, key, l.forUpdate)
			}
		}
		if committed != nil {
			m.left(key, l, committed.commit)
		}
		if l.async && string(l.primary) == key {
			m.listed(start, t, l)
		}
	}
}

// listed checks that the primary's lock of an async-commit transaction names all
// its keys: whoever recovers the transaction asks those and no others.
func (m *scan) listed(start uint64, t *txn, primary *lock) {
	named := func(key string) bool {
		return key == string(primary.primary) ||
			slices.ContainsFunc(primary.secondaries, func(s []byte) bool { return string(s) == key })
	}
	for _, key := range t.locks {
		if m.keys[key].lock.kind != 'S' && !named(key) {
			m.add(verdict.RecordConflict, "transaction %d commits asynchronously, and its primary %q does not list %q, which it has locked",
				start, primary.primary, key)
		}
	}
	for _, at := range t.marks {
		if at.commit != 0 && !named(at.key) {
			m.add(verdict.RecordConflict, "transaction %d commits asynchronously, and its primary %q does not list %q, which it has written",
				start, primary.primary, at.key)
		}
	}
}

// values looks for long values that no record refers to.
func (m *scan) values(rows Rows) {
	for _, row := range rows.Default {
		user, start, err := decodeVersion(row.Key)
		if err != nil {
			continue
		}
		if _, ok := m.used[version{string(user), start}]; !ok {
			m.add(verdict.ValueOrphan, "key %q: the long value of transaction %d has neither lock nor commit", user, start)
		}
	}
}
