package isolation_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// brute judges a history by going through all pairs of transactions, as the rules are
// told and without a thought of what that takes. It knows no lists, no outcomes that
// are unknown and no reads but those at timestamps.
type brute struct{ h *history.History }

// touch is a committed transaction that wrote or locked a key.
type touch struct {
	op     *history.Op
	key    string
	commit uint64
}

// writers returns who wrote or locked which key.
func (b *brute) writers() (all []touch) {
	for i := range b.h.Ops {
		op := &b.h.Ops[i]
		seen := map[string]bool{}
		for _, o := range op.Txn.Ops {
			if o.Kind.Writes() && !seen[o.Key] && op.Outcome == history.OK && op.Txn.CommitTS != 0 {
				seen[o.Key] = true
				all = append(all, touch{op, o.Key, op.Txn.CommitTS})
			}
		}
	}
	return all
}

// before returns the last one that wrote or locked a key before another did.
func (b *brute) before(w touch) *touch {
	var last *touch
	for _, other := range b.writers() {
		if other.key == w.key && other.commit < w.commit && (last == nil || other.commit > last.commit) {
			last = &other
		}
	}
	return last
}

// undefined says whether two have committed one key at the same timestamp, so that their
// order is not.
func (b *brute) undefined() bool {
	type at struct {
		key    string
		commit uint64
	}
	seen := map[at]bool{}
	for _, w := range b.writers() {
		if seen[at{w.key, w.commit}] {
			return true
		}
		seen[at{w.key, w.commit}] = true
	}
	return false
}

// wrong says which rule is broken first, "" if none is.
func (b *brute) wrong() string {
	for _, first := range b.writers() {
		for _, second := range b.writers() {
			if first.key == second.key && first.commit < second.commit && caresSince(second.op.Txn, second.key) < first.commit {
				return "conflict"
			}
		}
	}
	for i := range b.h.Ops {
		op := &b.h.Ops[i]
		switch {
		case !b.answers(op):
			return "answers"
		case op.Txn.CommitTS != 0 && op.Txn.CommitTS <= op.Txn.StartTS:
			return "commits before it starts"
		case op.Txn.CommitTS != 0 && slices.ContainsFunc(op.Txn.Ops, func(o history.TxnOp) bool {
			return op.Txn.Pessimistic && o.Kind == history.TxnLock && o.TS >= op.Txn.CommitTS
		}):
			return "commits before it locks"
		}
	}
	switch {
	case !b.realTime():
		return "real time"
	case !b.unique():
		return "a timestamp twice"
	}
	return ""
}

// answers says whether what a transaction read is what was there at the timestamp of
// each read, and its own writes.
func (b *brute) answers(op *history.Op) bool {
	own := map[string]*string{}
	for _, o := range op.Txn.Ops {
		ts := op.Txn.StartTS
		if o.TS != 0 {
			ts = o.TS
		}
		look := func(k string) *string {
			if v, ok := own[k]; ok {
				return v
			}
			return b.at(k, ts)
		}
		switch o.Kind {
		case history.TxnWrite, history.TxnDelete:
			own[o.Key] = o.Value
		case history.TxnRead:
			if v := look(o.Key); (v == nil) != (o.Value == nil) || v != nil && *v != *o.Value {
				return false
			}
		case history.TxnScan:
			if !slices.Equal(o.Pairs, b.scan(o, look)) {
				return false
			}
		case history.TxnAppend, history.TxnLock:
		}
	}
	return true
}

// at returns what the last committed transaction up to a timestamp wrote to a key.
func (b *brute) at(key string, ts uint64) (value *string) {
	var newest uint64
	for i := range b.h.Ops {
		op := &b.h.Ops[i]
		if c := op.Txn.CommitTS; op.Outcome != history.OK || c == 0 || c > ts || c < newest {
			continue
		}
		for _, o := range op.Txn.Ops {
			if o.Key == key && o.Kind.Writes() && o.Kind != history.TxnLock {
				value, newest = o.Value, op.Txn.CommitTS
			}
		}
	}
	return value
}

func (b *brute) scan(o history.TxnOp, look func(string) *string) (pairs []history.Pair) {
	keys := map[string]bool{}
	for i := range b.h.Ops {
		for _, w := range b.h.Ops[i].Txn.Ops {
			if w.Kind != history.TxnScan && w.Key >= o.Key && w.Key < o.EndKey {
				keys[w.Key] = true
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if v := look(k); v != nil {
			pairs = append(pairs, history.Pair{Key: k, Value: *v})
		}
	}
	if o.Reverse {
		slices.Reverse(pairs)
	}
	if o.Limit > 0 && len(pairs) > o.Limit {
		pairs = pairs[:o.Limit]
	}
	return pairs
}

// realTime says whether whatever is begun after a transaction has returned - another
// one, or a statement - has a timestamp above all of that one's.
func (b *brute) realTime() bool {
	for i := range b.h.Ops {
		later, last := &b.h.Ops[i], b.h.Ops[i].Txn.StartTS
		if !b.above(last, later.Invoke) {
			return false
		}
		for _, s := range later.Txn.Statements {
			if s.TS < last || !b.above(s.TS, s.Invoke) {
				return false
			}
			last = s.TS
		}
	}
	return true
}

// above says whether a timestamp is above all those of the transactions that returned
// before an instant, or for a commit timestamp that was calculated, at least that.
func (b *brute) above(ts uint64, instant int64) bool {
	for i := range b.h.Ops {
		op := &b.h.Ops[i]
		if op.Return >= instant {
			continue
		}
		if x := op.Txn; ts <= x.StartTS || ts < x.CommitTS || ts == x.CommitTS && !x.Calculated ||
			slices.ContainsFunc(x.Statements, func(s history.Statement) bool { return ts <= s.TS }) {
			return false
		}
	}
	return true
}

// unique says whether no timestamp was drawn twice: a transaction may use again for a
// statement what it has.
func (b *brute) unique() bool {
	owner := map[uint64]int{}
	for i := range b.h.Ops {
		op := &b.h.Ops[i]
		mine := map[uint64]bool{op.Txn.StartTS: true}
		for _, s := range op.Txn.Statements {
			mine[s.TS] = true
		}
		if c := op.Txn.CommitTS; c != 0 && !op.Txn.Calculated {
			if mine[c] {
				return false
			}
			mine[c] = true
		}
		for ts := range mine {
			if _, taken := owner[ts]; taken {
				return false
			}
			owner[ts] = op.ID
		}
	}
	return true
}

// caresSince returns the timestamp after which nobody else may have committed a key that
// a transaction wrote or locked.
func caresSince(x *history.TxnRecord, key string) uint64 {
	if !x.Pessimistic {
		return x.StartTS
	}
	since := x.StartTS
	for _, o := range x.Ops {
		if o.Kind == history.TxnLock && o.Key == key {
			return o.TS
		}
		if o.Kind == history.TxnLock {
			since = max(since, o.TS)
		}
	}
	return since
}

// perturb changes one answer, timestamp or instant of a history, or takes a lock out of
// it.
func perturb(t *rapid.T, h *history.History) {
	op := &h.Ops[rapid.IntRange(0, len(h.Ops)-1).Draw(t, "op")]
	x := op.Txn
	top := h.Ops[len(h.Ops)-1].Return + 3
	ts := rapid.Uint64Range(max(x.StartTS, 3)-2, uint64(top)).Draw(t, "timestamp")
	pick := func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(t, what) }
	own := slices.DeleteFunc(indexes(x.Ops), func(i int) bool { return x.Ops[i].TS == 0 })
	locks := slices.DeleteFunc(slices.Clone(own), func(i int) bool { return x.Ops[i].Kind != history.TxnLock })
	switch kind := rapid.SampledFrom([]string{
		"answer", "start", "commit", "statement", "whole statement", "instant", "operation", "drop", "lock", "drop lock", "drop all locks",
	}).Draw(t, "kind"); {
	case kind == "answer":
		reads := slices.DeleteFunc(indexes(x.Ops), func(i int) bool { return x.Ops[i].Kind != history.TxnRead })
		if len(reads) == 0 {
			t.Skip("no read")
		}
		mutate(t, h, &x.Ops[reads[pick("read", len(reads))]])
	case kind == "start":
		x.StartTS = ts
	case kind == "commit" && x.CommitTS != 0:
		x.CommitTS = ts
	case len(x.Statements) == 0:
		t.Skip("no statement")
	case kind == "statement":
		x.Statements[pick("statement", len(x.Statements))].TS = ts
	case kind == "whole statement":
		s := &x.Statements[pick("statement", len(x.Statements))]
		for _, i := range own {
			if x.Ops[i].TS == s.TS {
				x.Ops[i].TS = ts
			}
		}
		s.TS = ts
	case kind == "instant":
		x.Statements[pick("statement", len(x.Statements))].Invoke = rapid.Int64Range(op.Invoke, op.Return).Draw(t, "instant")
	case len(own) == 0:
		t.Skip("no operation of a statement")
	case kind == "operation":
		x.Ops[own[pick("operation", len(own))]].TS = ts
	case kind == "drop":
		i := own[pick("operation", len(own))]
		x.Ops = slices.Delete(x.Ops, i, i+1)
	case len(locks) == 0:
		t.Skip("no lock")
	case kind == "lock":
		x.Ops[locks[pick("lock", len(locks))]].TS = rapid.Uint64Range(x.StartTS, max(x.CommitTS, x.StartTS)).Draw(t, "earlier")
	case kind == "drop lock":
		i := locks[pick("lock", len(locks))]
		x.Ops = slices.Delete(x.Ops, i, i+1)
	default:
		x.Ops = slices.DeleteFunc(x.Ops, func(o history.TxnOp) bool { return o.Kind == history.TxnLock })
	}
}

func indexes[T any](list []T) []int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return all
}

// TestAgainstBruteForce: whatever is changed in a correct history, the checker finds it
// wrong if and only if the rules are broken. A hundred histories may leave out a rule
// that is seldom broken; a thousand do not.
func TestAgainstBruteForce(t *testing.T) {
	rules := []string{"", "answers", "real time", "conflict"}
	seen := map[string]int{}
	missing := func(why string) bool { return seen[why] == 0 }
	for rounds := 0; rounds < 10 && slices.ContainsFunc(rules, missing); rounds++ {
		rapid.Check(t, againstBruteForce(seen))
	}
	if slices.ContainsFunc(rules, missing) {
		t.Errorf("a rule was never broken: %v", seen)
	}
}

// againstBruteForce compares one history, and counts in seen what is wrong with it.
func againstBruteForce(seen map[string]int) func(*rapid.T) {
	return func(t *rapid.T) {
		h := drawLocking(t, true, 0)
		b := &brute{h: h}
		if why := b.wrong(); why != "" {
			t.Fatalf("what the model answers breaks a rule: %s", why)
		}
		for range rapid.IntRange(1, 2).Draw(t, "changes") {
			perturb(t, h)
		}
		if b.undefined() {
			t.Skip("two commits of a key at one timestamp")
		}
		why := b.wrong()
		seen[why]++
		if got := isolation.Check(h); (got.Verdict == verdict.Violation) != (why != "") {
			var text strings.Builder
			_ = history.Encode(&text, h)
			t.Fatalf("%v, and by brute force %q: %+v\n%s", got.Verdict, why, got.Findings, text.String())
		}
	}
}
