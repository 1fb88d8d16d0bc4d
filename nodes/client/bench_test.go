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

// BenchmarkCommit counts what a transaction of two keys costs in each mode, in one
// region or two: rounds until the answer, timestamps, and proposals in all; and before
// that, what the one statement costs that locks both keys.
func BenchmarkCommit(b *testing.B) {
	for _, mode := range []CommitMode{TwoPhase, AsyncCommit, OnePhase} {
		for _, pessimistic := range []bool{false, true} {
			for _, regions := range []int{1, 2} {
				name := fmt.Sprintf("%v/pessimistic=%v/regions=%d", mode, pessimistic, regions)
				b.Run(name, func(b *testing.B) { benchmarkCommit(b, TxnOptions{Commit: mode, Pessimistic: pessimistic}, regions) })
			}
		}
	}
}

func benchmarkCommit(b *testing.B, options TxnOptions, regions int) {
	var splits []string
	if regions == 2 {
		splits = []string{"m"}
	}
	rounds := 0
	cfg := Config{Txn: options, Committed: func(_ CommitMode, n int) { rounds += n }}
	c := newCluster(b, 1, cfg, false, splits...)
	var timestamps, proposals, locked, lockRequests uint64
	c.run(func(t env.Task) {
		for range b.N {
			tx, _ := c.client.Begin(t)
			keys := [][]byte{[]byte("a"), []byte("z")}
			c.proposals = 0
			if err := tx.Lock(t, keys...); options.Pessimistic && err != nil {
				b.Fatal(err)
			}
			for _, key := range keys {
				tx.Set(key, []byte("1"))
			}
			c.settle(t)
			before := c.client.Stats().Timestamps
			locked += c.proposals
			c.proposals = 0
			if err := tx.Commit(t); err != nil {
				b.Fatal(err)
			}
			c.settle(t)
			timestamps += c.client.Stats().Timestamps - before
			proposals += c.proposals
		}
		lockRequests = c.client.Stats().Calls[rpc.KvPessimisticLock]
	})
	n := float64(b.N)
	b.ReportMetric(float64(rounds)/n, "rounds/commit")
	b.ReportMetric(float64(timestamps)/n, "timestamps/commit")
	b.ReportMetric(float64(proposals)/n, "proposals/commit")
	b.ReportMetric(float64(locked)/n, "proposals/lock")
	b.ReportMetric(float64(lockRequests)/n, "requests/lock")
}
