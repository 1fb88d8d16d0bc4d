package client

import (
	"bytes"
	"errors"
	"sort"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var markInsertedLate = invariant.NewMark("client: inserted and deleted key looked for as of the last statement")

// committer brings one transaction into the database by two-phase commit:
//
//  1. Prewrite locks every key and leaves the new values beside the locks. One
//     key is the primary; the other locks point to it.
//  2. The commit timestamp is taken. All locks are there, so every reader with a
//     later timestamp meets them and finds out about the transaction.
//  3. Commit of the primary turns its lock into a commit record. That one write
//     decides; whoever meets another lock of the transaction looks here.
//  4. The other keys are committed in the background.
//
// With async commit and one-phase commit (asynccommit.go) step 1 decides, and the
// stores choose the timestamp.
//
// The primary is the first key. Each region's keys go with one request, as long
// as that does not grow too large; the first request has the primary.
type committer struct {
	client  *Client
	tx      *Txn
	startTS uint64

	// One entry for each key, in the order of keys from the primary on, and then from
	// the smallest.
	mutations []*kvrpcpb.Mutation
	first     int                                         // how many keys are smaller than the primary: they stand last
	actions   []kvrpcpb.PrewriteRequest_PessimisticAction // nil: an optimistic transaction
	keys      [][]byte
	bounds    [][]byte // the keys in the form of region bounds
	// locked tells where a lock may have been left: a prewrite succeeded, or its
	// outcome is unknown.
	locked []bool
	// held tells where a pessimistic lock was taken before.
	held []bool

	backoff backoff // its deadline is that of the whole commit
	// failure is why the transaction cannot commit. It stops the prewrites that
	// run at the same time.
	failure error

	choice choice

	commitTS uint64
	// chosen: it was chosen by the stores.
	chosen bool
	// blockedSince is when the lock of a pessimistic transaction was met first, on the
	// monotonic clock; 0: never.
	blockedSince time.Duration
	// lockedAt is when the primary may first have been locked by a prewrite, on the
	// monotonic clock; 0: not yet.
	lockedAt time.Duration
	// rounds counts the requests to stores that had to follow one another.
	rounds int
	// unaccounted is set while an attempt to commit the primary may have been
	// executed, or may be yet.
	unaccounted error
}

func newCommitter(tx *Txn) *committer {
	writes := tx.buffer.sorted
	n := len(writes)
	x := &committer{
		client:    tx.client,
		tx:        tx,
		startTS:   tx.snapshot.ts,
		mutations: make([]*kvrpcpb.Mutation, n),
		keys:      make([][]byte, n),
		bounds:    make([][]byte, n),
		locked:    make([]bool, n),
		held:      make([]bool, n),
		backoff:   tx.client.newBackoff(tx.client.cfg.CommitTimeout),
	}
	first := 0
	if tx.primary != nil {
		first, _ = tx.buffer.search(tx.primary)
	} else {
		tx.primary = writes[0].key
	}
	x.first = first
	if tx.options.Pessimistic {
		x.actions = make([]kvrpcpb.PrewriteRequest_PessimisticAction, n)
	}
	size := 0
	for i := range writes {
		size += codec.EncodedLen(len(writes[i].key))
	}
	arena := make([]byte, 0, size)
	mutations := make([]kvrpcpb.Mutation, n)
	for i := range writes {
		w := &writes[(first+i)%n]
		from := len(arena)
		arena = codec.AppendBytes(arena, w.key)
		x.bounds[i] = arena[from:len(arena):len(arena)]
		x.keys[i], x.held[i] = w.key, w.locked
		mutations[i] = kvrpcpb.Mutation{Op: w.op(), Key: w.key, Value: w.value}
		x.mutations[i] = &mutations[i]
		if x.actions != nil {
			x.actions[i] = w.action()
		}
	}
	return x
}

// action returns what the prewrite of a pessimistic transaction is to make sure
// of.
func (w *write) action() kvrpcpb.PrewriteRequest_PessimisticAction {
	switch {
	case w.locked:
		return kvrpcpb.PrewriteRequest_DO_PESSIMISTIC_CHECK
	case w.derived && !w.mustNotExist:
		return kvrpcpb.PrewriteRequest_SKIP_PESSIMISTIC_CHECK
	default:
		return kvrpcpb.PrewriteRequest_DO_CONSTRAINT_CHECK
	}
}

// op returns what prewrite is asked to do with the key.
func (w *write) op() kvrpcpb.Op {
	switch {
	case w.kind == writePut && w.mustNotExist:
		return kvrpcpb.Op_Insert
	case w.kind == writePut:
		return kvrpcpb.Op_Put
	case w.kind == writeDelete:
		return kvrpcpb.Op_Del
	}
	return kvrpcpb.Op_Lock
}

func (x *committer) primary() []byte { return x.keys[0] }

// run commits the transaction. It returns an error of one of the two classes.
func (x *committer) run(t env.Task) error {
	err := x.tx.checkSize()
	if err == nil {
		err = x.checkInserted(t)
	}
	if err == nil {
		err = x.prepare(t)
	}
	if err == nil {
		err = x.prewrite(t)
	}
	if x.decided(err) {
		x.tx.heartbeat.stop()
		x.committed()
		return nil
	}
	if err != nil && x.mayBeCommitted(err) {
		x.tx.heartbeat.stop()
		return undetermined("commit", err)
	}
	if err == nil {
		err = x.takeCommitTS(t)
	}
	if err != nil {
		// Nobody was asked to commit the primary, and nobody but us can: the
		// transaction has definitely failed, whatever locks it has left.
		x.tx.heartbeat.stop()
		x.rollback()
		return failed("commit", err)
	}
	return x.secondPhase(t)
}

// secondPhase commits the primary at commitTS, and with it the transaction.
func (x *committer) secondPhase(t env.Task) error {
	invariant.Check(x.commitTS > x.startTS, "client: commit timestamp %d is not after start timestamp %d", x.commitTS, x.startTS)
	n, err := x.commitPrimary(t)
	x.tx.heartbeat.stop()
	switch {
	case err == nil:
		x.committed()
		x.commitSecondaries(n)
	case errors.Is(err, ErrUndetermined):
		// The locks stay: the primary decides, for us as for everybody else.
		markUndetermined.Reached()
	default:
		x.rollback()
	}
	return err
}

// committed tells how the transaction was committed.
func (x *committer) committed() {
	if x.client.cfg.Committed == nil {
		return
	}
	mode := TwoPhase
	switch {
	case x.chosen && x.choice.onePC:
		mode = OnePhase
	case x.chosen:
		mode = AsyncCommit
	}
	x.client.cfg.Committed(mode, x.rounds)
}

// takeCommitTS takes a commit timestamp and asks whoever wants to be asked before
// the transaction commits at it.
func (x *committer) takeCommitTS(t env.Task) error {
	ts, err := x.client.timestamp(t, &x.backoff)
	if err != nil {
		return err
	}
	invariant.Check(ts > x.commitTS, "client: timestamp %d came after %d", ts, x.commitTS)
	x.commitTS = ts
	if x.tx.beforeCommit == nil {
		return nil
	}
	markAskedAfter.Sometimes(x.choice.attempted)
	return x.tx.beforeCommit(t, ts)
}

// checkInserted makes sure that keys which the transaction inserted and then
// deleted did not exist. Their deletion is prewritten like any other, which
// excludes writes of others since the snapshot, or since the last statement of a
// pessimistic transaction.
func (x *committer) checkInserted(t env.Task) error {
	var keys [][]byte
	for i := range x.tx.buffer.sorted {
		if w := &x.tx.buffer.sorted[i]; w.mustNotExist && w.kind == writeDelete {
			keys = append(keys, w.key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	// Up to there nobody looks for conflicts in the key of a pessimistic transaction.
	snapshot := &x.tx.snapshot
	if x.tx.forUpdateTS > snapshot.ts {
		markInsertedLate.Reached()
		snapshot = x.tx.client.Snapshot(x.tx.forUpdateTS)
	}
	pairs, err := snapshot.BatchGet(t, keys)
	if err != nil {
		return errors.Unwrap(err)
	}
	if len(pairs) > 0 {
		return &KeyExistsError{pairs[0].Key}
	}
	return nil
}

// keysIn returns how many keys of the transaction are in r.
func (x *committer) keysIn(r *region) int {
	n := len(x.bounds)
	ascending := func(i int) []byte { return x.bounds[(i+n-x.first)%n] }
	from := sort.Search(n, func(i int) bool { return bytes.Compare(ascending(i), r.meta.StartKey) >= 0 })
	return sort.Search(n, func(i int) bool { return !r.endsAfter(ascending(i)) }) - from
}

// reach returns the end of the first request for the keys of s, of which the
// first is in r: it has keys of one region only and is not too large.
func (x *committer) reach(r *region, s span) int {
	size := len(x.keys[s.lo]) + len(x.mutations[s.lo].Value)
	hi := s.lo + 1
	for hi < s.hi && r.contains(x.bounds[hi]) {
		size += len(x.keys[hi]) + len(x.mutations[hi].Value)
		if size > x.client.cfg.BatchBytes {
			break
		}
		hi++
	}
	return hi
}

// requests cuts the keys of s into those of single requests.
func (x *committer) requests(t env.Task, b *backoff, s span) ([]span, error) {
	var parts []span
	for s.lo < s.hi {
		r, err := x.client.locate(t, b, x.bounds[s.lo])
		if err != nil {
			return nil, err
		}
		hi := x.reach(r, s)
		parts = append(parts, span{s.lo, hi})
		s.lo = hi
	}
	return parts, nil
}
