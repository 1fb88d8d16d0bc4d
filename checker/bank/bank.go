// Package bank checks the invariant of a bank: transfers move money between
// accounts, so every consistent view of all accounts has the same total.
//
// It needs no timestamps and no transactions' details, only full reads, and so
// it judges histories of other systems too.
package bank

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// Name is the checker's name in results.
const Name = "bank"

// Check looks at every transaction that read all accounts before it wrote any,
// be it in one scan, in several, or one by one.
// A history without a full read that was answered is Unknown.
func Check(h *history.History) verdict.Result {
	r := verdict.Result{Checker: Name}
	if h.Bank == nil {
		r.Undecided("the history is not that of a bank: its header names no accounts")
		return r
	}
	c := checker{result: &r, bank: *h.Bank}
	for _, a := range h.Bank.Accounts {
		c.addAccount(a)
	}
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Kind == history.Txn && op.Txn != nil && op.Outcome == history.OK {
			c.read(op)
		}
	}
	if r.Checked == 0 && r.Verdict == verdict.OK {
		r.Undecided("no transaction read all accounts")
	}
	return r
}

type checker struct {
	result   *verdict.Result
	bank     history.Bank
	accounts map[string]struct{}
	first    int // id of the read that set a total that the header does not tell
	inferred bool
}

func (c *checker) addAccount(a string) {
	if c.accounts == nil {
		c.accounts = map[string]struct{}{}
	}
	c.accounts[a] = struct{}{}
}

// read checks one transaction if what it read covers all accounts at one instant:
// under read committed each read is of another.
func (c *checker) read(op *history.Op) {
	view := map[string]string{}
	asked := question{}
	for i := range op.Txn.Ops {
		o := &op.Txn.Ops[i]
		switch {
		case o.Kind.Writes():
			return // what it reads afterwards is its own
		case o.TS != op.Txn.Ops[0].TS:
			return
		case o.Kind == history.TxnScan:
			for _, p := range o.Pairs {
				view[p.Key] = p.Value
			}
			asked.scan(o)
		default:
			if o.Value != nil {
				view[o.Key] = *o.Value
			}
			asked.ranges = append(asked.ranges, keyRange{start: o.Key, end: o.Key + "\x00"})
		}
	}
	if known := c.accounts != nil; known && !asked.coversAll(c.accounts) || !known && !asked.whole {
		return
	}
	if c.accounts == nil {
		for _, a := range slices.Sorted(maps.Keys(view)) {
			c.addAccount(a)
		}
	}
	c.result.Checked++
	c.judge(op, view)
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
		return
	}
	if total == *c.bank.Total {
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
