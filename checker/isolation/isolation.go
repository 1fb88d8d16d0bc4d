// Package isolation decides whether transactions are snapshot isolated, from
// the start and commit timestamps that they were given.
//
// The timestamps say what every read must return: the newest version committed
// at or before the reader's start timestamp, or the reader's own write. So no
// search for an order is needed, and a history of n operations takes
// O(n log n). What is checked:
//
//   - snapshot reads, of absent keys too; scans return every key in range;
//   - a transaction sees its own writes, and nobody sees what was not committed
//     or was overwritten before the commit;
//   - first committer wins: no two transactions that overlap write one key;
//   - appends to lists are neither lost nor doubled nor reordered;
//   - timestamps are unique and agree with real time and with sessions; those of
//     single statements, under read committed and of locks, likewise (statements.go);
//   - a read of the newest version, which has no timestamp, returns what was newest
//     at some instant of its own (newest.go).
//
// A transaction of unknown outcome was committed if somebody saw what it wrote,
// and then all it wrote must be seen; it was not if somebody should have seen it
// and did not. Nothing is concluded where neither happened. Where it committed at a timestamp
// that nobody knows, all answers have to agree on where that was (agreement.go).
package isolation

import (
	"cmp"
	"fmt"
	"slices"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Names of the checkers in results.
const (
	Name     = "isolation"
	SkewName = "skew"
)

// Check decides snapshot isolation.
func Check(h *history.History) verdict.Result {
	check, _ := All(h)
	return check
}

// Skew reports what snapshot isolation allows and serializability does not, as
// observations. Without snapshot isolation it says nothing.
func Skew(h *history.History) verdict.Result {
	_, skew := All(h)
	return skew
}

// All returns both answers for the price of little more than one.
func All(h *history.History) (check, skew verdict.Result) {
	ix := newIndex(h)
	n := newNewest(ix)
	n.see()
	ix.resolve()
	ix.settle()
	c := &checker{collector: newCollector(ix), others: len(n.reads), passed: map[int32]bool{}}
	c.timestamps()
	byReturn := ix.byReturn()
	c.realTime(byReturn)
	c.statements(byReturn)
	c.conflicts()
	c.reads()
	c.agree()
	c.newestReads(n)
	check = c.result()
	isolated := check.Verdict
	if lists, _ := c.unjudgedLists(); lists > 0 && len(check.Findings) == 0 {
		isolated = verdict.OK // as far as it was judged, and of the rest skew says so itself
	}
	return check, findSkew(ix, isolated)
}

// explainMax bounds how many wrong answers are explained: to look for the best
// name takes a search, and in a broken history everything is wrong.
const explainMax = 10 * verdict.FindingsMax

// checker judges by timestamps.
type checker struct {
	collector

	lookup *lookup        // made when something is wrong
	wrongs int            // how many answers were found wrong
	others int            // how many answers are not of the transactions in the index
	passed map[int32]bool // keys of which reads of what is newest were not judged

	written map[string]struct{} // the keys that anybody wrote; made when it is asked for

	candidates candidates  // of the answer that is judged; kept for its room
	contested  []contested // keys of which agreement looks at some answers
	contests   contests    // of the key that is judged; kept for its room
}

// collector collects findings.
type collector struct {
	ix       *index
	findings []verdict.Finding
	named    map[named]struct{} // what was found already
}

func newCollector(ix *index) collector { return collector{ix: ix, named: map[named]struct{}{}} }

// named identifies a kind of trouble of one transaction: one finding is enough.
type named struct {
	anomaly verdict.Anomaly
	txn     int32
}

// add adds a finding about transaction t, with the operations of others.
func (c *collector) add(a verdict.Anomaly, t int32, message string, others ...int32) {
	n := named{a, t}
	if _, dup := c.named[n]; dup {
		return
	}
	c.named[n] = struct{}{}
	f := verdict.Finding{Anomaly: a, Message: message, Evidence: []int{c.ix.txns[t].op.ID}}
	for _, o := range others {
		if o < 0 {
			continue // the initial state
		}
		if id := c.ix.txns[o].op.ID; !slices.Contains(f.Evidence, id) {
			f.Evidence = append(f.Evidence, id)
		}
	}
	c.findings = append(c.findings, f)
}

// result orders the findings by the time at which they could first be seen.
func (c *checker) result() verdict.Result {
	r := verdict.Result{Checker: Name, Checked: c.ix.judged() + c.others}
	returns := map[int]int64{}
	if len(c.findings) > 0 {
		for i := range c.ix.h.Ops {
			returns[c.ix.h.Ops[i].ID] = c.ix.h.Ops[i].Return
		}
	}
	slices.SortStableFunc(c.findings, func(a, b verdict.Finding) int {
		return cmp.Compare(returns[a.Evidence[0]], returns[b.Evidence[0]])
	})
	for _, f := range c.findings {
		r.Add(f)
	}
	r.More += max(0, c.wrongs-explainMax)
	switch lists, example := c.unjudgedLists(); {
	case len(c.ix.txns) == 0 && c.others == 0:
		r.Undecided("no transaction has timestamps")
	case r.Checked == 0 && c.ix.passed.count == 0:
		r.Undecided("no transaction was committed or read anything")
	case lists > 0:
		r.Undecided(fmt.Sprintf("lists that were not judged, because it is not certain who wrote which element, or what was written over them: %d, one of them %q", lists, example))
	case c.ix.passed.count > 0:
		r.Undecided(fmt.Sprintf("answers that were not judged, because transactions without timestamps may have written what they say: %d, one of them about %q",
			c.ix.passed.count, c.ix.keys[c.ix.passed.key].name))
	case c.ix.undated > 0 && r.Verdict == verdict.OK:
		r.NotJudged(fmt.Sprintf("of %d transactions it is not known when their statements were invoked: whether these see what was acknowledged before is not judged",
			c.ix.undated))
	}
	return r
}

// judged counts the transactions of which something was judged: those that were
// committed, and of the other ones those that got answers, which have to be
// right even if the transaction failed later.
func (ix *index) judged() int {
	n := 0
	for i := range ix.txns {
		answered := func(op history.TxnOp) bool { return op.Kind == history.TxnRead || op.Kind == history.TxnScan }
		if ix.fates[i] == committed || slices.ContainsFunc(ix.txns[i].rec.Ops, answered) {
			n++
		}
	}
	return n
}
