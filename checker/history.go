package checker

import (
	"fmt"
	"slices"

	"simrun/checker/bank"
	"simrun/checker/isolation"
	"simrun/checker/linear"
	"simrun/checker/timestamps"
	"simrun/sim/history"
)

// History runs every checker that applies to the history. A history to which
// none applies is Unknown.
func History(h *history.History, opts Options) []Result {
	if opts.Timeout == 0 {
		opts.Timeout = timeoutDefault
	}
	kinds := survey(h)
	var results []Result
	if kinds.objects > 0 {
		results = append(results, linear.Check(h, linear.Options{Timeout: opts.Timeout}))
	}
	if kinds.stamped > 0 {
		check, skew := isolation.All(h)
		if kinds.overlooked > 0 {
			check.Undecided(fmt.Sprintf("%d acknowledged transactions have no timestamps, and were not judged", kinds.overlooked))
		}
		results = append(results, check, skew)
	}
	alone := kinds.unstamped > 0 && kinds.stamped == 0 // their values have to tell
	var accounts Result
	if h.Bank != nil {
		var whole int
		accounts, whole = bank.Whole(h)
		alone = alone && beyond(h, kinds.claims-whole, &accounts)
		if reason := mixed(h, accounts.Verdict); reason != "" {
			accounts = Result{Checker: bank.Name}
			accounts.Undecided(reason)
		}
	}
	if !alone && kinds.stamped+kinds.unstamped > 0 && isolation.Telling(h) {
		results = append(results, isolation.Cycles(h, false))
	}
	if h.Tables {
		results = append(results, answers(h))
	}
	if h.Bank != nil {
		results = append(results, accounts)
	}
	if kinds.timestamps > 0 {
		results = append(results, timestamps.Check(h))
	}
	if alone {
		results = append(results, unstamped(h, opts))
	}
	if r, some := strange(h); some {
		results = append(results, r)
	}
	if len(results) == 0 {
		results = append(results, nothing(h))
	}
	return results
}

// beyond says whether transactions without timestamps are to be judged by their values though
// the history is that of a bank: some of them are more than reads of all accounts, of which alone
// the bank has judged the total. Values tell only if transactions wrote them all. A bank of
// another tool may do that by operations of its own, and begins with accounts that it
// does not mention; of such a one the result says how many were not judged, which are n.
func beyond(h *history.History, n int, accounts *Result) bool {
	if n <= 0 {
		return false
	}
	if _, some := strange(h); some || h.Foreign {
		accounts.Undecided(fmt.Sprintf("%d transactions are more than reads of all accounts, and were not judged", n))
		return false
	}
	return true
}

// mixed says why the total of a bank of another tool is not judged: there are operations besides
// its transfers that may have changed what accounts hold, or it has no transfers, so that what
// was found may just tell that it is no bank. It is empty if there is no reason.
func mixed(h *history.History, found Verdict) string {
	if !h.Foreign {
		return ""
	}
	if found == Violation && !slices.ContainsFunc(h.Ops, func(op history.Op) bool { return op.Kind == kindTransfer }) {
		return "the total is not judged: without a transfer nothing tells that the history is one of a bank"
	}
	if _, some := strange(h); some {
		return "the total is not judged: operations of kinds that no checker knows may have changed it"
	}
	for i := range h.Ops {
		switch op := &h.Ops[i]; op.Kind {
		case history.Write, history.CAS, history.Append:
			if op.Outcome != history.Failed {
				return fmt.Sprintf("the total is not judged: id %d is a %s, which may have changed it", op.ID, op.Kind)
			}
		case history.Read, history.Txn, history.Acquire, history.Release, history.Timestamp:
		}
	}
	return ""
}

// nothing answers for a history without an operation that a checker knows, whoever
// recorded it: nothing was checked, which is all that is known of a client that never
// came to work.
func nothing(h *history.History) Result {
	r := Result{Checker: "history"}
	if len(h.Ops) == 0 {
		r.Undecided("nothing was checked: the history holds no operation")
		return r
	}
	r.Undecided("nothing was checked: the history holds no operation that a checker knows")
	return r
}

// unstamped checks transactions of which no timestamps are known, by their values.
// Where these do not tell enough, an order is searched for if real time bounds it.
func unstamped(h *history.History, opts Options) Result {
	r := isolation.Cycles(h, true)
	if r.Verdict == Unknown && h.Consistency == history.StrictSerializable {
		return linear.CheckTransactions(h, linear.Options{Timeout: opts.Timeout})
	}
	return r
}

type kindCounts struct {
	objects    int // operations on registers and mutexes
	timestamps int
	stamped    int // transactions with a start timestamp, and reads of what is newest
	unstamped  int // transactions that did something without one
	overlooked int // of them, those that were acknowledged
	claims     int // of them, those that were acknowledged or wrote something
}

func survey(h *history.History) (s kindCounts) {
	for i := range h.Ops {
		op := &h.Ops[i]
		switch {
		case linear.Applies(op.Kind):
			s.objects++
		case op.Kind == history.Timestamp:
			s.timestamps++
		case op.Kind != history.Txn || op.Txn == nil:
		case op.Txn.StartTS != 0, op.Txn.Newest:
			s.stamped++
		case len(op.Txn.Ops) > 0:
			s.unstamped++
			if op.Outcome == history.OK {
				s.overlooked++
			}
			if op.Outcome == history.OK || op.Txn.Writes() {
				s.claims++
			}
		}
	}
	return s
}
