package table

import (
	"errors"
	"testing"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table/kv"
	"simrun/nodes/table/memory"
)

// leaseFixture is a database with a table in version 1 of its schema, and a job
// that is to change it.
func leaseFixture(t *testing.T, lease time.Duration) (*fixture, *memory.Store) {
	store := memory.New()
	f := &fixture{t, New(store, Config{Lease: lease})}
	f.must(f.db.CreateTable(memory.Idle{}, stormDefinition()))
	f.must(discard(f.db.AddIndex(memory.Idle{}, "t", IndexDefinition{Name: "a", Columns: []string{"a"}}, 0)))
	return f, store
}

// pass draws timestamps, each of which is a second after the one before.
func pass(store *memory.Store, n int) {
	for range n {
		_, _ = store.Begin(memory.Idle{}, kv.Optimistic)
	}
}

// TestLease: a version lasts for as long as transactions that began before it may
// commit without a look. Who has committed it counts from there, who has not from
// when it was first seen, and so does a process that begins anew.
func TestLease(t *testing.T) {
	const lease = 10
	f, store := leaseFixture(t, lease*time.Second)
	pass(store, lease)
	f.step() // delete-only
	early := func(db *DB, left time.Duration) {
		t.Helper()
		worked, err := db.Work(memory.Idle{})
		var e *LeaseError
		if !worked || !errors.Is(err, ErrLease) || !errors.Is(err, client.ErrFailed) || !errors.As(err, &e) || e.Left != left || e.Version != 2 {
			t.Errorf("a version after %v: %v, %v", left, worked, err)
		}
	}
	early(f.db, (lease-1)*time.Second)
	other := New(store, f.db.cfg)
	early(other, lease*time.Second)
	early(f.db, (lease-3)*time.Second)
	pass(store, lease-4)
	f.step() // write-only: ten seconds after delete-only was committed
	if worked, err := other.Work(memory.Idle{}); !worked || !errors.Is(err, ErrLease) {
		t.Errorf("of a version that was just seen: %v, %v", worked, err)
	}
	pass(store, lease-1)
	if worked, err := other.Work(memory.Idle{}); !worked || err != nil { // reorganizing
		t.Errorf("a lease after the version was seen: %v, %v", worked, err)
	}
	f.step() // the backfill makes no version, and waits for none
}

// TestUnasked: up to the end of its lease a transaction may commit without a look
// at the version, and by then no more than one has come; afterwards it looks.
func TestUnasked(t *testing.T) {
	const lease = 10
	for _, c := range []struct {
		name    string
		later   int // versions that come before the commit
		unasked bool
		want    error
	}{
		{"in time", 0, true, nil},
		{"in time, a version behind", 1, true, nil},
		{"too late, two versions behind", 2, true, ErrSchemaChanged},
		{"asked, two versions behind", 2, false, ErrSchemaChanged},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, store := leaseFixture(t, lease*time.Second)
			pass(store, lease)
			tx := f.begin(func(s *Statement, _ *Tx, tb *Table) error {
				_, err := s.Insert(memory.Idle{}, tb, numbers(1, 1))
				return err
			})
			for range c.later {
				for { // once the lease admits it
					_, err := f.db.Work(memory.Idle{})
					if err == nil {
						break
					}
					if !errors.Is(err, ErrLease) {
						t.Fatal(err)
					}
				}
			}
			store.Unasked = c.unasked
			if err := tx.Commit(memory.Idle{}); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("commit: %v, want %v", err, c.want)
			}
		})
	}
}

// TestLeaseEnd: it is counted in the milliseconds of timestamps, and a later start
// never has an earlier end.
func TestLeaseEnd(t *testing.T) {
	db := New(memory.New(), Config{Lease: 1500 * time.Microsecond})
	for _, c := range []struct{ start, end uint64 }{
		{codec.ComposeTS(7, 0), codec.ComposeTS(8, 0)},
		{codec.ComposeTS(7, 1<<codec.LogicalBits-1), codec.ComposeTS(8, 0)},
		{codec.ComposeTS(8, 0), codec.ComposeTS(9, 0)},
	} {
		if end := db.leaseEnd(c.start); end != c.end {
			t.Errorf("the lease from %d ends at %d, want %d", c.start, end, c.end)
		}
	}
	if end := New(memory.New(), Config{}).leaseEnd(0); codec.PhysicalTS(end) != 500 {
		t.Errorf("the default is %d ms", codec.PhysicalTS(end))
	}
}

// sleeper is a task that counts what it has slept, and lets the time of a store
// pass meanwhile.
type sleeper struct {
	memory.Idle
	store *memory.Store
	slept time.Duration
}

var _ env.Task = (*sleeper)(nil)

func (s *sleeper) Sleep(d time.Duration) {
	s.slept += d
	pass(s.store, int(d/time.Second))
}

// TestLeaseIsWaitedFor: whoever asks for a change waits until the version before has
// lasted for a lease, and not beyond the time that there is.
func TestLeaseIsWaitedFor(t *testing.T) {
	store := memory.New()
	f := &fixture{t, New(store, Config{Lease: 10 * time.Second})}
	task := &sleeper{store: store}
	d := stormDefinition()
	f.must(f.db.CreateTable(task, d))
	if task.slept != 0 {
		t.Errorf("the first version was waited for, for %v", task.slept)
	}
	d.Name = "u"
	f.must(f.db.CreateTable(task, d))
	if task.slept < 8*time.Second || task.slept > 10*time.Second {
		t.Errorf("the second one was waited for for %v", task.slept)
	}
	task.slept = 0
	f.must(f.db.AddIndex(task, "t", IndexDefinition{Name: "a", Columns: []string{"a"}}, time.Hour))
	if task.slept < 24*time.Second || task.slept > 41*time.Second { // four versions
		t.Errorf("an index was waited for for %v", task.slept)
	}
	task.slept = 0
	err := f.db.DropIndex(task, "t", "a", 15*time.Second)
	if !errors.Is(err, client.ErrUndetermined) || !errors.Is(err, ErrLease) || task.slept > 16*time.Second {
		t.Errorf("in less time than it takes: %v, after %v", err, task.slept)
	}
}

// rival is a task during whose waiting another client makes a version of its own.
type rival struct {
	sleeper
	db    *DB
	waits int
}

func (r *rival) Sleep(time.Duration) {
	r.waits++
	d := stormDefinition()
	d.Name = string(rune('a' + r.waits))
	_ = r.db.CreateTable(&r.sleeper, d)
}

// TestLeaseOfOthers: who finds another version whenever the lease of the one before
// is over gives up in the end, and has changed nothing.
func TestLeaseOfOthers(t *testing.T) {
	f, store := leaseFixture(t, 10*time.Second)
	other := New(store, f.db.cfg)
	r := &rival{sleeper: sleeper{store: store}, db: other}
	d := stormDefinition()
	d.Name = "late"
	if err := f.db.CreateTable(r, d); !errors.Is(err, ErrLease) || !errors.Is(err, client.ErrFailed) || r.waits != leaseAttempts-1 {
		t.Errorf("after %d waits: %v", r.waits, err)
	}
	f.begin(func(_ *Statement, tx *Tx, _ *Table) error {
		if _, err := tx.Table("late"); !errors.Is(err, ErrSchema) {
			t.Errorf("the table is there: %v", err)
		}
		if _, err := tx.Table(string(rune('a' + leaseAttempts - 1))); err != nil {
			t.Errorf("the last one of the other client is not: %v", err)
		}
		return nil
	})
}
