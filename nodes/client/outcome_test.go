package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// step is a request of a transaction that writes key "a" (its primary) and key
// "i" in different regions.
type step struct {
	name   string
	method rpc.Method
	skip   int // requests of that method before it
}

// trouble is what happens to the request.
type trouble struct {
	name string
	rule rule
}

// outcomes puts each kind of trouble on each step of a transaction, once and from
// then on, and returns what the client is told and whether the transaction took
// effect in the end. The two must agree: what failed never takes effect, what is
// unknown may or may not, and nothing takes effect in part.
func outcomes(t *testing.T, options TxnOptions) string {
	steps := []step{
		{"begin", rpc.PdTso, 0},
		{"prewrite of primary", rpc.KvPrewrite, 0},
		{"prewrite of secondary", rpc.KvPrewrite, 1},
		{"commit timestamp", rpc.PdTso, 1},
		{"commit of primary", rpc.KvCommit, 0},
		{"commit of secondary", rpc.KvCommit, 1},
	}
	switch {
	case options.Commit != TwoPhase:
		// There is no second phase that anybody waits for.
		steps = append(steps[:1], step{"least timestamp", rpc.PdTso, 1})
		steps = append(steps, step{"prewrite of primary", rpc.KvPrewrite, 0})
		if options.Commit == AsyncCommit {
			steps = append(steps, step{"prewrite of secondary", rpc.KvPrewrite, 1}, step{"commit", rpc.KvCommit, 0})
		}
	case options.Pessimistic:
		steps[3].skip = 2 // the first one is that of the statement
		steps = append(steps, step{"timestamp of the statement", rpc.PdTso, 1})
	}
	if options.Pessimistic {
		steps = append(steps, step{"lock of primary", rpc.KvPessimisticLock, 0}, step{"lock of secondary", rpc.KvPessimisticLock, 1})
	}
	troubles := []trouble{
		{"request lost", rule{dropReq: true}},
		{"response lost", rule{dropResp: true}},
		{"request late", rule{delay: 700 * time.Millisecond}},
		{"refused", rule{refuse: true}},
		{"not leader", rule{answer: &errorpb.Error{NotLeader: &errorpb.NotLeader{}}}},
		{"too large", rule{answer: &errorpb.Error{RaftEntryTooLarge: &errorpb.RaftEntryTooLarge{}}}},
		{"strange error", rule{answer: &errorpb.Error{Message: "strange"}}},
	}
	var table strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&table, "%s\n", s.name)
		for _, tr := range troubles {
			if s.method == rpc.PdTso && tr.name != "request lost" {
				continue // placement answers or it does not
			}
			once, always := outcome(t, options, s, tr, 1), outcome(t, options, s, tr, 1000)
			fmt.Fprintf(&table, "  %-14s once: %-20s always: %s\n", tr.name, once, always)
		}
	}
	return table.String()
}

func outcome(t *testing.T, options TxnOptions, s step, tr trouble, times int) string {
	t.Helper()
	splits := []string{"h"}
	if options.Commit == OnePhase {
		splits = nil
	}
	c := newCluster(t, 1, Config{
		RPCTimeout: 200 * time.Millisecond, OpTimeout: time.Second, CommitTimeout: time.Second, Txn: options,
	}, false, splits...)
	r := tr.rule
	r.method, r.skip, r.times = s.method, s.skip, times
	var err error
	var pairs []Pair
	c.run(func(task env.Task) {
		warm, _ := c.client.BeginWith(task, TxnOptions{})
		_, _ = warm.BatchGet(task, [][]byte{[]byte("a"), []byte("i")})
		c.rules = []*rule{&r}
		var tx *Txn
		if tx, err = c.client.Begin(task); err == nil {
			if options.Pessimistic {
				err = tx.Lock(task, []byte("a"), []byte("i"))
			}
			if err == nil {
				tx.Set([]byte("a"), []byte("1"))
				tx.Set([]byte("i"), []byte("1"))
				err = tx.Commit(task)
			}
			tx.Rollback(task)
			if (tx.CommitTS() != 0) != !errors.Is(err, ErrFailed) && options.Commit == TwoPhase {
				t.Errorf("%s, %s: commit timestamp %d with outcome %v", s.name, tr.name, tx.CommitTS(), err)
			}
		}
		c.settle(task)
		c.rules = nil
		task.Sleep(10 * time.Second)
		reader, e := c.client.BeginWith(task, TxnOptions{})
		if e != nil {
			t.Fatal(e)
		}
		if pairs, e = reader.BatchGet(task, [][]byte{[]byte("a"), []byte("i")}); e != nil {
			t.Fatal(e)
		}
	})
	effect := map[int]string{0: "no effect", 1: "PARTIAL", 2: "effect"}[len(pairs)]
	if len(pairs) == 1 || err == nil && len(pairs) == 0 || errors.Is(err, ErrFailed) && len(pairs) > 0 {
		t.Errorf("%s, %s %d times: client is told %v, but there is %s", s.name, tr.name, times, err, effect)
	}
	if len(c.lockedKeys()) > 0 {
		effect += ", locks left"
	}
	return strings.Split(c.describeError(err), ":")[0] + ", " + effect
}
