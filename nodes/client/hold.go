package client

import (
	"slices"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markHold        = invariant.NewMark("client: garbage collection held back for a long transaction")
	markHoldTooLate = invariant.NewMark("client: transaction older than what garbage collection may have taken")
	markHoldEnded   = invariant.NewMark("client: garbage collection no longer held back")
)

// Holder keeps garbage collection from what somebody still reads.
type Holder interface {
	// UpdateServiceGCSafePoint asks to keep what is visible at ts for as long as
	// ttl; none ends that, up to ts. It returns the least timestamp at which anybody reads:
	// if that is above ts, it is too late.
	UpdateServiceGCSafePoint(t env.Task, service string, ts uint64, ttl time.Duration) (least uint64, err error)
}

// HoldSnapshots keeps garbage collection from the snapshots of transactions that
// last long, as TiDB's servers do by reporting their oldest one. What is asked
// for lapses after ttl. Six times in that time it is renewed, for the oldest
// transaction that is open for longer than a sixth of it: none is older than a third
// of ttl when it is asked for first, so a lifetime of data of at least half of ttl leaves no
// transaction of a client that reaches placement without its snapshot. When placement gets
// another leader, its clock leaps by a timestamp window at most; what was not asked for by
// then needs a lifetime that is longer than the window. If a client does not reach placement,
// its old snapshots are refused.
func (c *Client) HoldSnapshots(holder Holder, ttl time.Duration) {
	c.env.Sched.Go("hold snapshots", func(t env.Task) {
		held := uint64(0)
		for {
			t.Sleep(ttl / 6)
			held = c.hold(t, holder, ttl, held)
		}
	})
}

// hold asks for what the oldest transaction needs. It returns the timestamp from which on
// something may be held back from now on, 0 if nothing is.
func (c *Client) hold(t env.Task, holder Holder, ttl time.Duration, held uint64) uint64 {
	service := "client " + c.env.Name
	oldest, ok := c.oldest(ttl / 6)
	switch {
	case ok:
		markHold.Reached()
		least, err := holder.UpdateServiceGCSafePoint(t, service, oldest, ttl)
		markHoldTooLate.Sometimes(err == nil && least > oldest)
		return oldest
	case held != 0:
		markHoldEnded.Reached()
		if _, err := holder.UpdateServiceGCSafePoint(t, service, held, 0); err != nil {
			return held
		}
	}
	return 0
}

// open is a transaction that has begun and not ended.
type open struct {
	startTS uint64
	began   time.Duration // monotonic
}

// oldest returns the start timestamp of the oldest transaction, if one is open
// for longer than age.
func (c *Client) oldest(age time.Duration) (startTS uint64, ok bool) {
	startTS = codec.MaxTS
	for _, o := range c.open {
		if c.env.Clock.Monotonic()-o.began > age {
			startTS, ok = min(startTS, o.startTS), true
		}
	}
	return startTS, ok
}

func (c *Client) opened(tx *Txn) { c.open = append(c.open, open{tx.snapshot.ts, tx.began}) }

func (c *Client) closed(tx *Txn) {
	c.open = slices.DeleteFunc(c.open, func(o open) bool { return o.startTS == tx.snapshot.ts })
}
