package client

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// instant is a transport on which every request succeeds at once, so that only
// the client's own work is measured.
type instant struct{ *cluster }

func (instant) Call(_ env.Task, _ env.Addr, _ rpc.Method, req, resp rpc.Message, _ time.Duration) error {
	switch r := resp.(type) {
	case *kvrpcpb.GetResponse:
		r.Value = []byte("100")
	case *kvrpcpb.CommitResponse:
		r.CommitVersion = req.(*kvrpcpb.CommitRequest).CommitVersion
	}
	return nil
}

func (i instant) GetTS(env.Task, time.Duration) (uint64, error) { return i.tick(), nil }

// BenchmarkTransfer is what a transfer between two accounts in different regions
// costs the client: two reads, two prewrites, two commits.
func BenchmarkTransfer(b *testing.B) {
	c := newCluster(b, 1, Config{}, false, "h", "p")
	i := instant{c}
	client := NewWithTransport(c.env, i, i, Config{})
	from, to := []byte("account1"), []byte("zaccount2")
	b.ReportAllocs()
	c.run(func(t env.Task) {
		for range b.N {
			tx, _ := client.Begin(t)
			value, _, _ := tx.Get(t, from)
			_, _, _ = tx.Get(t, to)
			tx.Set(from, value)
			tx.Set(to, value)
			x := newCommitter(tx)
			_ = x.prewrite(t)
			tx.heartbeat.stop()
			_, _ = x.commitPrimary(t)
		}
	})
}

// BenchmarkLocate is a lookup in a cache of a thousand regions.
func BenchmarkLocate(b *testing.B) {
	var splits []string
	for i := range 999 {
		splits = append(splits, string([]byte{byte(i/100) + '0', byte(i/10%10) + '0', byte(i%10) + '0'}))
	}
	c := newCluster(b, 1, Config{}, true, splits[1:]...)
	c.run(func(t env.Task) {
		bo := c.client.newBackoff(time.Hour)
		for _, key := range splits {
			if _, err := c.client.locate(t, &bo, []byte(key)); err != nil {
				b.Fatal(err)
			}
		}
		key := []byte("555x")
		b.ResetTimer()
		b.ReportAllocs()
		for range b.N {
			_, _ = c.client.locate(t, &bo, key)
		}
	})
}

// commitCosts is what transactions of two keys cost, in all. The cluster has one replica
// of each region: what the store asks to have proposed counts as a proposal, and nothing of
// what raft sends for it.
type commitCosts struct {
	rounds, timestamps, proposals uint64 // of the commits: rounds until the answer
	lockRequests, lockProposals   uint64 // before that, of the one statement that locks both keys
}

// measureCommits measures n transactions whose keys lie in one region or in two.
func measureCommits(tb testing.TB, options TxnOptions, regions, n int) (cost commitCosts) {
	var splits []string
	if regions == 2 {
		splits = []string{"m"}
	}
	cfg := Config{Txn: options, Committed: func(_ CommitMode, n int) { cost.rounds += uint64(n) }}
	c := newCluster(tb, 1, cfg, false, splits...)
	c.run(func(t env.Task) {
		for range n {
			tx, _ := c.client.Begin(t)
			keys := [][]byte{[]byte("a"), []byte("z")}
			c.proposals = 0
			if err := tx.Lock(t, keys...); options.Pessimistic && err != nil {
				tb.Fatal(err)
			}
			for _, key := range keys {
				tx.Set(key, []byte("1"))
			}
			c.settle(t)
			before := c.client.Stats().Timestamps
			cost.lockProposals += c.proposals
			c.proposals = 0
			if err := tx.Commit(t); err != nil {
				tb.Fatal(err)
			}
			c.settle(t)
			cost.timestamps += c.client.Stats().Timestamps - before
			cost.proposals += c.proposals
		}
		cost.lockRequests = c.client.Stats().Calls[rpc.KvPessimisticLock]
	})
	return cost
}

// TestCommitCosts: the modes of commit cost what docs/benchmarks.md says, whether the
// locks are held before or not.
func TestCommitCosts(t *testing.T) {
	const n = 3
	for _, c := range []struct {
		mode    CommitMode
		regions int
		want    commitCosts // of one transaction
	}{
		{TwoPhase, 1, commitCosts{rounds: 2, timestamps: 1, proposals: 2}},
		{TwoPhase, 2, commitCosts{rounds: 2, timestamps: 1, proposals: 4}},
		{AsyncCommit, 1, commitCosts{rounds: 1, timestamps: 1, proposals: 2}},
		{AsyncCommit, 2, commitCosts{rounds: 1, timestamps: 1, proposals: 4}},
		{OnePhase, 1, commitCosts{rounds: 1, timestamps: 1, proposals: 1}},
		{OnePhase, 2, commitCosts{rounds: 1, timestamps: 1, proposals: 4}},
	} {
		for _, pessimistic := range []bool{false, true} {
			want := commitCosts{rounds: n * c.want.rounds, timestamps: n * c.want.timestamps, proposals: n * c.want.proposals}
			if pessimistic {
				want.lockRequests, want.lockProposals = 2*n, 2*n
			}
			if got := measureCommits(t, TxnOptions{Commit: c.mode, Pessimistic: pessimistic}, c.regions, n); got != want {
				t.Errorf("%v, pessimistic %v, %d regions: %d transactions cost %+v, want %+v", c.mode, pessimistic, c.regions, n, got, want)
			}
		}
	}
}

// BenchmarkCommit prints what a transaction of two keys costs in each mode, in one
// region or two.
func BenchmarkCommit(b *testing.B) {
	for _, mode := range []CommitMode{TwoPhase, AsyncCommit, OnePhase} {
		for _, pessimistic := range []bool{false, true} {
			for _, regions := range []int{1, 2} {
				name := fmt.Sprintf("%v/pessimistic=%v/regions=%d", mode, pessimistic, regions)
				b.Run(name, func(b *testing.B) {
					cost, n := measureCommits(b, TxnOptions{Commit: mode, Pessimistic: pessimistic}, regions, b.N), float64(b.N)
					b.ReportMetric(float64(cost.rounds)/n, "rounds/commit")
					b.ReportMetric(float64(cost.timestamps)/n, "timestamps/commit")
					b.ReportMetric(float64(cost.proposals)/n, "proposals/commit")
					b.ReportMetric(float64(cost.lockProposals)/n, "proposals/lock")
					b.ReportMetric(float64(cost.lockRequests)/n, "requests/lock")
				})
			}
		}
	}
}
