package txn

import (
	"errors"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/mvcc"
)

// An async-commit transaction is committed once all its keys are locked: its
// commit timestamp is the greatest of the minimal ones that the stores have
// chosen for its keys. A transaction whose keys lie in one region, and in one
// request, needs no locks at all: the store commits it at once, at such a
// timestamp (one-phase commit).
//
// A timestamp chosen here has to exceed that of every read which has not seen,
// and will not see, the transaction. Reads of the past are covered by max_ts,
// those of the future find the lock, in memory until it is applied. Choosing and
// publishing happen within one instant, under the key's latch.

// choice is how a prewrite commits, and at which timestamp.
type choice struct {
	async, onePC bool // as long as it did not fall back
	// declined: a key keeps the transaction from committing in this way.
	declined bool
	minTS    uint64 // the greatest minimal commit timestamp so far
	// locks are those that one-phase commit is going to replace, by mutation.
	locks []pendingCommit
}

// pendingCommit is a key that one-phase commit is going to write.
type pendingCommit struct {
	key  []byte
	lock *mvcc.Lock
	// locked: the key has a pessimistic lock, which is to be removed.
	locked bool
}

// errCommitTSTooLarge says that the transaction would commit at a timestamp that
// its client does not admit.
var errCommitTSTooLarge = errors.New("the minimal commit timestamp is above the maximal one")

// begin decides how the transaction may commit.
func (p *prewrite) begin(snapshot Snapshot) error {
	p.choice = choice{async: p.req.UseAsyncCommit && !p.req.TryOnePc, onePC: p.req.TryOnePc}
	if !p.choice.async && !p.choice.onePC {
		return nil
	}
	if region := snapshot.Region(); !p.s.maxTSSynced(region.GetId(), snapshot.Term()) {
		markMaxTSNotSynced.Reached()
		return maxTSNotSyncedError()
	}
	return nil
}

// found takes a lock into account that an earlier attempt has left.
func (c *choice) found(lock *mvcc.Lock) {
	if !lock.UseAsyncCommit || c.onePC {
		// That attempt was to be followed by a second phase.
		markAsyncDeclined.Sometimes(c.async || c.onePC)
		c.declined = true
		return
	}
	c.minTS = max(c.minTS, lock.MinCommitTS)
}

// answer returns what the client is told: zeros ask for the second phase.
func (c *choice) answer() (minCommitTS, onePCCommitTS uint64) {
	switch {
	case c.declined:
		return 0, 0
	case c.onePC:
		return 0, c.minTS
	case c.async:
		return c.minTS, 0
	default:
		return 0, 0
	}
}

// choose sets the minimal commit timestamp of the lock on the i-th key and makes
// the lock visible to reads.
func (p *prewrite) choose(b *batch, i int, lock *mvcc.Lock) error {
	c := &p.choice
	if !c.async && !c.onePC {
		return nil
	}
	ts := max(p.s.maxTS, lock.StartTS, lock.ForUpdateTS) + 1
	ts = max(ts, lock.MinCommitTS)
	if p.req.MaxCommitTs != 0 && ts > p.req.MaxCommitTs {
		markCommitTSTooLarge.Reached()
		return errCommitTSTooLarge
	}
	lock.MinCommitTS = ts
	lock.UseAsyncCommit, lock.UseOnePC = c.async, c.onePC
	if c.async && isPrimary(p.keys[i], lock) {
		lock.Secondaries = p.req.Secondaries
	}
	c.minTS = max(c.minTS, ts)
	p.s.memory.publish(p.keys[i], lock)
	b.published = append(b.published, p.keys[i])
	return nil
}

// put stores the lock, unless one-phase commit is going to do better.
func (p *prewrite) put(b *batch, i int, lock *mvcc.Lock, locked bool) {
	if p.choice.onePC {
		p.choice.locks = append(p.choice.locks, pendingCommit{p.keys[i], lock, locked})
		return
	}
	b.putLock(p.keys[i], lock)
}

// fallBack makes the i-th key and all later ones ask for the second phase, whose
// timestamp comes from the oracle. One-phase commit has to give up the earlier
// keys too, for all are committed at once or none.
func (p *prewrite) fallBack(r *mvcc.Reader, b *batch, i int, m *kvrpcpb.Mutation) error {
	earlier := p.choice.locks
	p.choice = choice{declined: true}
	for _, e := range earlier {
		e.lock.UseOnePC = false
		b.putLock(e.key, e.lock)
	}
	return p.mutate(r, b, i, m)
}

// finish replaces the locks of a one-phase commit by commit records.
func (p *prewrite) finish(b *batch) {
	c := &p.choice
	if !c.onePC {
		return
	}
	for _, e := range c.locks {
		if c.declined {
			markOnePCDeclined.Reached()
			e.lock.UseOnePC = false
			b.putLock(e.key, e.lock)
			continue
		}
		if e.locked {
			b.deleteLock(e.key)
		}
		w := mvcc.Write{Type: mvcc.CommittedType(e.lock.Type), StartTS: e.lock.StartTS, ShortValue: e.lock.ShortValue}
		b.putWrite(e.key, c.minTS, &w)
	}
}
