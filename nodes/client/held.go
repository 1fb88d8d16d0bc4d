package client

import (
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markHeldGone    = invariant.NewMark("client: transaction that asked for its own locks found them gone")
	markHeldExpired = invariant.NewMark("client: transaction that asked for its own locks found them there beyond their TTL")
)

// Held reports whether what a pessimistic transaction has locked is locked still, and has
// been all the time: others release a lock of a transaction only after that of its
// primary, once the TTL of that one is over. A transaction that holds no locks has lost
// none. It asks the primary as a heartbeat does, without extending anything. The error is
// that nobody has answered.
//
// A lock that is there beyond its TTL does not count. Nobody need have met it; but it may
// also be a late copy of the one that was released.
func (tx *Txn) Held(t env.Task) (bool, error) {
	tx.use()
	if tx.lockCount == 0 {
		return true, nil
	}
	c := tx.client
	b := c.newBackoff(c.cfg.OpTimeout)
	resp, err := tx.askPrimary(t, &b, tx.primary, 0)
	if err != nil {
		return false, failed("held", err)
	}
	switch ke := resp.Error; {
	case ke == nil:
	case markHeldGone.Sometimes(ke.TxnNotFound != nil || ke.PrimaryMismatch != nil):
		return false, nil
	default:
		return false, failed("held", keyError(ke))
	}
	// Whoever has released the lock had an earlier timestamp, by which it had expired.
	now, err := c.timestamp(t, &b)
	if err != nil {
		return false, failed("held", err)
	}
	return !markHeldExpired.Sometimes(codec.PhysicalTS(tx.snapshot.ts)+resp.LockTtl < codec.PhysicalTS(now)), nil
}
