package txn

import (
	"errors"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// prewrite is the first phase of a commit: it locks the keys of a transaction
// with their new values, provided that nobody else has changed them since the
// transaction started.
type prewrite struct {
	s    *Scheduler
	req  *kvrpcpb.PrewriteRequest
	keys [][]byte // encoded keys of the mutations

	// What the command found.

	locked   []*kvrpcpb.KeyError // locks of others, of all keys
	commitTS uint64              // the transaction is committed already
}

// Prewrite executes the first phase of an optimistic transaction. Async commit
// and one-phase commit are declined by leaving MinCommitTs and OnePcCommitTs
// zero, upon which the client goes on with the second phase.
func (s *Scheduler) Prewrite(t env.Task, req *kvrpcpb.PrewriteRequest) *kvrpcpb.PrewriteResponse {
	p := &prewrite{s: s, req: req, keys: mutationKeys(req.Mutations)}
	if err := p.validate(); err != nil {
		key, _ := splitError(err)
		return &kvrpcpb.PrewriteResponse{Errors: []*kvrpcpb.KeyError{key}}
	}
	o := s.runAbove(t, req.Context, closed, req.StartVersion, p.keys, p.process)
	if o.unknown {
		return nil
	}
	resp := &kvrpcpb.PrewriteResponse{RegionError: o.region}
	switch {
	case o.region != nil:
	case o.key != nil:
		resp.Errors = []*kvrpcpb.KeyError{o.key}
	case p.commitTS != 0:
		resp.MinCommitTs = p.commitTS
		if req.TryOnePc {
			resp.OnePcCommitTs = p.commitTS
		}
	default:
		resp.Errors = p.locked
	}
	return resp
}

func mutationKeys(mutations []*kvrpcpb.Mutation) [][]byte {
	keys := make([][]byte, len(mutations))
	for i, m := range mutations {
		keys[i] = m.Key
	}
	return encodeKeys(keys)
}

// validate refuses what no correct client sends and what could not be stored.
func (p *prewrite) validate() error {
	switch {
	case p.req.ForUpdateTs != 0:
		return abort("pessimistic transactions are not supported")
	case p.req.StartVersion == 0:
		return abort("prewrite without start_ts")
	case p.req.LockTtl == 0:
		// In the answer of CheckTxnStatus a ttl of zero says that the
		// transaction is not alive.
		return abort("prewrite without ttl")
	case hasDuplicates(p.keys):
		return abort("prewrite of a key twice")
	}
	for _, m := range p.req.Mutations {
		switch m.Op {
		case kvrpcpb.Op_Put, kvrpcpb.Op_Del, kvrpcpb.Op_Lock, kvrpcpb.Op_Insert, kvrpcpb.Op_CheckNotExists:
		default:
			return abort("prewrite of %v is not supported", m.Op)
		}
	}
	return nil
}

func (p *prewrite) process(snapshot Snapshot, b *batch) error {
	first, last := bounds(p.keys)
	r := mvcc.NewReader(snapshot, first, last)
	defer r.Close()
	for i, m := range p.req.Mutations {
		err := p.mutate(r, b, p.keys[i], m)
		if err == nil {
			continue
		}
		// A request that comes again after the transaction was committed meets
		// newer records and locks; it must not be told that it failed.
		done, e := p.committed(r, p.keys[i], err)
		if e != nil {
			return e
		}
		if done {
			b.reset()
			return nil
		}
		// All locks in the way are reported at once, so that the client can
		// resolve them together.
		var locked *mvcc.LockedError
		if !errors.As(err, &locked) {
			return err
		}
		key, _ := splitError(locked)
		p.locked = append(p.locked, key)
	}
	if len(p.locked) > 0 {
		b.reset()
	}
	return nil
}

// committed reports whether cause only arose because the transaction is
// committed on the key already.
func (p *prewrite) committed(r *mvcc.Reader, key []byte, cause error) (bool, error) {
	var locked *mvcc.LockedError
	var ke *keyError
	conflict := errors.As(cause, &ke) && ke.pb.Conflict != nil
	if !conflict && !errors.As(cause, &locked) {
		return false, nil
	}
	rec, err := r.CommitRecord(key, p.req.StartVersion)
	if err != nil || rec.Fate != mvcc.FateCommitted {
		return false, err
	}
	markPrewriteCommitted.Reached()
	p.commitTS, p.locked = rec.CommitTS, nil
	return true, nil
}

// mutate checks one mutation and locks its key.
func (p *prewrite) mutate(r *mvcc.Reader, b *batch, key []byte, m *kvrpcpb.Mutation) error {
	lock, err := r.LoadLock(key)
	if err != nil {
		return err
	}
	if lock != nil {
		return p.checkLock(lock, m.Key)
	}
	if err := p.checkConflict(r, key, m.Key); err != nil {
		return err
	}
	if m.Op == kvrpcpb.Op_Insert || m.Op == kvrpcpb.Op_CheckNotExists {
		if err := p.checkNotExists(r, key, m.Key); err != nil {
			return err
		}
	}
	if m.Op != kvrpcpb.Op_CheckNotExists {
		p.lock(b, key, m)
	}
	return nil
}

// checkLock handles a key that is locked. A lock of this transaction is the
// work of an earlier attempt, and is left as it is: it may have been pushed.
func (p *prewrite) checkLock(lock *mvcc.Lock, raw []byte) error {
	switch {
	case lock.StartTS != p.req.StartVersion:
		markPrewriteLocked.Reached()
		return lockedError(raw, lock)
	case lock.Type == mvcc.LockPessimistic:
		return abort("optimistic prewrite of key %q, which is locked pessimistically", raw)
	default:
		markPrewriteIdempotent.Reached()
		return nil
	}
}

// checkConflict makes sure that no transaction has finished on the key since
// this one started. Records that do not change the key count as well: a Lock
// record is what SELECT FOR UPDATE relies upon, and a newer Rollback may have
// collapsed this transaction's own.
func (p *prewrite) checkConflict(r *mvcc.Reader, key, raw []byte) error {
	newest, ok, err := r.SeekWrite(key, codec.MaxTS)
	if err != nil || !ok {
		return err
	}
	startTS := p.req.StartVersion
	switch {
	case newest.CommitTS > startTS:
		markPrewriteConflict.Reached()
		markPrewriteConflictLock.Sometimes(newest.Type == mvcc.WriteLock || newest.Type == mvcc.WriteRollback)
		return conflictError(startTS, newest, raw, p.req.PrimaryLock, kvrpcpb.WriteConflict_Optimistic)
	case newest.CommitTS == startTS && (newest.Type == mvcc.WriteRollback || newest.OverlappedRollback):
		markPrewriteRolledBack.Reached()
		return conflictError(startTS, newest, raw, p.req.PrimaryLock, kvrpcpb.WriteConflict_SelfRolledBack)
	default:
		return nil
	}
}

// checkNotExists makes sure that the key has no value. The answer, be it yes
// or no, is a read.
func (p *prewrite) checkNotExists(r *mvcc.Reader, key, raw []byte) error {
	p.s.raiseMaxTS(p.req.StartVersion)
	v, ok, err := r.NewestChange(key, p.req.StartVersion)
	if err != nil || !ok || v.Type != mvcc.WritePut {
		return err
	}
	markPrewriteExists.Reached()
	return alreadyExistError(raw)
}

func (p *prewrite) lock(b *batch, key []byte, m *kvrpcpb.Mutation) {
	lock := mvcc.Lock{
		Primary:     p.req.PrimaryLock,
		StartTS:     p.req.StartVersion,
		TTL:         p.req.LockTtl,
		TxnSize:     p.req.TxnSize,
		MinCommitTS: p.req.MinCommitTs,
	}
	switch m.Op {
	case kvrpcpb.Op_Del:
		lock.Type = mvcc.LockDelete
	case kvrpcpb.Op_Lock:
		lock.Type = mvcc.LockLock
	default:
		lock.Type = mvcc.LockPut
		if mvcc.IsShort(m.Value) {
			lock.ShortValue = m.Value
			if m.Value == nil {
				lock.ShortValue = []byte{} // nil would say that the value is a long one
			}
		} else {
			b.putValue(key, lock.StartTS, m.Value)
		}
	}
	b.putLock(key, &lock)
}
