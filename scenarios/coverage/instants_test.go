package coverage

import (
	"slices"
	"strings"

	"simrun/sim/history"
	"simrun/sim/plan"
)

// What reads that draw no timestamp do, beside what stores and clients mark.
const (
	newestRead     = "a read of the newest version"
	newestBeside   = "a read of the newest version beside a change of the key"
	pastRead       = "a key read at a timestamp of the past"
	pastScan       = "a range read at a timestamp of the past"
	pastChanged    = "a read at a timestamp of the past of what was changed since"
	pastCollected  = "a read at a timestamp of the past that is no longer kept"
	tooOldToBeRead = "is too old"
)

// promiseInstants lists what a scenario promises whose clients read without a
// timestamp, or at one of the past.
func (c *coverage) promiseInstants() {
	s := c.scenario
	if s.Workload.Params["newest"] > 0 {
		c.want(workloadSeen, newestRead, newestBeside)
		c.want(markSeen, "mvcc: primary lock passed by a read of the newest version",
			"client: read of the newest version went past the lock of a transaction that had not committed")
		if slices.Contains(s.Knobs.CommitMode, plan.AsyncCommit) {
			c.want(markSeen, "mvcc: primary lock of a transaction without a second phase met by a read of the newest version")
		}
	}
	if s.Workload.Params["past"] > 0 {
		c.want(workloadSeen, pastRead, pastScan, pastChanged)
		if len(s.Knobs.GCInterval) > 0 {
			c.want(workloadSeen, pastCollected)
		}
	}
}

// addInstants counts it.
func (c *coverage) addInstants(h *history.History) {
	for i := range h.Ops {
		op := &h.Ops[i]
		switch {
		case op.Txn == nil:
		case op.Txn.Newest && op.Outcome == history.OK:
			c.count(workloadSeen, newestRead, 1)
			if changed(h, op.Txn.Ops[0].Key, func(w *history.Op) bool { return w.Invoke < op.Return && op.Invoke < w.Return }) {
				c.count(workloadSeen, newestBeside, 1)
			}
		case op.Txn.AsOf && op.Outcome == history.Failed && strings.Contains(op.Error, tooOldToBeRead):
			c.count(workloadSeen, pastCollected, 1)
		case op.Txn.AsOf && op.Outcome == history.OK:
			c.addPast(h, op)
		}
	}
}

func (c *coverage) addPast(h *history.History, op *history.Op) {
	for i := range op.Txn.Ops {
		o := &op.Txn.Ops[i]
		if o.Kind == history.TxnScan {
			c.count(workloadSeen, pastScan, 1)
			continue
		}
		c.count(workloadSeen, pastRead, 1)
		if changed(h, o.Key, func(w *history.Op) bool { return w.Txn.CommitTS > op.Txn.StartTS && w.Return < op.Invoke }) {
			c.count(workloadSeen, pastChanged, 1)
		}
	}
}

// changed says whether one of the committed transactions that when holds for has
// changed the key.
func changed(h *history.History, key string, when func(*history.Op) bool) bool {
	return slices.ContainsFunc(h.Ops, func(w history.Op) bool {
		return w.Outcome == history.OK && w.Txn != nil && w.Txn.CommitTS != 0 && when(&w) &&
			slices.ContainsFunc(w.Txn.Ops, func(o history.TxnOp) bool {
				return o.Key == key && o.Kind.Writes() && o.Kind != history.TxnLock
			})
	})
}
