package mvcc

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
)

// memory is the least of a node that an engine needs: a file system in memory.
// Background work is never granted.
type memory struct{ fs vfs.FS }

func (m memory) FS() vfs.FS                            { return m.fs }
func (m memory) Unsynced(fn func())                    { fn() }
func (m memory) ReadBytes(int64)                       {}
func (m memory) Barrier(fn func())                     { fn() }
func (m memory) Wall() time.Time                       { return time.Unix(0, 0) }
func (m memory) Monotonic() time.Duration              { return 0 }
func (m memory) After(time.Duration, func()) env.Timer { return env.Timer{} }
func (m memory) Go(string, func(env.Task))             { panic("no tasks here") }
func (m memory) Stream(string) env.Rand                { return rand.New(rand.NewPCG(1, 1)) }
func (m memory) Enabled() bool                         { return false }
func (m memory) Logf(string, ...any)                   {}
func (m memory) env() *env.Env {
	return &env.Env{
		Name: "memory", Clock: m, Sched: m, Disk: m, Streams: m, Log: m,
		Exit: func(reason string) { panic(reason) },
	}
}

// store is a database whose records are written directly.
type store struct {
	*engine.DB
	t rapidT
}

// rapidT is what testing.TB and *rapid.T have in common.
type rapidT interface {
	Helper()
	Fatalf(format string, args ...any)
}

func openStore(t testing.TB) *store {
	m := memory{vfs.NewMem()}
	db, err := engine.OpenDB(m.env(), "db", engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return &store{db, t}
}

func (s *store) batch(fill func(b *engine.Batch)) {
	s.t.Helper()
	b := s.NewBatch()
	defer b.Close()
	fill(b)
	if err := s.Write(b); err != nil {
		s.t.Fatalf("write: %v", err)
	}
}

// putVersion writes a record, and the value that belongs to it.
func (s *store) putVersion(key string, commitTS uint64, w Write, long []byte) {
	s.t.Helper()
	s.batch(func(b *engine.Batch) {
		enc := codec.EncodeBytes([]byte(key))
		b.Put(engine.Write, codec.AppendTS(codec.EncodeBytes([]byte(key)), commitTS), w.Marshal())
		if long != nil {
			b.Put(engine.Default, codec.AppendTS(enc, w.StartTS), long)
		}
	})
}

func (s *store) putLock(key string, l Lock) {
	s.t.Helper()
	s.batch(func(b *engine.Batch) { b.Put(engine.Lock, codec.EncodeBytes([]byte(key)), l.Marshal()) })
}

// clear empties the database.
func (s *store) clear() {
	s.t.Helper()
	s.batch(func(b *engine.Batch) {
		for _, cf := range []engine.CF{engine.Default, engine.Lock, engine.Write} {
			b.DeleteRange(cf, []byte{}, []byte{0xff, 0xff})
		}
	})
}
