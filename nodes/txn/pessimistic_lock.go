package txn

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// acquire is a request for the pessimistic locks of one statement: they keep
// others from writing the keys while the transaction still makes up its mind.
// They hold no data, so that readers pass them by.
type acquire struct {
	req  *kvrpcpb.PessimisticLockRequest
	keys [][]byte // encoded keys of the mutations

	values [][]byte // what the keys hold; nil: absent
}

// PessimisticLock locks all keys of a request, or none. If a key is locked by
// another transaction it waits for the release, up to the request's
// WaitTimeout, and then tells the client to try again at a later timestamp.
func (s *Scheduler) PessimisticLock(t env.Task, req *kvrpcpb.PessimisticLockRequest) *kvrpcpb.PessimisticLockResponse {
	a := &acquire{req: req, keys: mutationKeys(req.Mutations)}
	if err := a.validate(); err != nil {
		key, _ := splitError(err)
		return &kvrpcpb.PessimisticLockResponse{Errors: []*kvrpcpb.KeyError{key}}
	}
	if req.ReturnValues || req.CheckExistence || a.inserts() {
		// The values, or their absence, are read at for_update_ts: who commits
		// later at a timestamp of a store's choice must not commit below it.
		s.raiseMaxTS(req.ForUpdateTs)
	}
	o := s.runAbove(t, req.Context, closed, req.StartVersion, a.keys, a.process)
	switch {
	case o.unknown:
		return nil
	case o.region != nil:
		// That the key is locked was not confirmed: nobody here may be told when it is not.
	case o.key.GetLocked() != nil && req.WaitTimeout >= 0:
		o.key, o.region = s.waitForLock(t, req, o.key.Locked)
	}
	resp := &kvrpcpb.PessimisticLockResponse{RegionError: o.region}
	switch {
	case o.region != nil:
	case o.key != nil:
		resp.Errors = []*kvrpcpb.KeyError{o.key}
	default:
		a.report(resp)
	}
	return resp
}

func (a *acquire) validate() error {
	switch {
	case a.req.StartVersion == 0 || a.req.ForUpdateTs < a.req.StartVersion:
		return abort("pessimistic lock at %d of transaction %d", a.req.ForUpdateTs, a.req.StartVersion)
	case a.req.LockTtl == 0:
		return abort("pessimistic lock without ttl")
	case hasDuplicates(a.keys):
		return abort("pessimistic lock of a key twice")
	case a.req.Force || a.req.LockOnlyIfExists || a.req.WakeUpMode != kvrpcpb.PessimisticLockWakeUpMode_WakeUpModeNormal:
		return abort("this way of locking is not supported")
	}
	for _, m := range a.req.Mutations {
		if m.Op != kvrpcpb.Op_PessimisticLock {
			return abort("pessimistic lock with %v", m.Op)
		}
	}
	return nil
}

// inserts reports whether a key has to be absent.
func (a *acquire) inserts() bool {
	for _, m := range a.req.Mutations {
		if m.Assertion == kvrpcpb.Assertion_NotExist {
			return true
		}
	}
	return false
}

func (a *acquire) process(snapshot Snapshot, b *batch) error {
	a.values = make([][]byte, len(a.keys))
	first, last := bounds(a.keys)
	r := mvcc.NewReader(snapshot, first, last)
	defer r.Close()
	for i, m := range a.req.Mutations {
		if err := a.lockKey(r, b, i, m); err != nil {
			return err
		}
	}
	return nil
}

// lockKey locks one key.
func (a *acquire) lockKey(r *mvcc.Reader, b *batch, i int, m *kvrpcpb.Mutation) error {
	key := a.keys[i]
	lock, err := r.LoadLock(key)
	switch {
	case err != nil:
		return err
	case lock != nil && lock.StartTS != a.req.StartVersion:
		markAcquireLocked.Reached()
		return lockedError(m.Key, lock)
	case lock != nil && lock.Type != mvcc.LockPessimistic:
		return abort("pessimistic lock of key %q, which is prewritten", m.Key)
	case lock == nil:
		if err := a.checkNewer(r, key, m.Key); err != nil {
			return err
		}
	}
	if err := a.look(r, i, m); err != nil {
		return err
	}
	if lock != nil && lock.ForUpdateTS >= a.req.ForUpdateTs {
		markAcquireAgain.Reached()
		return nil
	}
	a.write(b, key, lock)
	return nil
}

// checkNewer makes sure that the transaction has not ended and that nobody has
// committed the key after the statement's timestamp: what the statement read
// then would be out of date.
func (a *acquire) checkNewer(r *mvcc.Reader, key, raw []byte) error {
	newest, ok, err := r.SeekWrite(key, codec.MaxTS)
	if err != nil || !ok || newest.CommitTS < a.req.StartVersion {
		return err
	}
	newest.ShortValue = nil // the reader moves on
	// Whoever rolls the transaction back leaves a record, under whatever was
	// committed since.
	rec, err := r.CommitRecord(key, a.req.StartVersion)
	switch {
	case err != nil:
		return err
	case rec.Fate == mvcc.FateRolledBack:
		markAcquireRolledBack.Reached()
		return conflictError(a.req.StartVersion, newest, raw, a.req.PrimaryLock, kvrpcpb.WriteConflict_SelfRolledBack)
	case rec.Fate == mvcc.FateCommitted:
		return abort("pessimistic lock of transaction %d, which is committed at %d", a.req.StartVersion, rec.CommitTS)
	case newest.CommitTS > a.req.ForUpdateTs:
		markAcquireConflict.Reached()
		return conflictError(a.req.StartVersion, newest, raw, a.req.PrimaryLock, kvrpcpb.WriteConflict_PessimisticRetry)
	default:
		return nil
	}
}

// look reads the key as of the statement, if it is asked to. Nothing newer is
// committed: the lock, or the check before it, sees to that.
func (a *acquire) look(r *mvcc.Reader, i int, m *kvrpcpb.Mutation) error {
	insert := m.Assertion == kvrpcpb.Assertion_NotExist
	if !insert && !a.req.ReturnValues && !a.req.CheckExistence {
		return nil
	}
	value, err := r.GetCommitted(a.keys[i], codec.MaxTS)
	switch {
	case err != nil:
		return err
	case insert && value.Data != nil:
		markAcquireExists.Reached()
		return alreadyExistError(m.Key)
	}
	a.values[i] = value.Data
	return nil
}

// write sets the lock; one that is there already becomes younger. It names the primary of
// the request: an attempt of the statement that was given up may have had another one.
func (a *acquire) write(b *batch, key []byte, own *mvcc.Lock) {
	lock := mvcc.Lock{
		Type: mvcc.LockPessimistic, Primary: a.req.PrimaryLock, StartTS: a.req.StartVersion,
		TTL: a.req.LockTtl, ForUpdateTS: a.req.ForUpdateTs, MinCommitTS: a.req.MinCommitTs,
	}
	if own != nil {
		lock.TTL, lock.MinCommitTS = max(lock.TTL, own.TTL), max(lock.MinCommitTS, own.MinCommitTS)
	}
	b.putLock(key, &lock)
}

// report tells what the keys hold.
func (a *acquire) report(resp *kvrpcpb.PessimisticLockResponse) {
	if !a.req.ReturnValues && !a.req.CheckExistence {
		return
	}
	for _, value := range a.values {
		resp.NotFounds = append(resp.NotFounds, value == nil)
		if a.req.ReturnValues {
			resp.Values = append(resp.Values, value)
		}
	}
}

// waitForLock waits until the lock that is in the way is released, and returns
// what the client is told: to begin again with a later timestamp, or that the
// lock is still there, or that waiting would last for ever. If too many wait already
// it is told to come again: then it is not in the wait-for graph meanwhile, but those
// who wait are, and go on or come to their timeout.
func (s *Scheduler) waitForLock(
	t env.Task, req *kvrpcpb.PessimisticLockRequest, lock *kvrpcpb.LockInfo,
) (*kvrpcpb.KeyError, *errorpb.Error) {
	if markWaitersFull.Sometimes(s.waiters.count >= s.cfg.WaitersMax) {
		return nil, busyError("too many requests wait for locks")
	}
	timeout := s.cfg.WaitTimeout
	if req.WaitTimeout > 0 {
		timeout = min(timeout, time.Duration(req.WaitTimeout)*time.Millisecond)
	}
	w := s.waiters.add(req.StartVersion, lock, s.cfg.Queued(req.StartVersion, lock.LockVersion, req.Context.GetRegionId()))
	if !req.IsFirstLock {
		// Who holds no lock is waited for by nobody.
		s.detect(w)
	}
	end, err := w.result.Await(t, timeout)
	s.waiters.remove(w)
	switch {
	case err != nil:
		markWaitTimeout.Reached()
		return &kvrpcpb.KeyError{Locked: lock}, nil
	case end.deadlock != nil:
		markWaitDeadlock.Reached()
		return &kvrpcpb.KeyError{Deadlock: end.deadlock}, nil
	default:
		markWaitReleased.Reached()
		v := mvcc.Version{Write: mvcc.Write{StartTS: lock.LockVersion}}
		key, region := splitError(conflictError(req.StartVersion, v, lock.Key, req.PrimaryLock, kvrpcpb.WriteConflict_PessimisticRetry))
		return key, region
	}
}
