package isolation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// naive is the fixpoint of the three rules as they read, without a thought for
// what it costs: every pass looks at every read, and at every version of its key.
type naive struct {
	ix     *index
	reads  []read
	single map[*read]bool // one version explained it when the first rule was applied
}

func (n *naive) resolve() {
	ix := n.ix
	if !ix.anyOpen() {
		return
	}
	ix.resolveLists()
	w := walker{ix: ix, seen: visitor{snapshot: func(r read) {
		if k := &ix.keys[r.key]; k.unsure && !k.lists {
			n.reads = append(n.reads, r)
		}
	}}}
	for _, t := range ix.byStart {
		w.walk(t)
	}
	n.single = map[*read]bool{}
	for n.pass(n.seen) || n.pass(n.unseen) || n.pass(n.over) {
	}
}

// pass shows every read what it may have read, the newest surely committed
// version first, and says whether the rule changed anything.
func (n *naive) pass(rule func(r *read, newest *version, open, floating []*version)) bool {
	txns, fates := slices.Clone(n.ix.txns), slices.Clone(n.ix.fates)
	for i := range n.reads {
		r := &n.reads[i]
		k := &n.ix.keys[r.key]
		var newest *version
		var open, floating []*version
		for j := range k.versions {
			v := &k.versions[j]
			if v.commit > r.ts || v.txn == r.txn {
				continue
			}
			if f := n.ix.fateOf(v); f == committed {
				newest, open = v, nil
			} else if f != aborted {
				open = append(open, v)
			}
		}
		slices.Reverse(open)
		for j := range k.floating {
			v := &k.floating[j]
			if t := &n.ix.txns[v.txn]; n.ix.fates[v.txn] != aborted && v.txn != r.txn && t.lo <= r.ts && t.hi > newest.commit {
				floating = append(floating, v)
			}
		}
		rule(r, newest, open, floating)
	}
	return !slices.Equal(txns, n.ix.txns) || !slices.Equal(fates, n.ix.fates)
}

func (n *naive) seen(r *read, newest *version, open, floating []*version) {
	all := slices.DeleteFunc(slices.Concat(open, floating), func(v *version) bool { return !v.is(r) })
	if newest.is(r) || n.ix.keys[r.key].anything(newest) || len(all) != 1 {
		return
	}
	n.single[r] = true
	n.ix.see(all[0].txn, r.ts)
}

func (n *naive) over(r *read, newest *version, open, floating []*version) {
	all := slices.DeleteFunc(slices.Concat(open, floating), func(v *version) bool { return !v.is(r) })
	if n.single[r] && len(all) == 1 && slices.Contains(floating, all[0]) {
		n.ix.above(all[0].txn, newest.commit)
	}
}

func (n *naive) unseen(r *read, newest *version, open, floating []*version) {
	explains := func(v *version) bool { return v.is(r) }
	if slices.ContainsFunc(floating, explains) || (!newest.is(r) && !slices.ContainsFunc(open, explains)) {
		return
	}
	for _, v := range open {
		if v.is(r) {
			return
		}
		n.ix.fates[v.txn] = aborted
	}
}

// tangle draws a history in which nothing needs to be right: few keys, fewer
// values, so that an answer has many explanations, and mostly unknown outcomes.
func tangle(t *rapid.T, ties bool) *history.History {
	// Without ties every timestamp is given once.
	stamp := func(at, i int) uint64 {
		if !ties {
			at = 64*at + i
		}
		return uint64(at)
	}
	value := func() *string {
		if v := rapid.IntRange(0, 3).Draw(t, "value"); v > 0 {
			s := string(rune('a' + v))
			return &s
		}
		return nil
	}
	h := &history.History{}
	h.InitialUnknown = rapid.IntRange(0, 3).Draw(t, "initial") == 0
	for i := range rapid.IntRange(1, 24).Draw(t, "txns") {
		start := rapid.IntRange(1, 40).Draw(t, "start")
		rec := &history.TxnRecord{StartTS: stamp(start, 2*i)}
		op := history.Op{ID: i, Client: i, Kind: history.Txn, Return: 1 << 40, Txn: rec}
		op.Outcome = rapid.SampledFrom([]history.Outcome{history.Unknown, history.Unknown, history.OK, history.Failed}).Draw(t, "outcome")
		for range rapid.IntRange(1, 4).Draw(t, "ops") {
			o := history.TxnOp{Kind: history.TxnRead, Key: fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "key")), Value: value()}
			if rapid.Bool().Draw(t, "write") {
				o.Kind = history.TxnWrite
				if o.Value == nil {
					o.Kind = history.TxnDelete
				}
			}
			rec.Ops = append(rec.Ops, o)
		}
		if op.Outcome == history.OK || rapid.IntRange(0, 2).Draw(t, "known") > 0 {
			rec.CommitTS = stamp(start+rapid.IntRange(1, 8).Draw(t, "commit"), 2*i+1)
		}
		h.Ops = append(h.Ops, op)
	}
	return h
}

// TestResolveEqualsNaive: what need not be looked at again would not have
// decided anything: every transaction meets the same fate.
func TestResolveEqualsNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := tangle(t, rapid.Bool().Draw(t, "ties"))
		got, want := newIndex(h), naive{ix: newIndex(h)}
		got.resolve()
		want.resolve()
		for i := range got.txns {
			g, w := &got.txns[i], &want.ix.txns[i]
			if f, fw := got.fates[i], want.ix.fates[i]; f != fw || g.lo != w.lo || g.hi != w.hi {
				t.Fatalf("%s: fate %d, commit in [%d, %d], and naively %d, [%d, %d]", got.name(int32(i)), f, g.lo, g.hi, fw, w.lo, w.hi)
			}
		}
	})
}

// TestOrderIsNoMatter: the verdict does not depend on the order in which the
// operations stand in the history.
func TestOrderIsNoMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := tangle(t, false)
		shuffled := *h
		shuffled.Ops = rapid.Permutation(h.Ops).Draw(t, "order")
		a, b := Check(h), Check(&shuffled)
		if a.Verdict != b.Verdict || a.Checked != b.Checked {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

// chain is a history in which one fate decides the next: link i is written by
// two transactions of unknown outcome with the same value, and only when the
// first is known to be overwritten does the reader of link i tell that the
// second was committed, which in turn overwrites link i+1. With the readers
// against the order of the chain every pass over them decides one.
func chain(n int, against bool) *history.History {
	h := &history.History{}
	r, other := "r", "other"
	add := func(o history.Outcome, start, commit int, ops ...history.TxnOp) {
		h.Ops = append(h.Ops, history.Op{
			ID: len(h.Ops), Client: len(h.Ops), Kind: history.Txn, Return: 1 << 50, Outcome: o,
			Txn: &history.TxnRecord{StartTS: uint64(start), CommitTS: uint64(commit), Ops: ops},
		})
	}
	op := func(kind history.TxnKind, i int, v *string) history.TxnOp {
		return history.TxnOp{Kind: kind, Key: fmt.Sprintf("k%07d", i), Value: v}
	}
	for i := range n {
		add(history.Unknown, 10+2*i, 11+2*i, op(history.TxnWrite, i, &r))
	}
	base := 20 + 2*n
	add(history.OK, base, base+1, op(history.TxnWrite, 0, &other))
	for i := 1; i < n; i++ {
		add(history.Unknown, base+2*i, base+2*i+1, op(history.TxnWrite, i-1, &r), op(history.TxnWrite, i, &other))
	}
	top := base + 2*n + 100
	for i := range n - 1 {
		at := top + 2*i
		if against {
			at = top + 2*(n-i)
		}
		add(history.OK, at, 0, op(history.TxnRead, i, &r))
	}
	return h
}

// hot is a history of one key, written by n transactions of unknown outcome and
// then read n times: all reads return the version that pick says.
func hot(n int, pick func(i int) int) *history.History {
	h := &history.History{}
	for i := range n {
		v := fmt.Sprint(i)
		h.Ops = append(h.Ops, history.Op{ID: i, Client: i, Kind: history.Txn, Return: 1 << 50, Outcome: history.Unknown, Txn: &history.TxnRecord{
			StartTS: uint64(10 + 2*i), CommitTS: uint64(11 + 2*i), Ops: []history.TxnOp{{Kind: history.TxnWrite, Key: "k", Value: &v}},
		}})
	}
	for i := range n {
		v := fmt.Sprint(pick(i))
		h.Ops = append(h.Ops, history.Op{ID: n + i, Client: n + i, Kind: history.Txn, Return: 1 << 50, Outcome: history.OK, Txn: &history.TxnRecord{
			StartTS: uint64(20 + 2*n + i), Ops: []history.TxnOp{{Kind: history.TxnRead, Key: "k", Value: &v}},
		}})
	}
	return h
}

// TestChainTakesLinearWork counts how often a rule is applied to an answer.
func TestChainTakesLinearWork(t *testing.T) {
	for _, against := range []bool{false, true} {
		const n = 4000
		h := chain(n, against)
		ix := newIndex(h)
		r := newResolver(ix)
		applied := 0
		counted := func(rule func(int32)) func(int32) {
			return func(at int32) { applied++; rule(at) }
		}
		for r.pass(&r.seen, counted(r.concludeSeen)) || r.pass(&r.unseen, counted(r.concludeUnseen)) || r.pass(&r.over, counted(r.concludeOver)) {
		}
		if applied > 8*n {
			t.Errorf("against the order %v: %d links, rules applied %d times", against, n, applied)
		}
		for i := range ix.txns {
			if op := ix.txns[i].op; op.Outcome == history.Unknown && len(op.Txn.Ops) == 2 && ix.fates[i] != committed {
				t.Fatalf("against the order %v: %s is not known to be committed", against, ix.name(int32(i)))
			}
		}
		if got := Check(h); got.Verdict != verdict.OK {
			t.Errorf("%+v", got.Findings)
		}
	}
}

// BenchmarkChain shows that the time grows like the history.
func BenchmarkChain(b *testing.B) {
	for n := 1000; n <= 64000; n *= 2 {
		h := chain(n, true)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Check(h)
			}
		})
	}
}

// BenchmarkHot is the same for one key on which nothing is certain: the reads
// return the newest version, the oldest, or any.
func BenchmarkHot(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := 4000; n <= 64000; n *= 4 {
		for _, c := range []struct {
			name string
			pick func(int) int
		}{
			{"newest", func(int) int { return n - 1 }},
			{"oldest", func(int) int { return 0 }},
			{"any", func(int) int { return random.IntN(n) }},
		} {
			h := hot(n, c.pick)
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				for b.Loop() {
					Check(h)
				}
			})
		}
	}
}
