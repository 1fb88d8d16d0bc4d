package txn

import (
	"errors"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/mvcc"
)

// prewrite is the first phase of a commit: it locks the keys of a transaction
// with their new values, provided that nobody else has changed them since the
// transaction started, or that it holds their pessimistic locks. The checks of
// one key are in constraint.go, the choice of commit timestamps is in
// asynccommit.go.
type prewrite struct {
	s    *Scheduler
	req  *kvrpcpb.PrewriteRequest
	keys [][]byte // encoded keys of the mutations

	// What the command found.

	locked   []*kvrpcpb.KeyError // locks of others, of all keys
	commitTS uint64              // the transaction is committed already

	choice choice
}

// Prewrite executes the first phase of a transaction. If the store declines
// async commit or one-phase commit it leaves MinCommitTs or OnePcCommitTs zero,
// upon which the client goes on with the second phase.
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
	case len(p.locked) > 0:
		resp.Errors = p.locked
	default:
		resp.MinCommitTs, resp.OnePcCommitTs = p.choice.answer()
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
	case p.req.StartVersion == 0:
		return abort("prewrite without start_ts")
	case p.req.LockTtl == 0:
		// In the answer of CheckTxnStatus a ttl of zero says that the
		// transaction is not alive.
		return abort("prewrite without ttl")
	case hasDuplicates(p.keys):
		return abort("prewrite of a key twice")
	case len(p.req.PessimisticActions) > len(p.req.Mutations):
		return abort("%d pessimistic actions for %d keys", len(p.req.PessimisticActions), len(p.req.Mutations))
	case p.req.ForUpdateTs == 0 && len(p.req.PessimisticActions) > 0:
		return abort("pessimistic actions in an optimistic transaction")
	}
	for _, m := range p.req.Mutations {
		switch m.Op {
		case kvrpcpb.Op_Put, kvrpcpb.Op_Del, kvrpcpb.Op_Lock, kvrpcpb.Op_Insert:
		default:
			return abort("prewrite of %v is not supported", m.Op)
		}
	}
	return nil
}

// pessimistic reports whether the transaction is a pessimistic one.
func (p *prewrite) pessimistic() bool { return p.req.ForUpdateTs != 0 }

// action says what is to be checked of the i-th key.
func (p *prewrite) action(i int) kvrpcpb.PrewriteRequest_PessimisticAction {
	if i < len(p.req.PessimisticActions) {
		return p.req.PessimisticActions[i]
	}
	return kvrpcpb.PrewriteRequest_SKIP_PESSIMISTIC_CHECK
}

func (p *prewrite) process(snapshot Snapshot, b *batch) error {
	if err := p.begin(snapshot); err != nil {
		return err
	}
	first, last := bounds(p.keys)
	r := mvcc.NewReader(snapshot, first, last)
	defer r.Close()
	for i, m := range p.req.Mutations {
		err := p.mutate(r, b, i, m)
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
		if errors.Is(err, errCommitTSTooLarge) {
			if err = p.fallBack(r, b, i, m); err != nil {
				return err
			}
			continue
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
		return nil
	}
	p.finish(b)
	return nil
}

// committed reports whether cause only arose because the transaction is
// committed on the key already.
func (p *prewrite) committed(r *mvcc.Reader, key []byte, cause error) (bool, error) {
	if !mayBeRepetition(cause) {
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

// mayBeRepetition reports whether a prewrite can fail with cause because an
// earlier attempt of it has succeeded and the transaction was committed since.
func mayBeRepetition(cause error) bool {
	var locked *mvcc.LockedError
	var ke *keyError
	if errors.As(cause, &ke) {
		return ke.pb.Conflict != nil || ke.lockLost
	}
	return errors.As(cause, &locked) || errors.Is(cause, errCommitTSTooLarge)
}

// readTS returns the timestamp at which a key has to be absent that is inserted:
// that of the last statement of a pessimistic transaction.
func (p *prewrite) readTS() uint64 { return max(p.req.StartVersion, p.req.ForUpdateTs) }

// mutate checks one mutation and locks its key.
func (p *prewrite) mutate(r *mvcc.Reader, b *batch, i int, m *kvrpcpb.Mutation) error {
	if m.Op == kvrpcpb.Op_Insert {
		// Whether the key is there is a read, be the answer yes or no: of the instant
		// at which checkNotExists looks.
		p.s.raiseMaxTS(p.readTS())
	}
	own, done, err := p.check(r, i, m)
	if err != nil || done {
		return err
	}
	return p.lock(b, i, m, own)
}

// lock locks the key; own is the pessimistic lock that is replaced, or nil.
func (p *prewrite) lock(b *batch, i int, m *kvrpcpb.Mutation, own *mvcc.Lock) error {
	lock := &mvcc.Lock{
		Primary:     p.req.PrimaryLock,
		StartTS:     p.req.StartVersion,
		TTL:         p.req.LockTtl,
		TxnSize:     p.req.TxnSize,
		ForUpdateTS: p.req.ForUpdateTs,
		MinCommitTS: p.req.MinCommitTs,
	}
	if own != nil {
		lock.TTL, lock.MinCommitTS = max(lock.TTL, own.TTL), max(lock.MinCommitTS, own.MinCommitTS)
		lock.ForUpdateTS = max(lock.ForUpdateTS, own.ForUpdateTS)
	}
	long := false
	switch m.Op {
	case kvrpcpb.Op_Del:
		lock.Type = mvcc.LockDelete
	case kvrpcpb.Op_Lock:
		lock.Type = mvcc.LockLock
	default:
		lock.Type = mvcc.LockPut
		if long = !mvcc.IsShort(m.Value); !long {
			lock.ShortValue = m.Value
			if m.Value == nil {
				lock.ShortValue = []byte{} // nil would say that the value is a long one
			}
		}
	}
	if err := p.choose(b, i, lock); err != nil {
		return err
	}
	if long {
		b.putValue(p.keys[i], lock.StartTS, m.Value)
	}
	p.put(b, i, lock, own != nil)
	return nil
}
