package table

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table/kv"
	"simrun/nodes/table/memory"
)

// storm is several clients that change rows of a table, each in a transaction
// that lasts over many steps of others, while indexes are added and dropped.
type storm struct {
	store   *memory.Store
	cfg     Config
	clients []*DB
	txns    []*Tx // nil: the client has none
	queued  int
}

const stormClients = 3

func stormDefinition() Definition {
	return Definition{
		Name:    "t",
		Columns: []Column{{Name: "id", Type: BigInt}, {Name: "a", Type: BigInt}, {Name: "b", Type: BigInt}},
		Primary: []string{"id"},
		Indexes: []IndexDefinition{{Name: "b", Columns: []string{"b"}}},
	}
}

// TestSchemaChanges draws an interleaving of transactions and steps of jobs and
// compares rows and indexes after every commit. It covers what the rules of
// schema changes are for: transactions of two versions at once, transactions
// too old to commit, writes beside the backfill, a worker that crashes and
// another that goes on, an index that cannot be unique; transactions that commit
// without a look at the version while the lease admits it, and steps that wait for
// its end.
func TestSchemaChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStorm(t, rt)
		rt.Repeat(map[string]func(*rapid.T){
			"":         func(rt *rapid.T) { s.check(rt) },
			"write":    s.write,
			"write 2":  s.write,
			"write 3":  s.write,
			"commit":   s.commit,
			"commit 2": s.commit,
			"work":     s.work,
			"work 2":   s.work,
			"work 3":   s.work,
			"read":     s.read,
			"collect":  s.collect,
			"crash":    s.crash,
			"enqueue":  s.enqueue,
		})
		s.finish(rt)
	})
}

func newStorm(t *testing.T, rt *rapid.T) *storm {
	s := &storm{store: memory.New(), txns: make([]*Tx, stormClients)}
	// A timestamp is a second after the one before, so that is how many there are.
	s.cfg = Config{BackfillBatch: 2, Lease: time.Duration(rapid.SampledFrom([]int{2, 5, 20, 60}).Draw(rt, "lease")) * time.Second}
	for range stormClients {
		s.clients = append(s.clients, New(s.store, s.cfg))
	}
	must(rt, s.clients[0].CreateTable(memory.Idle{}, stormDefinition()))
	s.fill(rt)
	s.enqueue(rt)
	for range rapid.IntRange(0, 4).Draw(rt, "steps before") {
		s.step(rt, s.clients[0])
	}
	return s
}

// fill inserts a few rows with different values, which a unique index can hold.
func (s *storm) fill(rt *rapid.T) {
	tx, err := s.clients[0].Begin(memory.Idle{})
	must(rt, err)
	tb, err := tx.Table("t")
	must(rt, err)
	must(rt, tx.Do(memory.Idle{}, func(st *Statement) error {
		for i := range rapid.Int64Range(0, 5).Draw(rt, "rows") {
			if _, err := st.Insert(memory.Idle{}, tb, Row{codec.Int(i), codec.Int(i + 1), codec.Int(i)}); err != nil {
				return err
			}
		}
		return nil
	}))
	must(rt, tx.Commit(memory.Idle{}))
}

func must(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil {
		rt.Fatal(err)
	}
}

func (s *storm) client(rt *rapid.T) int { return rapid.IntRange(0, stormClients-1).Draw(rt, "client") }

// write changes a row in a transaction that may be old.
func (s *storm) write(rt *rapid.T) {
	n := s.client(rt)
	if s.txns[n] == nil {
		var err error
		mode := rapid.SampledFrom([]kv.Mode{kv.Optimistic, kv.Pessimistic}).Draw(rt, "mode")
		s.txns[n], err = s.clients[n].BeginIn(memory.Idle{}, mode)
		must(rt, err)
	}
	tx := s.txns[n]
	tb, err := tx.Table("t")
	must(rt, err)
	small := rapid.Int64Range(0, 4)
	id, a, b := small.Draw(rt, "id"), small.Draw(rt, "a"), small.Draw(rt, "b")
	byA := tb.Index("a") != nil && tb.Index("a").State == Public && rapid.Bool().Draw(rt, "by a")
	err = tx.Do(memory.Idle{}, func(st *Statement) error {
		changed := Row{codec.Int(id), codec.Int(a), codec.Int(b)}
		row, found, failed := st.Get(memory.Idle{}, tb, id)
		if byA {
			var r Record
			r, found, failed = st.Lookup(memory.Idle{}, tb, tb.Index("a"), []Datum{codec.Int(a)})
			id, row = r.Handle, r.Row
			changed[0] = codec.Int(id)
		}
		switch {
		case failed != nil:
			return failed
		case !found:
			_, failed = st.Insert(memory.Idle{}, tb, changed)
			return failed
		case a == 0:
			return st.Delete(memory.Idle{}, tb, id, row)
		case b == 0:
			changed[0] = codec.Int(id + 1)
		}
		return st.Update(memory.Idle{}, tb, id, row, changed)
	})
	if err != nil && !errors.Is(err, ErrDuplicate) && !s.given(tx, err) {
		rt.Fatal(err)
	}
}

// given says whether an error is what a statement of a pessimistic transaction may be
// given: the schema has changed too much, or a row is locked by another one.
func (s *storm) given(tx *Tx, err error) bool {
	return tx.Pessimistic() && (errors.Is(err, ErrSchemaChanged) || errors.Is(err, client.ErrDeadline))
}

func (s *storm) commit(rt *rapid.T) {
	n := s.client(rt)
	if s.txns[n] == nil {
		rt.Skip("nothing to commit")
	}
	s.store.Unasked = rapid.Bool().Draw(rt, "unasked")
	err := s.txns[n].Commit(memory.Idle{})
	s.txns[n], s.store.Unasked = nil, false
	if err != nil && !errors.Is(err, client.ErrWriteConflict) && !errors.Is(err, ErrSchemaChanged) {
		rt.Fatal(err)
	}
}

// work takes a step, for which it waits perhaps, and which may fail for a reason
// of the client's own.
func (s *storm) work(rt *rapid.T) {
	fails := rapid.IntRange(0, 4).Draw(rt, "fails") == 0
	if fails {
		s.store.Commit = func() error { return &client.Error{Op: "commit", Err: client.ErrDeadline} }
	}
	db := s.clients[s.client(rt)]
	if !fails && rapid.Bool().Draw(rt, "waits") {
		s.step(rt, db)
	} else if _, err := db.Work(memory.Idle{}); err != nil && !fails && !errors.Is(err, ErrLease) && !errors.Is(err, client.ErrWriteConflict) {
		rt.Fatal(err)
	}
	s.store.Commit = nil
}

// step takes a step, once it may be taken.
func (s *storm) step(rt *rapid.T, db *DB) bool {
	for {
		worked, err := db.Work(memory.Idle{})
		if !errors.Is(err, ErrLease) {
			if !errors.Is(err, client.ErrWriteConflict) { // with a row that is locked
				must(rt, err)
			}
			return worked
		}
	}
}

// crash ends a client and begins another one.
func (s *storm) crash(rt *rapid.T) {
	n := s.client(rt)
	s.lose(n)
	s.clients[n] = New(s.store, s.cfg)
}

// lose ends the transaction of a client; its locks expire.
func (s *storm) lose(n int) {
	if s.txns[n] != nil {
		s.txns[n].Rollback(memory.Idle{})
		s.txns[n] = nil
	}
}

// enqueue asks for a change without working on it.
func (s *storm) enqueue(rt *rapid.T) {
	if s.queued >= 4 {
		rt.Skip("enough")
	}
	s.queued++
	db := s.clients[s.client(rt)]
	var err error
	switch rapid.IntRange(0, 2).Draw(rt, "change") {
	case 0:
		err = db.AddIndex(memory.Idle{}, "t", IndexDefinition{Name: "a", Unique: true, Columns: []string{"a"}}, 0)
	case 1:
		err = db.AddIndex(memory.Idle{}, "t", IndexDefinition{Name: "ab", Columns: []string{"a", "b"}}, 0)
	default:
		err = db.DropIndex(memory.Idle{}, "t", rapid.SampledFrom([]string{"a", "ab", "b"}).Draw(rt, "index"), 0)
	}
	if err != nil && !errors.Is(err, client.ErrUndetermined) && !errors.Is(err, ErrSchema) {
		rt.Fatal(err)
	}
}

func (s *storm) check(rt *rapid.T) *Table {
	tx, err := New(s.store, Config{}).Begin(memory.Idle{})
	must(rt, err)
	tb, err := tx.Table("t")
	must(rt, err)
	must(rt, tx.Check(memory.Idle{}, tb))
	return tb
}

// read compares rows and indexes as a transaction under way sees them, which may
// have begun before an index was dropped.
func (s *storm) read(rt *rapid.T) {
	n := s.client(rt)
	if s.txns[n] == nil {
		rt.Skip("nobody reads")
	}
	tx := s.txns[n]
	tb, err := tx.Table("t")
	must(rt, err)
	if err = tx.Check(memory.Idle{}, tb); !s.given(tx, err) {
		must(rt, err)
	}
	all, err := tx.Scan(memory.Idle{}, tb, Scan{})
	must(rt, err)
	for i := range tb.Indexes {
		if x := &tb.Indexes[i]; x.State == Public {
			s.compare(rt, tx, tb, x, all)
		}
	}
}

// compare reads all rows by an index, which has to show those of a plain scan, also if
// the transaction has changed some which others had changed after its start.
func (s *storm) compare(rt *rapid.T, tx *Tx, tb *Table, x *Index, all []Record) {
	records, err := tx.Scan(memory.Idle{}, tb, Scan{Index: x})
	must(rt, err)
	if !slices.IsSortedFunc(records, func(a, b Record) int { return slices.CompareFunc(x.values(a.Row), x.values(b.Row), Datum.Compare) }) {
		rt.Fatalf("index %s is out of order: %v", x.Name, records)
	}
	for _, r := range all {
		if !slices.ContainsFunc(records, func(o Record) bool { return sameRecord(r, o) }) {
			rt.Fatalf("index %s lacks %v: %v", x.Name, r, records)
		}
		if values := x.values(r.Row); x.Unique && !slices.ContainsFunc(values, Datum.IsNull) {
			got, found, err := tx.Lookup(memory.Idle{}, tb, x, values)
			must(rt, err)
			if !found || !slices.Equal(x.values(got.Row), values) {
				rt.Fatalf("%v looked up in index %s: %v, %v", values, x.Name, got, found)
			}
		}
	}
	if len(records) != len(all) {
		rt.Fatalf("index %s has %v, the table %v", x.Name, records, all)
	}
}

// collect removes what was dropped up to a safe point. What began below it is lost,
// as stores refuse it.
func (s *storm) collect(rt *rapid.T) {
	now, err := s.store.Begin(memory.Idle{}, kv.Optimistic)
	must(rt, err)
	step := tsOf(s.store) - now.StartTS() // from one timestamp to the next
	safePoint := now.StartTS() - min(now.StartTS(), step*rapid.Uint64Range(0, 12).Draw(rt, "lifetime"))
	for n, tx := range s.txns {
		if tx != nil && tx.StartTS() < safePoint {
			s.lose(n)
		}
	}
	must(rt, collect(s.store, safePoint))
}

// finish ends all jobs and collects what they have dropped: then there is no entry
// of an index that is not there.
func (s *storm) finish(rt *rapid.T) {
	for n := range s.txns {
		s.lose(n)
	}
	for range 1000 {
		if !s.step(rt, s.clients[0]) {
			break
		}
	}
	tb := s.check(rt)
	tx, err := s.clients[0].Begin(memory.Idle{})
	must(rt, err)
	must(rt, collect(s.store, tx.StartTS()))
	jobs, err := tx.jobs(memory.Idle{})
	if err != nil || len(jobs) > 0 {
		rt.Fatalf("%d jobs have not ended, %v", len(jobs), err)
	}
	prefix := codec.AppendTablePrefix(nil, tb.ID)
	pairs, err := tx.kv.Scan(memory.Idle{}, prefix, codec.PrefixEnd(prefix), 0)
	must(rt, err)
	for _, p := range pairs {
		if _, index, _, err := codec.DecodeIndexKey(p.Key); err == nil && tb.index(index) == nil {
			rt.Fatalf("an entry of index %d is left: %x", index, p.Key)
		}
	}
	for _, x := range tb.Indexes {
		if x.State != Public {
			rt.Fatalf("index %s is %s for ever", x.Name, x.State)
		}
	}
}

// TestDefinitions: what is wrong with a table or an index is told.
func TestDefinitions(t *testing.T) {
	id := Column{Name: "id", Type: BigInt}
	for i, d := range []Definition{
		{Columns: []Column{id}},
		{Name: "t"},
		{Name: "t", Columns: []Column{id, {Name: "ID", Type: Int}}},
		{Name: "t", Columns: []Column{{Name: "x", Type: "json"}}},
		{Name: "t", Columns: []Column{{Name: "x", Type: VarChar}}},
		{Name: "t", Columns: []Column{{Name: "x", Type: Double, Unsigned: true}}},
		{Name: "t", Columns: []Column{id}, Primary: []string{"x"}},
		{Name: "t", Columns: []Column{id}, Primary: []string{"id", "id"}},
		{Name: "t", Columns: []Column{id}, Indexes: []IndexDefinition{{Name: "x"}}},
		{Name: "t", Columns: []Column{id}, Indexes: []IndexDefinition{{Name: "x", Columns: []string{"y"}}}},
		{Name: "t", Columns: []Column{id}, Indexes: []IndexDefinition{{Name: "x", Columns: []string{"id"}}, {Name: "X", Columns: []string{"id"}}}},
	} {
		if err := New(memory.New(), Config{}).CreateTable(memory.Idle{}, d); !errors.Is(err, ErrSchema) || !errors.Is(err, client.ErrFailed) {
			t.Errorf("%d: error %v", i, err)
		}
	}
	db := New(memory.New(), Config{})
	d := Definition{Name: "t", Columns: []Column{id}}
	if err := errors.Join(db.CreateTable(memory.Idle{}, d)); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateTable(memory.Idle{}, d); !errors.Is(err, ErrSchema) {
		t.Errorf("a second table of that name: %v", err)
	}
}

// jobs returns the jobs in the queue, the oldest first.
func (tx *Tx) jobs(t env.Task) ([]*Job, error) {
	pairs, err := scanMap(t, tx.kv, jobsMap)
	if err != nil {
		return nil, err
	}
	var jobs []*Job
	for _, p := range pairs {
		j, err := decodeJob(p.Value)
		if err != nil {
			return nil, failure("jobs", err)
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}
