package coverage

import (
	"slices"

	"simrun/sim/history"
)

// committedSince is what read committed is for: a read that locks nothing sees what
// snapshot isolation would keep from it.
const committedSince = "a statement under read committed that saw what was committed after its transaction began"

// promiseStatements lists what a scenario promises some of whose transactions are read
// committed. Those that append to lists lock whatever they read, and where regions and
// stores come and go all the time there are too few transactions beside one another.
func (c *coverage) promiseStatements() {
	s := c.scenario
	if slices.ContainsFunc(s.Knobs.ReadCommitted, func(n int) bool { return n > 0 }) && slices.Contains([]string{"bank", "predicate", "write-skew"}, s.Name) {
		c.want(workloadSeen, committedSince)
	}
}

// addStatements counts it.
func (c *coverage) addStatements(h *history.History) {
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Txn == nil || !op.Txn.ReadCommitted || op.Outcome != history.OK {
			continue
		}
		for j := range op.Txn.Ops {
			if o := &op.Txn.Ops[j]; o.TS != 0 && !o.Kind.Writes() && !locks(op.Txn, o.TS) && sawSince(h, op.Txn, o) {
				c.count(workloadSeen, committedSince, 1)
			}
		}
	}
}

// locks says whether the statement of a timestamp locked keys.
func locks(x *history.TxnRecord, ts uint64) bool {
	return slices.ContainsFunc(x.Ops, func(o history.TxnOp) bool { return o.Kind == history.TxnLock && o.TS == ts })
}

// sawSince says whether what an operation read was changed after its transaction began.
func sawSince(h *history.History, x *history.TxnRecord, o *history.TxnOp) bool {
	since := func(w *history.Op) bool { return w.Txn.CommitTS > x.StartTS && w.Txn.CommitTS <= o.TS }
	if o.Kind == history.TxnRead {
		return changed(h, o.Key, since)
	}
	return slices.ContainsFunc(o.Pairs, func(p history.Pair) bool { return changed(h, p.Key, since) })
}
