package client

import (
	"errors"
	"fmt"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

var (
	errNoRegion = errors.New("no region is known")
	errNoStore  = errors.New("store has no address")
)

// store is what the client knows of one store.
type store struct {
	addr env.Addr // 0: not known
	// silentAt is the monotonic time at which it became known that the store had not
	// answered; 0 since it answers.
	silentAt time.Duration
	// suspectFor is how long it is passed over since then.
	suspectFor time.Duration
}

// suspectDoublings is how often the time doubles for which a silent store is passed over.
const suspectDoublings = 3

// wasSilent notes that the store did not answer. If it does not when it gets another
// chance either, it is passed over for twice as long: whatever else gets lost costs a
// client as many timeouts more as there are dead stores that it tries again, and its
// operation may have time for few.
func (s *store) wasSilent(now, suspectFor time.Duration) {
	switch {
	case s.silentAt == 0:
		s.suspectFor = suspectFor
	case now >= s.silentAt+s.suspectFor: // not one of several that were under way together
		markSilentAgain.Reached()
		s.suspectFor = min(2*s.suspectFor, suspectFor<<suspectDoublings)
	}
	s.silentAt = now
}

// answers notes that the store answers.
func (s *store) answers() { s.silentAt = 0 }

//nolint:gochecknoglobals // marks register once
var markSilentAgain = invariant.NewMark("client: store silent again when it was asked after a while")

// storeCache holds the stores by id. Placement owns their addresses.
type storeCache struct {
	stores map[uint64]*store
}

func (sc *storeCache) get(id uint64) *store {
	s := sc.stores[id]
	if s == nil {
		s = &store{}
		sc.stores[id] = s
	}
	return s
}

// forget drops the address of a store, which turned out to be another's.
func (sc *storeCache) forget(id uint64) { sc.get(id).addr = 0 }

// isSuspect reports whether a store has not answered lately, and nobody has
// vouched for it since: the last one did at the monotonic time vouched.
func (c *Client) isSuspect(id uint64, vouched time.Duration) bool {
	s := c.stores.stores[id]
	return s != nil && s.silentAt > 0 && s.silentAt >= vouched &&
		c.env.Clock.Monotonic() < s.silentAt+s.suspectFor
}

// address returns the address of a store.
func (c *Client) address(t env.Task, b *backoff, id uint64) (env.Addr, error) {
	s := c.stores.get(id)
	if s.addr != 0 {
		return s.addr, nil
	}
	meta, err := c.placement.GetStore(t, id, b.left())
	if err != nil {
		return 0, fmt.Errorf("address of store %d: %w", id, err)
	}
	addr, ok := c.env.Net.Resolve(meta.GetAddress())
	if !ok || addr == 0 {
		return 0, fmt.Errorf("address of store %d: %q: %w", id, meta.GetAddress(), errNoStore)
	}
	s.addr = addr
	return addr, nil
}
