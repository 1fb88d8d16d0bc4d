// Package bank checks the invariant of a bank: transfers move money between
// accounts, so every consistent view of all accounts has the same total.
//
// It needs no timestamps and no transactions' details, only full reads, and so
// it judges histories of other systems too.
package bank

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Name is the checker's name in results.
const Name = "bank"

// Check looks at every read of all accounts at one instant by a transaction that was
// acknowledged, up to its first write: be it in one scan, in several, or one by one.
// A history without one is Unknown.
func Check(h *history.History) verdict.Result {
	r, _ := Whole(h)
	return r
}

// Whole is Check, and counts the transactions of which it has judged everything: they wrote
// and locked nothing, and all that they read is a part of reads of all accounts.
func Whole(h *history.History) (r verdict.Result, whole int) {
	r.Checker = Name
	if h.Bank == nil {
		r.Undecided("the history is not that of a bank: its header names no accounts")
		return r, 0
	}
	c := checker{result: &r, bank: *h.Bank, open: math.MaxInt64}
	filled := len(h.Bank.Accounts) > 0
	for _, a := range h.Bank.Accounts {
		c.addAccount(a)
		_, there := h.Initial[a]
		filled = filled && there
	}
	if filled {
		c.open = -1
	}
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Kind == history.Txn && op.Txn != nil && op.Outcome == history.OK && c.read(op) {
			whole++
		}
	}
	if r.Checked == 0 && r.Verdict == verdict.OK {
		r.Undecided("no transaction read all accounts")
	}
	return r, whole
}

type checker struct {
	result   *verdict.Result
	bank     history.Bank
	accounts map[string]struct{}
	first    int // id of the read that set a total that the header does not tell
	inferred bool
	// open is when all money is known to have been there: at first, or since a read of all
	// accounts has returned that shows it.
	open int64
}

func (c *checker) addAccount(a string) {
	if c.accounts == nil {
		c.accounts = map[string]struct{}{}
	}
	c.accounts[a] = struct{}{}
}

// read checks what one transaction read, and says whether that was all it did.
//
// What it read before its first write it has from the database, and what it locked it has
// not changed. A pessimistic one without timestamps does not say which of its answers are of
// its snapshot. Where the header names no accounts, who writes may well read something else
// than all of them. And who writes while the money is not yet known to be there may be
// somebody who puts it there.
func (c *checker) read(op *history.Op) (whole bool) {
	writes := op.Txn.Writes()
	if writes && (len(c.bank.Accounts) == 0 || op.Invoke <= c.open || op.Txn.Pessimistic && op.Txn.StartTS == 0) {
		return false
	}
	whole = !writes
	var v view
	for i := range op.Txn.Ops {
		o := &op.Txn.Ops[i]
		switch {
		case o.Kind == history.TxnLock:
			continue
		case o.Kind.Writes():
			c.full(op, &v)
			return false // what it reads afterwards is its own
		case v.got != nil && o.TS != v.ts:
			whole = c.full(op, &v) && whole
			v = view{}
		}
		v.add(o)
	}
	return c.full(op, &v) && whole
}

// full checks what was read at one instant if that covers all accounts, and says whether it
// does.
func (c *checker) full(op *history.Op, v *view) bool {
	if known := c.accounts != nil; known && !v.asked.coversAll(c.accounts) || !known && !v.asked.whole {
		return false
	}
	if c.accounts == nil {
		for _, a := range slices.Sorted(maps.Keys(v.got)) {
			c.addAccount(a)
		}
	}
	c.result.Checked++
	c.judge(op, v.got)
	return true
}

func (c *checker) judge(op *history.Op, view map[string]string) {
	var missing []string
	for _, a := range slices.Sorted(maps.Keys(c.accounts)) {
		if _, ok := view[a]; !ok {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 && !c.bank.Closable {
		c.add(op, verdict.BankAccounts, fmt.Sprintf("the read of all accounts lacks %s", strings.Join(missing, ", ")))
		return
	}
	var total int64
	for _, a := range slices.Sorted(maps.Keys(view)) {
		if _, ok := c.accounts[a]; !ok {
			if len(c.bank.Accounts) == 0 {
				c.add(op, verdict.BankAccounts, fmt.Sprintf("account %q appears, which earlier reads did not have", a))
				return
			}
			continue // a full scan may well cover other keys
		}
		balance, err := strconv.ParseInt(view[a], 10, 64)
		if err != nil {
			c.add(op, verdict.GarbageRead, fmt.Sprintf("account %q holds %q, which is no balance", a, view[a]))
			return
		}
		if balance < 0 && !c.bank.Negative {
			c.add(op, verdict.BankNegative, fmt.Sprintf("account %q is overdrawn: %d", a, balance))
		}
		total += balance
	}
	c.judgeTotal(op, total)
}

func (c *checker) judgeTotal(op *history.Op, total int64) {
	if c.bank.Total == nil {
		c.bank.Total, c.first, c.inferred = &total, op.ID, true
	}
	if total == *c.bank.Total {
		c.open = min(c.open, op.Return)
		return
	}
	f := verdict.Finding{
		Anomaly:  verdict.BankTotal,
		Message:  fmt.Sprintf("%s reads a total of %d, not of %d", name(op), total, *c.bank.Total),
		Evidence: []int{op.ID},
	}
	if c.inferred {
		f.Message += fmt.Sprintf(" as id %d did", c.first)
		f.Evidence = append(f.Evidence, c.first)
	}
	c.result.Add(f)
}

func (c *checker) add(op *history.Op, a verdict.Anomaly, message string) {
	c.result.Add(verdict.Finding{Anomaly: a, Message: name(op) + ": " + message, Evidence: []int{op.ID}})
}

func name(op *history.Op) string {
	if op.Txn.StartTS == 0 {
		return fmt.Sprintf("id %d of client %d", op.ID, op.Client)
	}
	return fmt.Sprintf("id %d of client %d (start_ts %d)", op.ID, op.Client, op.Txn.StartTS)
}
