// Package timestamps checks an oracle: it hands out each timestamp once, and
// timestamps agree with real time. One that was asked for after another had been
// returned is greater, whoever asked and whoever answered.
//
// The timestamps of transactions are the business of the package isolation.
package timestamps

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Name is the checker's name in results.
const Name = "timestamps"

// stamp is one timestamp that a client was given.
type stamp struct {
	op *history.Op
	ts uint64
}

// Check looks at all operations of the kind Timestamp that were answered. It
// sorts them and goes over them twice. Without any the answer is Unknown.
func Check(h *history.History) verdict.Result {
	r := verdict.Result{Checker: Name}
	var stamps []stamp
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Kind != history.Timestamp || op.Outcome != history.OK {
			continue
		}
		r.Checked++
		ts, err := strconv.ParseUint(*op.Value, 10, 64)
		if err != nil {
			r.Add(verdict.Finding{
				Anomaly: verdict.GarbageRead, Evidence: []int{op.ID},
				Message: fmt.Sprintf("operation %d of client %d got the timestamp %q, which is no number", op.ID, op.Client, *op.Value),
			})
			continue
		}
		stamps = append(stamps, stamp{op, ts})
	}
	if r.Checked == 0 {
		r.Undecided("no timestamp was handed out")
		return r
	}
	unique(&r, slices.Clone(stamps))
	realTime(&r, stamps)
	return r
}

// unique looks for timestamps that were handed out twice.
func unique(r *verdict.Result, stamps []stamp) {
	slices.SortFunc(stamps, func(a, b stamp) int {
		return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.op.ID, b.op.ID))
	})
	for i := 1; i < len(stamps); i++ {
		if a, b := stamps[i-1], stamps[i]; a.ts == b.ts {
			r.Add(verdict.Finding{
				Anomaly: verdict.TimestampDup, Evidence: []int{b.op.ID, a.op.ID},
				Message: fmt.Sprintf("timestamp %d was given to operation %d of client %d and to operation %d of client %d",
					a.ts, a.op.ID, a.op.Client, b.op.ID, b.op.Client),
			})
		}
	}
}

// realTime goes through the operations in the order in which they were invoked
// and keeps the greatest timestamp of those that had returned by then.
func realTime(r *verdict.Result, stamps []stamp) {
	byReturn := slices.Clone(stamps)
	slices.SortFunc(byReturn, func(a, b stamp) int {
		return cmp.Or(cmp.Compare(a.op.Return, b.op.Return), cmp.Compare(a.op.ID, b.op.ID))
	})
	slices.SortFunc(stamps, func(a, b stamp) int {
		return cmp.Or(cmp.Compare(a.op.Invoke, b.op.Invoke), cmp.Compare(a.op.ID, b.op.ID))
	})
	var greatest stamp
	for _, s := range stamps {
		for len(byReturn) > 0 && byReturn[0].op.Return < s.op.Invoke {
			if greatest.op == nil || byReturn[0].ts > greatest.ts {
				greatest = byReturn[0]
			}
			byReturn = byReturn[1:]
		}
		if greatest.op != nil && s.ts <= greatest.ts {
			r.Add(verdict.Finding{
				Anomaly: verdict.TimestampOrder, Evidence: []int{s.op.ID, greatest.op.ID},
				Message: fmt.Sprintf("operation %d of client %d got timestamp %d, which is not above %d, "+
					"though operation %d of client %d had returned that before this one was invoked",
					s.op.ID, s.op.Client, s.ts, greatest.ts, greatest.op.ID, greatest.op.Client),
			})
		}
	}
}
