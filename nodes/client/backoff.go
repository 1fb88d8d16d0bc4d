package client

import (
	"fmt"
	"math"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

// cause is why an attempt is to be repeated. Each has its own exponential
// backoff, so that a long wait for one does not slow down the others.
type cause uint8

const (
	causeRegionMiss  cause = iota // the cached region is out of date
	causeNotLeader                // the peer named the leader
	causeNoLeader                 // the peer knows no leader
	causeLost                     // no answer
	causeRefused                  // no connection
	causeBusy                     // the store is overloaded
	causeStale                    // the proposal was overtaken by a change of leader
	causeNotReady                 // the region is in transition
	causeDiskFull                 // the store has no space
	causeLocked                   // a lock of a living transaction is in the way
	causeConflict                 // a statement met a newer commit
	causeTxnNotFound              // a transaction's primary has not arrived yet
	causePlacement                // the placement driver does not answer
	causeRejected                 // the store does not say why
	numCauses
)

// backoffs gives for each cause the upper bound of the first wait, which
// doubles with each repetition, and its limit.
//
//nolint:gochecknoglobals // a constant table
var backoffs = [numCauses]struct {
	name        string
	base, limit time.Duration
	freely      int // so many attempts follow at once
}{
	causeRegionMiss:  {"region miss", 2 * time.Millisecond, 500 * time.Millisecond, 1},
	causeNotLeader:   {"not leader", 2 * time.Millisecond, 200 * time.Millisecond, 1},
	causeNoLeader:    {"no leader", 4 * time.Millisecond, 300 * time.Millisecond, 0},
	causeLost:        {"no answer", 2 * time.Millisecond, 300 * time.Millisecond, 0},
	causeRefused:     {"refused", 4 * time.Millisecond, 300 * time.Millisecond, 0},
	causeBusy:        {"busy", 50 * time.Millisecond, 2 * time.Second, 0},
	causeStale:       {"stale command", 2 * time.Millisecond, 200 * time.Millisecond, 0},
	causeNotReady:    {"not ready", 4 * time.Millisecond, 300 * time.Millisecond, 0},
	causeDiskFull:    {"disk full", 200 * time.Millisecond, 2 * time.Second, 0},
	causeLocked:      {"locked", 10 * time.Millisecond, 500 * time.Millisecond, 0},
	causeConflict:    {"write conflict", 2 * time.Millisecond, 100 * time.Millisecond, 1},
	causeTxnNotFound: {"transaction not found", 10 * time.Millisecond, 500 * time.Millisecond, 0},
	causePlacement:   {"placement", 20 * time.Millisecond, 500 * time.Millisecond, 0},
	causeRejected:    {"rejected", 20 * time.Millisecond, 500 * time.Millisecond, 0},
}

func (c cause) String() string { return backoffs[c].name }

//nolint:gochecknoglobals // marks register once
var markExhausted = invariant.NewMark("client: deadline reached while retrying")

// backoff bounds the attempts of one operation in time. All times are
// monotonic: a jump of the wall clock must not end an operation.
type backoff struct {
	client   *Client
	deadline time.Duration
	attempts [numCauses]uint8
	// replicaAsked: a follower was asked, which may have failed.
	replicaAsked bool
	// lost: the last request, of the kind lostMethod, is of unknown outcome.
	lost       bool
	lostMethod rpc.Method
}

func (c *Client) newBackoff(limit time.Duration) backoff {
	return backoff{client: c, deadline: c.env.Clock.Monotonic() + limit}
}

// fork returns a backoff with the same deadline for a task of its own.
func (b *backoff) fork() backoff { return backoff{client: b.client, deadline: b.deadline} }

func (b *backoff) remaining() time.Duration { return b.deadline - b.client.env.Clock.Monotonic() }

// left is remaining as the limit of a request: zero when there is nothing left.
func (b *backoff) left() time.Duration { return max(b.remaining(), 0) }

// wait sleeps before the next attempt, at least atLeast, and returns ErrDeadline
// with the reason err if there is no time for one.
func (b *backoff) wait(t env.Task, why cause, atLeast time.Duration, err error) error {
	return b.waitWithin(t, why, atLeast, backoffs[why].limit, err)
}

// waitWithin is wait with an upper bound, which gives way to the lower one.
//
// The wait is drawn evenly from nothing to the bound ("full jitter"): clients
// that failed together must not come back together.
func (b *backoff) waitWithin(t env.Task, why cause, atLeast, atMost time.Duration, err error) error {
	remaining := b.remaining()
	if remaining <= 0 {
		markExhausted.Reached()
		return fmt.Errorf("%w (%s): %w", ErrDeadline, why, err)
	}
	table := &backoffs[why]
	n := int(b.attempts[why])
	if n < math.MaxUint8 {
		b.attempts[why]++
	}
	if n < table.freely && atLeast == 0 {
		return nil
	}
	bound := table.limit
	if n -= table.freely; n < 16 {
		bound = min(bound, table.base<<max(n, 0))
	}
	bound = max(min(bound, atMost), 1)
	pause := time.Duration(b.client.jitter.IntN(int(bound))) + 1
	pause = min(max(pause, atLeast), remaining)
	t.Sleep(pause)
	return nil
}
