package client

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// TestBackoff checks that waits stay within their bounds and end at the
// deadline, which a jump of the wall clock does not move.
func TestBackoff(t *testing.T) {
	c := newCluster(t, 1, Config{}, true)
	c.run(func(task env.Task) {
		b := c.client.newBackoff(time.Second)
		c.world.Node("client1").JumpClock(24 * time.Hour)
		var longest time.Duration
		for n := 0; ; n++ {
			from := c.env.Clock.Monotonic()
			if err := b.wait(task, causeLost, 0, errNoAnswer); err != nil {
				break
			}
			slept := c.env.Clock.Monotonic() - from
			longest = max(longest, slept)
			if bound := backoffs[causeLost].base << n; n < 8 && slept > bound {
				t.Errorf("wait %d took %v of at most %v", n, slept, bound)
			}
		}
		if left := b.remaining(); left != 0 {
			t.Errorf("gave up %v before the deadline", left)
		}
		if longest > backoffs[causeLost].limit || longest < backoffs[causeLost].limit/4 {
			t.Errorf("longest wait was %v with a limit of %v", longest, backoffs[causeLost].limit)
		}
		b = c.client.newBackoff(time.Second)
		from := c.env.Clock.Monotonic()
		_ = b.wait(task, causeBusy, 700*time.Millisecond, errNoAnswer)
		if slept := c.env.Clock.Monotonic() - from; slept != 700*time.Millisecond {
			t.Errorf("waited %v, told to wait 700ms", slept)
		}
	})
}

// TestStatusCache checks that only so many fates are kept, the latest.
func TestStatusCache(t *testing.T) {
	sc := statusCache{commitTS: map[uint64]uint64{}}
	for ts := range uint64(3 * statusCacheSize) {
		sc.add(ts, ts+1)
		sc.add(ts, ts+1)
	}
	if len(sc.commitTS) != statusCacheSize || sc.commitTS[3*statusCacheSize-1] != 3*statusCacheSize {
		t.Errorf("cache holds %d fates", len(sc.commitTS))
	}
	defer func() {
		if recover() == nil {
			t.Error("a second fate of a transaction was accepted")
		}
	}()
	sc.add(3*statusCacheSize-1, 0)
}

// TestReadStatus checks what each answer about a transaction is taken for. Only
// an end is remembered.
func TestReadStatus(t *testing.T) {
	c := newCluster(t, 1, Config{}, false).client
	start, now := codec.ComposeTS(1000, 0), codec.ComposeTS(1400, 0)
	async := &kvrpcpb.LockInfo{UseAsyncCommit: true}
	left := 601 * time.Millisecond // of a TTL of one second, and the millisecond in which it ends
	for i, tc := range []struct {
		resp *kvrpcpb.CheckTxnStatusResponse
		want txnStatus
	}{
		{&kvrpcpb.CheckTxnStatusResponse{LockTtl: 1000}, txnStatus{left: left}},
		{&kvrpcpb.CheckTxnStatusResponse{LockTtl: 1000, Action: kvrpcpb.Action_MinCommitTSPushed}, txnStatus{left: left, pushed: true}},
		{&kvrpcpb.CheckTxnStatusResponse{LockTtl: 1000, LockInfo: async}, txnStatus{left: left, async: async}},
		{&kvrpcpb.CheckTxnStatusResponse{CommitVersion: 7}, txnStatus{ended: true, commitTS: 7}},
		{&kvrpcpb.CheckTxnStatusResponse{}, txnStatus{ended: true}},
		{&kvrpcpb.CheckTxnStatusResponse{Action: kvrpcpb.Action_TTLExpireRollback}, txnStatus{ended: true}},
		{&kvrpcpb.CheckTxnStatusResponse{Action: kvrpcpb.Action_LockNotExistRollback}, txnStatus{ended: true}},
		{&kvrpcpb.CheckTxnStatusResponse{Action: kvrpcpb.Action_TTLExpirePessimisticRollback}, txnStatus{unlock: true}},
		{&kvrpcpb.CheckTxnStatusResponse{Action: kvrpcpb.Action_LockNotExistDoNothing}, txnStatus{unlock: true}},
	} {
		ts := start + uint64(i)
		if got := c.readStatus(tc.resp, ts, now); got != tc.want {
			t.Errorf("%v: %+v, want %+v", tc.resp, got, tc.want)
		}
		if commitTS, known := c.statuses.commitTS[ts]; known != tc.want.ended || commitTS != tc.want.commitTS {
			t.Errorf("%v: remembered %v %d", tc.resp, known, commitTS)
		}
	}
}
