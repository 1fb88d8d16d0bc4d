package client

import (
	"errors"
	"fmt"
	"time"

	"simrun/nodes/env"
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
}

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
		c.env.Clock.Monotonic() < s.silentAt+c.cfg.SuspectFor
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
