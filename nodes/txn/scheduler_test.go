package txn

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/mvcc"
	"simrun/sim"
)

// TestResolveRegionInBatches: a region with more locks than fit into one
// proposal is resolved completely, and only the transaction that was named.
func TestResolveRegionInBatches(t *testing.T) {
	c := newCluster(t, 1, sim.Arrival)
	const keys = 2*resolveBatch + 10
	for i := range keys {
		startTS := uint64(10 + i%2)
		req := &kvrpcpb.PrewriteRequest{
			Mutations:   []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: fmt.Appendf(nil, "k%04d", i), Value: []byte("v")}},
			PrimaryLock: []byte("k0000"), StartVersion: startTS, LockTtl: 1,
		}
		c.do(t, func(task env.Task) {
			if r := c.sched.Prewrite(task, req); len(r.Errors) > 0 {
				t.Fatal(r)
			}
		})
	}
	for _, startTS := range []uint64{10, 11} {
		c.do(t, func(task env.Task) {
			r := c.sched.ResolveLock(task, &kvrpcpb.ResolveLockRequest{StartVersion: startTS, CommitVersion: 20})
			if r.Error != nil || r.RegionError != nil {
				t.Fatal(r)
			}
		})
		left := 0
		c.records(engine.Lock, func(_, value []byte) {
			left++
			if l := must(mvcc.DecodeLock(value)); l.StartTS == startTS {
				t.Fatalf("transaction %d has locks left", startTS)
			}
		})
		if want := keys / 2 * int(11-startTS); left != want {
			t.Fatalf("after transaction %d: %d locks are left, want %d", startTS, left, want)
		}
	}
}

// TestStorageErrorIsNoStatement: a read that fails says nothing about the
// transaction, so that the client must not get an error that does.
func TestStorageErrorIsNoStatement(t *testing.T) {
	c := newCluster(t, 1, sim.Arrival)
	c.db.Close()
	key := []byte("k")
	commands := map[string]func(env.Task) *errorpb.Error{
		"prewrite": func(t env.Task) *errorpb.Error {
			return c.sched.Prewrite(t, &kvrpcpb.PrewriteRequest{
				Mutations: []*kvrpcpb.Mutation{{Key: key}}, StartVersion: 1, LockTtl: 1,
			}).RegionError
		},
		"commit": func(t env.Task) *errorpb.Error {
			return c.sched.Commit(t, &kvrpcpb.CommitRequest{Keys: [][]byte{key}, StartVersion: 1, CommitVersion: 2}).RegionError
		},
		"check": func(t env.Task) *errorpb.Error {
			return c.sched.CheckTxnStatus(t, &kvrpcpb.CheckTxnStatusRequest{PrimaryKey: key, LockTs: 1}).RegionError
		},
		"get":       func(t env.Task) *errorpb.Error { return c.sched.Get(t, &kvrpcpb.GetRequest{Key: key}).RegionError },
		"scan":      func(t env.Task) *errorpb.Error { return c.sched.Scan(t, &kvrpcpb.ScanRequest{}).RegionError },
		"scan lock": func(t env.Task) *errorpb.Error { return c.sched.ScanLock(t, &kvrpcpb.ScanLockRequest{}).RegionError },
		"raw get": func(t env.Task) *errorpb.Error {
			return c.sched.RawGet(t, &kvrpcpb.RawGetRequest{Key: key}).RegionError
		},
		"raw scan": func(t env.Task) *errorpb.Error { return c.sched.RawScan(t, &kvrpcpb.RawScanRequest{}).RegionError },
		"raw compare-and-swap": func(t env.Task) *errorpb.Error {
			return c.sched.RawCompareAndSwap(t, &kvrpcpb.RawCASRequest{Key: key}).RegionError
		},
	}
	for name, command := range commands {
		c.do(t, func(task env.Task) {
			if e := command(task); e.GetServerIsBusy() == nil {
				t.Errorf("%s: %v", name, e)
			}
		})
	}
}

// TestMalformedRecordIsViolation: a record that no encoder writes is a bug, and
// must not look like a busy server.
func TestMalformedRecordIsViolation(t *testing.T) {
	c := newCluster(t, 1, sim.Arrival)
	b := c.db.NewBatch()
	defer b.Close()
	b.Put(engine.Lock, codec.EncodeBytes([]byte("k")), []byte("?"))
	must(0, c.db.Write(b))
	c.kernel.Go("get", func(task env.Task) { c.sched.Get(task, &kvrpcpb.GetRequest{Key: []byte("k"), Version: 1}) })
	err := c.kernel.Run(int64(time.Second))
	var v invariant.Violation
	if !errors.As(err, &v) {
		t.Fatalf("run: %v", err)
	}
}

// TestKeyErrorsComplete: every operation and type that a lock can have is
// described to clients.
func TestKeyErrorsComplete(t *testing.T) {
	ops := map[kvrpcpb.Op]bool{}
	for _, l := range []mvcc.LockType{mvcc.LockPut, mvcc.LockDelete, mvcc.LockLock, mvcc.LockPessimistic} {
		ops[opOf(l)] = true
	}
	if len(ops) != 4 {
		t.Errorf("lock types are not told apart: %v", ops)
	}
}

// TestScanRange goes through the borders of ranges and regions.
func TestScanRange(t *testing.T) {
	for _, c := range []struct {
		lower, upper string
		reverse      bool
		from, to     string // of the region
		want         string
	}{
		{"", "", false, "", "", "[,]"},
		{"b", "d", false, "a", "e", "[b,d]"},
		{"b", "", false, "a", "e", "[b,e]"},
		{"b", "f", false, "a", "e", "[b,e]"},
		{"a", "e", false, "a", "e", "[a,e]"},
		{"e", "f", false, "a", "e", "error"},
		{"", "b", false, "a", "e", "error"},
		{"", "d", true, "a", "e", "[a,d]"},
		{"", "e", true, "a", "e", "[a,e]"},
		{"b", "f", true, "a", "e", "error"},
		{"", "a", true, "a", "e", "error"},
		{"", "", true, "a", "e", "error"},
		{"", "", true, "a", "", "[a,]"},
	} {
		lower, upper, err := scanRange(newRegion(c.from, c.to), []byte(c.lower), []byte(c.upper), c.reverse)
		got := fmt.Sprintf("[%s,%s]", lower, upper)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// benchmarkCluster has short delays, and accounts with one version.
func benchmarkCluster(b *testing.B) *cluster {
	c := newCluster(b, 1, sim.Arrival)
	c.delay = func() time.Duration { return 10 * time.Microsecond }
	batch := c.db.NewBatch()
	defer batch.Close()
	for i := range 100 {
		w := mvcc.Write{Type: mvcc.WritePut, StartTS: 1, ShortValue: []byte("1000")}
		batch.Put(engine.Write, versionKey(codec.EncodeBytes([]byte(account(i))), 2), w.Marshal())
	}
	must(0, c.db.Write(batch))
	return c
}

// BenchmarkTransfer is the store's part of a transfer: two reads, a prewrite
// and a commit of two keys, applied to an engine in memory.
func BenchmarkTransfer(b *testing.B) {
	c := benchmarkCluster(b)
	b.ReportAllocs()
	c.do(b, func(task env.Task) {
		for ts := uint64(10); b.Loop(); ts += 10 {
			keys := [][]byte{[]byte(account(int(ts) % 100)), []byte(account(int(ts+1) % 100))}
			req := &kvrpcpb.PrewriteRequest{PrimaryLock: keys[0], StartVersion: ts, LockTtl: 3000}
			for _, key := range keys {
				r := c.sched.Get(task, &kvrpcpb.GetRequest{Key: key, Version: ts})
				req.Mutations = append(req.Mutations, &kvrpcpb.Mutation{Key: key, Value: r.Value})
			}
			if r := c.sched.Prewrite(task, req); len(r.Errors) > 0 {
				b.Fatal(r)
			}
			if r := c.sched.Commit(task, &kvrpcpb.CommitRequest{StartVersion: ts, CommitVersion: ts + 5, Keys: keys}); r.Error != nil {
				b.Fatal(r)
			}
		}
	})
}

// BenchmarkPrewriteCompute is a prewrite of two keys up to the proposal.
func BenchmarkPrewriteCompute(b *testing.B) {
	c := benchmarkCluster(b)
	req := &kvrpcpb.PrewriteRequest{
		PrimaryLock: []byte(account(1)), StartVersion: 10, LockTtl: 3000,
		Mutations: []*kvrpcpb.Mutation{
			{Key: []byte(account(1)), Value: []byte("999")}, {Key: []byte(account(2)), Value: []byte("1001")},
		},
	}
	b.ReportAllocs()
	for b.Loop() {
		p := &prewrite{s: c.sched, req: req, keys: mutationKeys(req.Mutations)}
		batch, _, o := c.sched.compute(nil, p.keys, p.process)
		if o.key != nil || len(batch.reqs) != 2 {
			b.Fatal(o)
		}
	}
}
