package txn

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/mvcc"
	"simrun/sim"
)

const (
	bankAccounts = 5
	bankBalance  = 100
	bankTTL      = 20 // milliseconds: clients are often thought dead
)

// bank is a set of clients that transfer money between accounts by the full
// protocol, each key in a request of its own as if it lay in a region of its
// own, over a network that duplicates, delays and loses requests, with readers
// that resolve what is in their way.
type bank struct {
	*cluster
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	logical uint64

	keysOf    map[uint64][2]string // by start timestamp
	committed map[uint64]uint64    // acknowledged commits
	reads     int
}

func (k *bank) now() uint64 {
	k.logical++
	return codec.ComposeTS(uint64(k.kernel.Now()/int64(time.Millisecond))+1, k.logical)
}

func account(i int) string { return fmt.Sprintf("account%d", i) }

// send executes a request with the faults of a network until there is an answer
// that is about the transaction, or gives up.
func send[R any](k *bank, t env.Task, call func(env.Task) *R, region func(*R) *errorpb.Error) (*R, bool) {
	if k.rng.IntN(6) == 0 {
		k.kernel.Go("duplicate", func(t env.Task) {
			t.Sleep(time.Duration(k.rng.IntN(80)) * time.Millisecond)
			call(t)
		})
	}
	for range 5 {
		t.Sleep(time.Duration(k.rng.IntN(3)) * time.Millisecond)
		r := call(t)
		if r != nil && region(r) == nil && k.rng.IntN(12) != 0 {
			return r, true
		}
		t.Sleep(time.Duration(k.rng.IntN(30)) * time.Millisecond)
	}
	return nil, false
}

// read reads a key, and resolves the locks that it meets.
func (k *bank) read(t env.Task, key string, ts uint64) (int, bool) {
	var bypass []uint64
	for range 50 {
		r := k.sched.Get(t, &kvrpcpb.GetRequest{
			Context: &kvrpcpb.Context{ResolvedLocks: bypass}, Key: []byte(key), Version: ts,
		})
		if r.Error == nil {
			return must(strconv.Atoi(string(r.Value))), true
		}
		if k.resolve(t, r.Error.Locked, ts) {
			bypass = append(bypass, r.Error.Locked.LockVersion)
		}
	}
	return 0, false
}

// resolve finds out what became of the owner of a lock. It reports whether the
// reader may pass the lock.
func (k *bank) resolve(t env.Task, lock *kvrpcpb.LockInfo, caller uint64) bool {
	status := k.sched.CheckTxnStatus(t, &kvrpcpb.CheckTxnStatusRequest{
		PrimaryKey: lock.PrimaryLock, LockTs: lock.LockVersion, CallerStartTs: caller, CurrentTs: k.now(),
		RollbackIfNotExist: k.rng.IntN(4) == 0, VerifyIsPrimary: true,
	})
	switch {
	case status == nil || status.RegionError != nil || status.Error != nil:
	case status.LockTtl != 0 && status.Action == kvrpcpb.Action_MinCommitTSPushed:
		return true
	case status.LockTtl == 0:
		req := &kvrpcpb.ResolveLockRequest{StartVersion: lock.LockVersion, CommitVersion: status.CommitVersion}
		if k.rng.IntN(2) == 0 {
			req.Keys = [][]byte{lock.Key}
		}
		if r := k.sched.ResolveLock(t, req); r != nil && r.Error != nil {
			k.t.Errorf("seed %d: resolve of %d to %d: %v", k.seed, lock.LockVersion, status.CommitVersion, r.Error)
		}
	}
	t.Sleep(time.Duration(1+k.rng.IntN(5)) * time.Millisecond)
	return false
}

// transfer runs one transaction. Whether it is committed is known only if the
// commit of its primary was answered.
func (k *bank) transfer(t env.Task) {
	i := k.rng.IntN(bankAccounts)
	keys := [2]string{account(i), account((i + 1 + k.rng.IntN(bankAccounts-1)) % bankAccounts)}
	startTS := k.now()
	from, ok1 := k.read(t, keys[0], startTS)
	to, ok2 := k.read(t, keys[1], startTS)
	if !ok1 || !ok2 {
		return
	}
	k.keysOf[startTS] = keys
	values := [2]int{from - 1, to + 1}
	// The primary may be the last to arrive.
	for _, i := range k.rng.Perm(len(keys)) {
		key := keys[i]
		req := &kvrpcpb.PrewriteRequest{
			Mutations:   []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: []byte(key), Value: []byte(strconv.Itoa(values[i]))}},
			PrimaryLock: []byte(keys[0]), StartVersion: startTS, LockTtl: bankTTL, MinCommitTs: startTS + 1,
		}
		r, ok := send(k, t, func(t env.Task) *kvrpcpb.PrewriteResponse { return k.sched.Prewrite(t, req) },
			(*kvrpcpb.PrewriteResponse).GetRegionError)
		if !ok || len(r.Errors) > 0 {
			k.giveUp(t, keys, startTS)
			return
		}
	}
	k.commit(t, keys, startTS)
}

// giveUp rolls back, or leaves the locks to the others.
func (k *bank) giveUp(t env.Task, keys [2]string, startTS uint64) {
	if k.rng.IntN(3) == 0 {
		return
	}
	req := &kvrpcpb.BatchRollbackRequest{Keys: [][]byte{[]byte(keys[0]), []byte(keys[1])}, StartVersion: startTS}
	if r := k.sched.BatchRollback(t, req); r != nil && r.Error != nil {
		k.t.Errorf("seed %d: rollback of %d: %v", k.seed, startTS, r.Error)
	}
}

func (k *bank) commit(t env.Task, keys [2]string, startTS uint64) {
	for range 3 {
		commitTS := k.now()
		req := &kvrpcpb.CommitRequest{StartVersion: startTS, CommitVersion: commitTS, Keys: [][]byte{[]byte(keys[0])}}
		r, ok := send(k, t, func(t env.Task) *kvrpcpb.CommitResponse { return k.sched.Commit(t, req) },
			(*kvrpcpb.CommitResponse).GetRegionError)
		if !ok {
			return
		}
		if r.Error != nil && r.Error.CommitTsExpired != nil {
			continue // readers have pushed the transaction above this timestamp
		}
		if r.Error != nil {
			return // rolled back
		}
		k.committed[startTS] = commitTS
		if k.rng.IntN(3) != 0 {
			secondary := &kvrpcpb.CommitRequest{StartVersion: startTS, CommitVersion: commitTS, Keys: [][]byte{[]byte(keys[1])}}
			r, ok := send(k, t, func(t env.Task) *kvrpcpb.CommitResponse { return k.sched.Commit(t, secondary) },
				(*kvrpcpb.CommitResponse).GetRegionError)
			if ok && r.Error != nil {
				k.t.Errorf("seed %d: commit of the secondary of %d: %v", k.seed, startTS, r.Error)
			}
		}
		return
	}
}

// audit reads all accounts at one timestamp.
func (k *bank) audit(t env.Task) {
	ts, sum := k.now(), 0
	for i := range bankAccounts {
		n, ok := k.read(t, account(i), ts)
		if !ok {
			return
		}
		sum += n
	}
	k.reads++
	if sum != bankAccounts*bankBalance {
		k.t.Errorf("seed %d: at %d the accounts sum up to %d", k.seed, ts, sum)
	}
}

// TestBank checks the transactions as a whole: snapshots are consistent, what
// was acknowledged is committed, and each transaction is committed on all its
// keys at one timestamp, or on none.
func TestBank(t *testing.T) {
	reads, commits := 0, 0
	for seed := range uint64(60) {
		k := runBank(t, seed)
		reads += k.reads
		commits += len(k.committed)
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, k.dump())
		}
	}
	if reads < 1000 || commits < 1000 {
		t.Errorf("only %d reads and %d commits", reads, commits)
	}
}

func runBank(t *testing.T, seed uint64) *bank {
	k := &bank{
		cluster: newCluster(t, seed, sim.Seeded), t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)),
		keysOf: map[uint64][2]string{}, committed: map[uint64]uint64{},
	}
	k.delay = func() time.Duration {
		k.deposed = k.rng.IntN(60) == 0
		k.unknown = k.rng.IntN(40) == 0
		return time.Duration(k.rng.IntN(3000)) * time.Microsecond
	}
	b := k.db.NewBatch()
	defer b.Close()
	for i := range bankAccounts {
		w := mvcc.Write{Type: mvcc.WritePut, StartTS: 1, ShortValue: []byte(strconv.Itoa(bankBalance))}
		b.Put(engine.Write, versionKey(codec.EncodeBytes([]byte(account(i))), 2), w.Marshal())
	}
	must(0, k.db.Write(b))
	for range 5 {
		k.kernel.Go("client", func(task env.Task) {
			for range 20 {
				k.transfer(task)
			}
		})
	}
	k.kernel.Go("auditor", func(task env.Task) {
		for range 30 {
			k.audit(task)
			task.Sleep(20 * time.Millisecond)
		}
	})
	k.run(t)
	k.do(t, k.audit) // resolves all locks that are older
	k.check()
	return k
}

// check goes through all records.
func (k *bank) check() {
	type fate struct{ commitTS, commits, rollbacks uint64 }
	fates := map[uint64]*fate{}
	k.records(engine.Write, func(key, value []byte) {
		_, ts, err := codec.SplitTS(key)
		must(0, err)
		w := must(mvcc.DecodeWrite(value))
		f := fates[w.StartTS]
		if f == nil {
			f = &fate{}
			fates[w.StartTS] = f
		}
		switch {
		case w.Type == mvcc.WriteRollback:
			f.rollbacks++
		case f.commitTS != 0 && f.commitTS != ts:
			k.t.Errorf("seed %d: %d is committed at %d and at %d", k.seed, w.StartTS, f.commitTS, ts)
		default:
			f.commitTS, f.commits = ts, f.commits+1
		}
	})
	k.records(engine.Lock, func(key, value []byte) {
		l := must(mvcc.DecodeLock(value))
		k.t.Errorf("seed %d: %s is still locked by %d", k.seed, must(codec.DecodeKey(key)), l.StartTS)
	})
	for startTS := range k.keysOf {
		f := fates[startTS]
		switch {
		case f != nil && f.commits > 0 && (f.commits != 2 || f.rollbacks > 0):
			k.t.Errorf("seed %d: %d is committed on %d keys and rolled back on %d", k.seed, startTS, f.commits, f.rollbacks)
		case k.committed[startTS] != 0 && (f == nil || f.commitTS != k.committed[startTS]):
			k.t.Errorf("seed %d: %d was acknowledged at %d: %+v", k.seed, startTS, k.committed[startTS], f)
		}
	}
}
