package runner

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/scenarios/cluster"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// story is a history of transactions and what their stores tell of it, in thousandths
// of the bound from a minute on.
type story struct {
	unit  time.Duration
	ops   []history.Op
	waits []cluster.LockWait
}

func (s *story) at(n int64) int64 { return int64(time.Minute + time.Duration(n)*s.unit) }

// txn adds a transaction that locks a key, or would have.
func (s *story) txn(client int, ts uint64, from, to int64, outcome history.Outcome) *story {
	s.ops = append(s.ops, history.Op{
		Client: client, Kind: history.Txn, Phase: phaseStorm, Outcome: outcome, Invoke: s.at(from), Return: s.at(to),
		Txn: &history.TxnRecord{StartTS: ts, Pessimistic: true, Ops: []history.TxnOp{{Kind: history.TxnLock, Key: "a"}}},
	})
	return s
}

// read adds a transaction that reads its snapshot.
func (s *story) read(client int, ts uint64, from, to int64) *story {
	s.txn(client, ts, from, to, history.OK)
	x := s.ops[len(s.ops)-1].Txn
	x.Pessimistic, x.Ops[0].Kind = false, history.TxnRead
	return s
}

// wait tells that a transaction was in the queue for a lock of another one.
func (s *story) wait(waiter, holder uint64, from, to int64) *story {
	s.waits = append(s.waits, cluster.LockWait{Waiter: waiter, Holder: holder, From: s.at(from), To: s.at(to)})
	return s
}

// Beside those who lock, a client is excused for the time that it stood in a queue for
// the lock of somebody who was under way, and for nothing else; whoever is at the end
// of the waits is not. Stories are told in thousandths of the bound; whoever was in a
// queue has up to 390 more.
func TestAvailabilityBesideLocks(t *testing.T) {
	const ok, failed, unknown = history.OK, history.Failed, history.Unknown
	for _, c := range []struct {
		name string
		tell func(s *story)
		bad  []string // what is found, in order
	}{
		{"in a queue until the holder ended", func(s *story) { s.txn(2, 2, 0, 900, ok).txn(1, 1, 0, 2100, ok).wait(1, 2, 10, 900) }, nil},
		{"one after the other holds it", func(s *story) {
			s.txn(2, 2, 0, 600, ok).txn(2, 3, 600, 1200, ok).txn(1, 1, 0, 2300, ok).wait(1, 2, 10, 600).wait(1, 3, 640, 1200)
		}, nil},
		{"in two queues at once", func(s *story) {
			s.txn(2, 2, 0, 500, ok).txn(3, 3, 0, 500, ok).txn(1, 1, 0, 2100, ok).wait(1, 2, 0, 500).wait(1, 3, 0, 400)
		}, []string{"client1"}},
		// The outage of one key: many end, and whoever comes to the key does not.
		{"others end", func(s *story) {
			s.txn(2, 2, 0, 400, ok).txn(2, 3, 400, 800, ok).txn(1, 1, 0, 1100, ok)
		}, []string{"client1"}},
		{"others end, and the one that is held up is waited for", func(s *story) {
			s.txn(2, 2, 0, 400, ok).txn(2, 3, 400, 1000, ok).txn(1, 1, 0, 1100, ok).txn(3, 9, 100, 1300, ok).wait(9, 1, 100, 1100)
		}, []string{"client1"}},
		{"after a leader is gone, in no queue", func(s *story) {
			s.txn(2, 2, 0, 900, ok).txn(1, 1, 0, 1600, ok).wait(1, 2, 10, 100)
		}, []string{"client1"}},
		{"for a lock whose holder has its answer", func(s *story) {
			s.txn(2, 2, 0, 100, ok).txn(1, 1, 0, 1600, ok).wait(1, 2, 10, 1600)
		}, []string{"client1"}},
		{"for a lock of nobody", func(s *story) { s.txn(1, 1, 0, 1100, ok).wait(1, 77, 10, 1100) }, []string{"client1"}},
		{"while another transaction of its was in a queue", func(s *story) {
			s.txn(2, 2, 0, 900, ok).txn(1, 1, 0, 1100, ok).wait(5, 2, 10, 900)
		}, []string{"client1"}},
		{"before it began", func(s *story) {
			s.txn(2, 2, 0, 900, ok).txn(1, 1, 0, 1100, ok).wait(1, 2, -500, 0)
		}, []string{"client1"}},
		{"over several transactions", func(s *story) {
			s.txn(1, 1, 0, 700, unknown).txn(2, 2, 0, 1000, ok).txn(1, 3, 700, 1800, ok).wait(1, 2, 200, 700).wait(3, 2, 700, 1100)
		}, nil},
		{"a read, which passes such locks", func(s *story) {
			s.txn(2, 2, 0, 400, ok).txn(2, 3, 400, 1000, ok).read(1, 1, 0, 1100)
		}, []string{"client1"}},
		// No excuse holds for ever.
		{"in queues beyond all bounds", func(s *story) {
			for i := range int64(7) {
				s.txn(2, uint64(2+i), 400*i, 400*i+400, ok).wait(1, uint64(2+i), 400*i, 400*i+400)
			}
			s.txn(1, 1, 0, 2800, ok)
		}, []string{"client1 was not served, whoever"}},
		{"a circle that nobody finds", func(s *story) {
			s.txn(1, 1, 0, 2800, ok).txn(2, 2, 0, 2800, ok).wait(1, 2, 0, 2800).wait(2, 1, 0, 2800)
		}, []string{"client1 was not served, whoever", "no transaction", "client2"}},
		// Ends that are no successes.
		{"all fail", func(s *story) {
			for i := range int64(7) {
				s.txn(1, uint64(2+i), 400*i, 400*i+400, failed)
			}
		}, []string{"no transaction that locks succeeded"}},
		{"one succeeds", func(s *story) {
			for i := range int64(7) {
				s.txn(1, uint64(2+i), 400*i, 400*i+400, []history.Outcome{failed, ok}[i/3%2])
			}
		}, nil},
		{"all fail, and most of the time nobody asks", func(s *story) {
			for i := range int64(7) {
				s.txn(1, uint64(2+i), 600*i, 600*i+200, failed)
			}
		}, nil},
	} {
		p := rolling()
		p.Cluster.API, p.Workload.Name, p.Workload.Clients, p.Knobs.Pessimistic = plan.Txn, "bank", 3, 500
		s := &story{unit: availabilityBound(p) / 1000}
		if deadlockBound(p) > 390*s.unit {
			t.Fatalf("the stories are of another bound than %v", deadlockBound(p))
		}
		c.tell(s)
		slices.SortStableFunc(s.ops, func(a, b history.Op) int { return cmp.Compare(a.Return, b.Return) })
		r, _ := (&timeline{}).checkAvailability(p, &history.History{Ops: s.ops}, s.waits)
		found := len(r.Findings) == len(c.bad)
		for i := 0; found && i < len(c.bad); i++ {
			found = strings.Contains(r.Findings[i].Message, c.bad[i])
		}
		if !found {
			t.Errorf("%s: not %q, but %+v", c.name, c.bad, r.Findings)
		}
	}
}
