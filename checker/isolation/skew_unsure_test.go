package isolation_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// TestSkewBesideTheUnknown: a write of which the outcome or the commit timestamp is not
// known takes nothing out of the graph but what depends on it alone, and that is told.
func TestSkewBesideTheUnknown(t *testing.T) {
	// T and U each read both keys, x as somebody wrote it, and write one of them.
	skewed := func(x string) []tx {
		return []tx{ok(20, 30, r("x", x), r("y", ""), w("y", "1")), ok(21, 31, r("x", x), r("y", ""), w("x", "1"))}
	}
	for _, c := range []struct {
		name   string
		want   []int // the transactions of the cycle
		reason string
		txs    []tx
	}{
		{"a commit that floats and was seen", []int{1, 2}, "", append([]tx{unknown(10, 0, w("x", "0"))}, skewed("0")...)},
		{"one that nobody saw", []int{1, 2}, "", append([]tx{unknown(10, 0, w("x", "0"))}, skewed("")...)},
		{"one that nobody saw, of a known timestamp", []int{1, 2}, "", append([]tx{unknown(10, 11, w("x", "0"))}, skewed("")...)},
		{
			"one that somebody saw later",
			[]int{1, 2},
			"",
			append([]tx{unknown(18, 0, w("x", "0"), w("z", "0"))}, append(skewed("0"), ok(40, 0, r("z", "0")))...),
		},
		{
			"the commit that floats is one of the two",
			[]int{0, 1},
			"",
			[]tx{unknown(10, 0, r("y", ""), w("x", "1")), ok(11, 21, r("x", ""), w("y", "1")), ok(30, 0, r("x", "1"))},
		},
		{
			"so are both",
			[]int{0, 1},
			"",
			[]tx{unknown(10, 0, r("y", ""), w("x", "1")), unknown(11, 0, r("x", ""), w("y", "1")), ok(30, 0, r("x", "1"), r("y", "1"))},
		},
		{
			"a list",
			[]int{2, 3},
			"",
			[]tx{
				ok(5, 6, add("x", "1")), unknown(10, 0, add("x", "2")), ok(20, 30, r("x", "1 2"), w("y", "1")),
				ok(21, 31, r("y", ""), add("x", "3")), ok(40, 0, r("x", "1 2 3")),
			},
		},
		{
			"a list of which the write that floats is one of the two",
			[]int{0, 1},
			"",
			[]tx{unknown(10, 0, r("y", ""), add("x", "1")), ok(11, 21, r("x", ""), w("y", "1")), ok(30, 0, r("x", "1"))},
		},
		{
			"a lock that was taken after somebody else's commit",
			[]int{0, 2},
			"",
			[]tx{
				locked(unknown(10, 0, r("y", ""), at(16, lock("x")), w("x", "2"))), ok(12, 15, w("x", "1")),
				ok(17, 25, r("x", "1"), w("y", "1")), ok(40, 0, r("x", "2")),
			},
		},
		{
			"it joins others, and there is a serial order", nil, "",
			[]tx{ok(5, 6, w("x", "0")), unknown(10, 0, r("x", "0"), w("x", "1")), ok(20, 21, r("x", "1"), w("x", "2")), ok(30, 0, r("x", "2"))},
		},
		{
			"one that nobody saw joins nobody", nil, "",
			[]tx{
				ok(10, 20, w("x", "1")), unknown(21, 22, w("x", "2"), w("y", "2")),
				ok(15, 40, r("x", ""), w("z", "1")), ok(24, 30, w("y", "3")), ok(19, 23, r("z", "")), ok(50, 0, r("y", "3")),
			},
		},
		{
			"the answer may be from before the first write or from after the second", nil, `of 1 answers it is not certain which of the writes they saw`,
			[]tx{ok(10, 0, w("x", "1")), ok(20, 0, del("x")), ok(25, 0, r("x", ""))},
		},
		{
			"it deletes what it has not found", nil, "",
			[]tx{ok(20, 0, r("x", ""), del("x")), ok(30, 31, w("x", "2"))},
		},
		{
			"the first one was seen before", nil, "",
			[]tx{ok(10, 0, w("x", "1")), ok(15, 0, r("x", "1")), ok(20, 0, del("x")), ok(25, 0, r("x", ""))},
		},
		{
			"a list that is also written as a whole", nil, `of 1 answers it is not certain which of the writes they saw`,
			[]tx{ok(10, 0, add("x", "1")), ok(20, 0, w("x", "2")), ok(25, 0, r("x", "1"))},
		},
		{
			"the answer is from between them", nil, "",
			[]tx{ok(10, 0, w("x", "1")), ok(20, 0, del("x")), ok(25, 0, r("x", "1"))},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			check, allowed := isolation.All(build(c.txs...))
			passed := strings.HasPrefix(check.Reason, "lists that were not judged") // by isolation, and this graph says it by itself
			if check.Verdict == verdict.Violation || (check.Verdict == verdict.Unknown) != passed || allowed.Verdict != verdict.OK {
				t.Fatalf("%+v\n%+v", check, allowed)
			}
			got := isolation.Skew(serializable(build(c.txs...)))
			if c.want == nil {
				if got.Verdict != verdict.OK || !strings.HasPrefix(got.Reason, c.reason) || (got.Reason == "") != (c.reason == "") {
					t.Fatalf("%+v", got)
				}
				return
			}
			if got.Verdict != verdict.Violation || !slices.Equal(slices.Sorted(slices.Values(got.Findings[0].Evidence)), c.want) {
				t.Fatalf("%+v", got)
			}
		})
	}
}

// locked makes a transaction pessimistic.
func locked(t tx) tx { t.pessimistic = true; return t }

// TestSkewCounts: what was not committed is not in the graph.
func TestSkewCounts(t *testing.T) {
	h := build(ok(10, 11, w("x", "1")), failed(12, r("x", "1"), w("x", "2")), unknown(13, 0, w("x", "3")), unknown(14, 15, w("y", "4")), ok(20, 0, r("y", "4")))
	if got := isolation.Skew(h); got.Verdict != verdict.OK || got.Checked != 3 {
		t.Errorf("%+v", got)
	}
	if got := isolation.Skew(build(failed(10, r("x", "")))); got.Verdict != verdict.OK || got.Checked != 0 || got.Reason == "" {
		t.Errorf("%+v", got)
	}
}

// TestGraphIsThatOfTheTruth compares the graph of a history of which some outcomes and
// commit timestamps are not known with that of the same history when they are: every
// edge is there, or a path that means the same; and unless the graph says that something
// was not certain, every edge between transactions of whom it is known that they were
// committed is found.
func TestGraphIsThatOfTheTruth(t *testing.T) {
	compared, unsure := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := &model{src: rapidSource{t}, versions: map[string][]modelVersion{}, keys: 4, lists: 2}
		if rapid.Bool().Draw(t, "locks") {
			m = lockingModel(rapidSource{t}, 4, 2)
		}
		h := m.run(rapid.IntRange(2, 50).Draw(t, "txns"), rapid.IntRange(1, 6).Draw(t, "clients"), 6)
		edges, in, vague, isolated := isolation.Graph(h)
		if !isolated {
			return // nothing was committed, or read
		}
		whole, _, none, _ := isolation.Graph(m.truth(h))
		if none > 0 {
			t.Fatalf("of %d answers it is not certain what they depend on, and all is known", none)
		}
		for _, e := range edges {
			if !implies(whole, e) {
				t.Fatalf("no such dependency: %+v", e)
			}
		}
		compared++
		if vague > 0 {
			unsure++
			return
		}
		for _, e := range whole {
			if in[e.From] && in[e.To] && !slices.Contains(edges, e) {
				t.Fatalf("not found: %+v", e)
			}
		}
	})
	if compared == 0 || unsure > compared/2 {
		t.Errorf("of %d histories %d were judged only in part", compared, unsure)
	}
}

// truth returns the history with the outcomes and commit timestamps as they were.
func (m *model) truth(h *history.History) *history.History {
	all := *h
	all.Ops = slices.Clone(h.Ops)
	for i := range all.Ops {
		op := &all.Ops[i]
		if op.Outcome != history.Unknown {
			continue
		}
		rec := *op.Txn
		op.Txn, op.Outcome = &rec, history.Failed
		if commit, ok := m.commits[op.ID]; ok {
			op.Outcome, rec.CommitTS = history.OK, commit
		}
	}
	return &all
}

// implies says whether an edge is one of some others, or stands for a path of them over
// the same key, with an overwritten version or more on the way.
func implies(edges []isolation.Edge, e isolation.Edge) bool {
	return slices.ContainsFunc(edges, func(o isolation.Edge) bool {
		if o.From != e.From || o.Key != e.Key {
			return false
		}
		rest := e
		rest.From = o.To
		switch {
		case o == e:
			return true
		case e.Kind == "rw" && o.Kind == "rw":
			rest.Kind = "ww"
			return implies(edges, rest)
		case o.Kind == "ww" && e.Kind != "rw":
			return implies(edges, rest)
		}
		return false
	})
}
