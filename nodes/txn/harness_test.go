package txn

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pingcap/kvproto/pkg/deadlock"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/sim"
)

// memory is the least of a node that an engine and a scheduler need: a file
// system in memory, and the timers of the loop.
type memory struct {
	fs     vfs.FS
	kernel *sim.Kernel
}

func (m memory) FS() vfs.FS             { return m.fs }
func (m memory) Unsynced(fn func())     { fn() }
func (m memory) ReadBytes(int64)        {}
func (m memory) Barrier(fn func())      { fn() }
func (m memory) Stream(string) env.Rand { return rand.New(rand.NewPCG(1, 1)) }
func (m memory) Enabled() bool          { return false }
func (m memory) Logf(string, ...any)    {}

func (m memory) Wall() time.Time          { return time.Unix(0, m.kernel.Now()) }
func (m memory) Monotonic() time.Duration { return time.Duration(m.kernel.Now()) }

func (m memory) Go(name string, fn func(env.Task)) { m.kernel.Go(name, fn) }
func (m memory) After(d time.Duration, fn func()) env.Timer {
	m.kernel.Post(m.kernel.Now()+int64(d), callback(fn))
	return env.Timer{}
}

// callback is an event that calls a function.
type callback func()

func (c callback) Fire() { c() }

func (m memory) env() *env.Env {
	return &env.Env{
		Name: "memory", Clock: m, Sched: m, Disk: m, Streams: m, Log: m,
		Exit: func(reason string) { panic(reason) },
	}
}

var errFateUnknown = errors.New("a snapshot has replaced the log")

// region is a RegionStore of one region and one replica, with delays and with
// the failures of a replicated one on request.
type region struct {
	db   *engine.DB
	meta *metapb.Region
	term uint64

	// delay is how long replication and the confirmation of a read take.
	delay func() time.Duration
	// deposed raises the term while the next request waits.
	deposed bool
	// unknown applies the next proposal without telling.
	unknown bool
	// slow makes the next proposal take ten times as long.
	slow bool

	// timestamp is the placement driver.
	timestamp func(env.Task) (uint64, error)
	// guard is what the leader looks at before a follower reads.
	guard func([]byte) []byte

	proposed, confirmed int
	openSnapshots       int
}

// detector is a Detector next door.
type detector struct {
	kernel  *sim.Kernel
	table   *DetectTable
	failing bool
}

func (d *detector) now() time.Duration { return time.Duration(d.kernel.Now()) }

func (d *detector) Detect(t env.Task, edge deadlock.WaitForEntry) (*deadlock.DeadlockResponse, error) {
	t.Sleep(time.Millisecond)
	if d.failing {
		return nil, errFateUnknown
	}
	resp := &deadlock.DeadlockResponse{Entry: edge}
	if chain := d.table.Detect(d.now(), edge); len(chain) > 0 {
		last := chain[len(chain)-1]
		resp.WaitChain, resp.DeadlockKey, resp.DeadlockKeyHash = chain, last.Key, last.KeyHash
	}
	return resp, nil
}

func (d *detector) Forget(t env.Task, edge deadlock.WaitForEntry) {
	t.Sleep(time.Millisecond)
	if !d.failing {
		d.table.Forget(edge)
	}
}

// cluster is a scheduler on such a region, and the loop that runs its tasks.
type cluster struct {
	*region
	kernel   *sim.Kernel
	sched    *Scheduler
	detector *detector
}

func newCluster(t testing.TB, seed uint64, order sim.Order) *cluster {
	kernel := sim.NewKernel(seed, order)
	e := memory{vfs.NewMem(), kernel}.env()
	db, err := engine.OpenDB(e, "db", engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	r := &region{db: db, meta: &metapb.Region{Id: 1}, term: 6, delay: func() time.Duration { return time.Millisecond }}
	r.timestamp = func(t env.Task) (uint64, error) {
		t.Sleep(time.Millisecond)
		return 1, nil
	}
	d := &detector{kernel: kernel, table: NewDetectTable(time.Second)}
	sched := NewScheduler(e, r, Config{
		Detector: d, PendingTasksMax: 100,
		Timestamp: func(t env.Task) (uint64, error) { return r.timestamp(t) },
	})
	sched.SetSafePoints(SafePoints{})
	r.guard = sched.GuardRead
	return &cluster{r, kernel, sched, d}
}

// do runs fn as a task until it is done.
func (c *cluster) do(t testing.TB, fn func(env.Task)) {
	t.Helper()
	done := false
	c.kernel.Go("test", func(task env.Task) { fn(task); done = true })
	c.run(t)
	if !done {
		t.Fatal("the command waits for ever")
	}
}

// run runs the loop until nothing is left to do.
func (c *cluster) run(t testing.TB) {
	t.Helper()
	if err := c.kernel.Run(c.kernel.Now() + int64(time.Hour)); err != nil {
		var f *sim.Failure
		if errors.As(err, &f) {
			t.Fatalf("%v\n%s", err, f.Stack)
		}
		t.Fatal(err)
	}
	if c.openSnapshots != 0 {
		t.Fatalf("%d snapshots left open", c.openSnapshots)
	}
}

type snapshot struct {
	*engine.Snapshot
	store *region
	meta  *metapb.Region
	term  uint64
}

func (s *snapshot) Region() *metapb.Region { return s.meta }
func (s *snapshot) Term() uint64           { return s.term }
func (s *snapshot) Close()                 { s.store.openSnapshots--; s.Snapshot.Close() }

func (r *region) snapshot() Snapshot {
	r.openSnapshots++
	return &snapshot{r.db.NewSnapshot(), r, r.meta, r.term}
}

func (r *region) LeaderSnapshot(*kvrpcpb.Context) (Snapshot, *errorpb.Error) {
	return r.snapshot(), nil
}

func (r *region) ReplicaSnapshot(t env.Task, ctx *kvrpcpb.Context, guard []byte) (Snapshot, *kvrpcpb.LockInfo, *errorpb.Error) {
	r.confirmed++
	if refusal := r.guard(guard); refusal != nil {
		lock := &kvrpcpb.LockInfo{}
		if err := lock.Unmarshal(refusal); err != nil {
			panic(err)
		}
		return nil, lock, nil
	}
	r.wait(t)
	return r.snapshot(), nil, nil
}

func (r *region) ReadSnapshot(t env.Task, _ *kvrpcpb.Context) (Snapshot, *errorpb.Error) {
	r.confirmed++
	r.wait(t)
	return r.snapshot(), nil
}

// wait lets other tasks run, and perhaps an election pass.
func (r *region) wait(t env.Task) {
	if r.openSnapshots != 0 {
		panic("a command waits with a snapshot open")
	}
	t.Sleep(r.delay())
	if r.deposed {
		r.deposed = false
		r.term++
	}
}

func (r *region) Propose(t env.Task, _ *kvrpcpb.Context, term uint64, reqs []*raft_cmdpb.Request,
	limit time.Duration,
) (*errorpb.Error, error) {
	if limit >= 0 {
		panic("a proposal with a deadline")
	}
	r.proposed++
	if r.slow {
		r.slow = false
		t.Sleep(9 * r.delay())
	}
	r.wait(t)
	if term != anyTerm && term != r.term {
		return &errorpb.Error{Message: "stale", StaleCommand: &errorpb.StaleCommand{}}, nil
	}
	b := r.db.NewBatch()
	defer b.Close()
	for _, req := range reqs {
		switch req.CmdType {
		case raft_cmdpb.CmdType_Put:
			b.Put(mustCF(req.Put.Cf), req.Put.Key, req.Put.Value)
		case raft_cmdpb.CmdType_Delete:
			b.Delete(mustCF(req.Delete.Cf), req.Delete.Key)
		case raft_cmdpb.CmdType_DeleteRange:
			b.DeleteRange(mustCF(req.DeleteRange.Cf), req.DeleteRange.StartKey, req.DeleteRange.EndKey)
		default:
			panic(req.CmdType.String())
		}
	}
	if err := r.db.Write(b); err != nil {
		panic(err)
	}
	if r.unknown {
		r.unknown = false
		return nil, errFateUnknown
	}
	return nil, nil
}

func mustCF(name string) engine.CF {
	cf, err := engine.ParseCF(name)
	if err != nil {
		panic(err)
	}
	return cf
}

// records calls visit for all records of a column family.
func (r *region) records(cf engine.CF, visit func(key, value []byte)) {
	it, err := r.db.NewIter(cf, engine.IterOptions{})
	if err != nil {
		panic(err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		visit(bytes.Clone(it.Key()), bytes.Clone(it.Value()))
	}
}

// newRegion returns a region with the given bounds.
func newRegion(from, to string) *metapb.Region {
	return &metapb.Region{Id: 1, StartKey: []byte(from), EndKey: []byte(to)}
}
