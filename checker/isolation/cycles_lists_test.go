package isolation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// plain is a transaction without timestamps. The calls of one test overlap unless
// they are moved.
func plain(ops ...history.TxnOp) tx { return ok(0, 0, ops...).at(1, 1000) }

// TestCyclesWithoutTimestamps: histories of which nothing is known but values, at each
// level that can be promised.
func TestCyclesWithoutTimestamps(t *testing.T) {
	const si, ser, strict = history.SnapshotIsolation, history.Serializable, history.StrictSerializable
	for _, c := range []struct {
		name  string
		level history.Consistency
		want  verdict.Anomaly // "": OK
		ids   []int           // evidence
		txs   []tx
	}{
		{"appends and reads in order", strict, "", nil, []tx{plain(add("x", "1")), plain(add("x", "2"), r("x", "1 2")), plain(r("x", "1"))}},
		{"appended in opposite orders", si, verdict.G0, []int{0, 1}, []tx{
			plain(add("x", "1"), add("y", "1")), plain(add("x", "2"), add("y", "2")), plain(r("x", "1 2"), r("y", "2 1")),
		}},
		{"interleaved appends to one list", si, verdict.G0, []int{0, 1}, []tx{plain(add("x", "1"), add("x", "2")), plain(add("x", "3")), plain(r("x", "1 3 2"))}},
		{"a failed append is read", si, verdict.G1a, []int{1, 0}, []tx{failed(0, add("x", "1")).at(1, 2), plain(r("x", "1"))}},
		{"a failed write is read", si, verdict.G1a, []int{1, 0}, []tx{failed(0, w("x", "1")).at(1, 2), plain(r("x", "1"))}},
		{"a failed update is not lost", si, "", nil, []tx{plain(r("x", ""), w("x", "1")), failed(0, r("x", ""), w("x", "2")).at(1, 2), plain(r("x", "1"))}},
		{"half of what was appended", si, verdict.G1b, []int{1, 0}, []tx{plain(add("x", "1"), add("x", "2")), plain(r("x", "1")), plain(r("x", "1 2"))}},
		{"a value that was overwritten before the commit", si, verdict.G1b, []int{1, 0}, []tx{plain(w("x", "1"), w("x", "2")), plain(r("x", "1"))}},
		{"they read from each other", si, verdict.G1c, []int{0, 1}, []tx{plain(add("x", "1"), r("y", "1")), plain(add("y", "1"), r("x", "1"))}},
		{"one is seen in part", si, verdict.GSingle, []int{0, 1}, []tx{plain(add("x", "1"), add("y", "1")), plain(r("x", "1"), r("y", ""))}},
		{"a lost update", si, verdict.LostUpdate, []int{1, 0}, []tx{plain(r("x", ""), w("x", "1")), plain(r("x", ""), w("x", "2"))}},
		{"a lost update, beside somebody who has not read it", si, verdict.LostUpdate, []int{1, 2}, []tx{
			plain(w("x", "1")), plain(r("x", "1"), w("x", "2")), plain(r("x", "1"), w("x", "3")),
		}},
		{"a lost update, beside somebody who has read something else", si, verdict.LostUpdate, []int{1, 2}, []tx{
			plain(w("x", "1")), plain(r("x", "1"), w("x", "2")), plain(r("x", "1"), del("x")), plain(r("x", "2"), w("x", "4")), plain(w("x", "5")),
		}},
		{"a lost update, and other values are written twice", si, verdict.LostUpdate, []int{0, 1}, []tx{
			plain(r("x", ""), w("x", "1")), plain(scan("x", "", 0, false), w("x", "2")), plain(w("x", "2")), plain(w("x", "2")),
		}},
		{"a lost update of unknown outcome, that was seen", si, verdict.LostUpdate, []int{0, 1}, []tx{
			plain(r("x", ""), w("x", "1")), unknown(0, 0, r("x", ""), w("x", "2")).at(1, 9), plain(r("x", "2")),
		}},
		{"a lost append that nobody looked for", si, verdict.LostUpdate, []int{1, 2}, []tx{
			plain(add("x", "1")), plain(r("x", "1"), add("x", "2")), plain(r("x", "1"), add("x", "3")),
		}},
		{"a lost append of an element that another one has appended", si, verdict.LostUpdate, []int{1, 2}, []tx{
			plain(add("x", "1")), plain(r("x", "1"), add("x", "2")), plain(r("x", "1"), add("x", "2")),
		}},
		{"a lost append, if a serial order is promised", ser, verdict.G2Item, []int{1, 2}, []tx{
			plain(add("x", "1")), plain(r("x", "1"), add("x", "2")), plain(r("x", "1"), add("x", "3")),
		}},
		{"registers that are read before they are written", si, verdict.GSingle, []int{0, 1, 2}, []tx{
			plain(r("x", ""), w("x", "1"), r("y", ""), w("y", "1")), plain(r("x", "1"), w("x", "2")), plain(r("x", "2"), r("y", "")),
		}},
		{"two lists that exclude each other", si, verdict.WriteOrder, []int{2, 3}, []tx{plain(add("x", "1")), plain(add("x", "2")), plain(r("x", "2")), plain(r("x", "1 2"))}},
		{"an element that nobody appended", si, verdict.GarbageRead, []int{0}, []tx{plain(r("x", "7"))}},
		{"a value that nobody wrote", si, verdict.GarbageRead, []int{0}, []tx{plain(r("x", "7"))}},
		{"an element that is there twice", si, verdict.DuplicateWrite, []int{1, 0}, []tx{plain(add("x", "1")), plain(r("x", "1 1"))}},
		{"its own append is not there", si, verdict.Internal, []int{0}, []tx{plain(add("x", "1"), r("x", ""))}},
		{"write skew, allowed", si, "", nil, []tx{plain(r("x", ""), add("y", "1")), plain(r("y", ""), add("x", "1")), plain(r("x", "1"), r("y", "1"))}},
		{"write skew, forbidden", ser, verdict.G2Item, []int{0, 1}, []tx{plain(r("x", ""), add("y", "1")), plain(r("y", ""), add("x", "1"))}},
		{"of unknown outcome and seen", si, verdict.GSingle, []int{0, 1}, []tx{
			unknown(0, 0, add("x", "1"), add("y", "1")).at(1, 9), plain(r("x", "1"), r("y", "")),
		}},
		{"of unknown outcome and not seen", strict, "", nil, []tx{unknown(0, 0, add("x", "1")).at(1, 9), plain(r("x", "")).at(20, 30)}},
		{"an old state, which serializability allows", ser, "", nil, []tx{plain(add("x", "1")).at(1, 2), plain(r("x", "")).at(5, 6)}},
		{"an old state, which strict serializability forbids", strict, verdict.RealTimeOrder, []int{0, 1}, []tx{plain(add("x", "1")).at(1, 2), plain(r("x", "")).at(5, 6)}},
		{"an old state, by way of others", strict, verdict.RealTimeOrder, []int{0, 2}, []tx{
			plain(add("x", "1")).at(1, 2), plain(add("y", "1")).at(3, 4), plain(r("x", ""), r("y", "1")).at(5, 6), plain(r("x", "1")).at(7, 8),
		}},
		{"lists with something in them", si, "", nil, []tx{plain(r("l", "a b")), plain(add("l", "c")), plain(r("l", "a b c"))}},
		{"a list that has lost what was in it", si, verdict.GSIb, []int{1, 0}, []tx{plain(add("l", "c")), plain(r("l", "c"))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(c.txs...)
			h.Consistency, h.Initial = c.level, map[string]string{"l": "a b"}
			got := isolation.Cycles(h, true)
			switch {
			case c.want == "":
				if got.Verdict != verdict.OK {
					t.Errorf("%+v", got)
				}
			case got.Verdict != verdict.Violation || len(got.Findings) != 1 || got.Findings[0].Anomaly != c.want:
				t.Errorf("expected one %s: %+v", c.want, got)
			case c.want == verdict.GSIb:
				// by the reader alone
			default:
				have := got.Findings[0].Evidence
				slices.Sort(have)
				slices.Sort(c.ids)
				if !slices.Equal(have, c.ids) {
					t.Errorf("evidence %v, want %v: %s", have, c.ids, got.Findings[0].Message)
				}
			}
		})
	}
}

// TestNoLostUpdate: where two that wrote a key may have read two versions of it, or were
// promised no snapshot, nothing is lost. The values do not tell the order.
func TestNoLostUpdate(t *testing.T) {
	first, second := plain(r("x", "1"), w("x", "2")), plain(r("x", "1"), w("x", "3"))
	locked := second
	locked.pessimistic = true
	for i, txs := range [][]tx{
		{plain(w("x", "1")), first, plain(w("x", "1")), second},
		{plain(w("x", "1")), first, unknown(0, 0, w("x", "1")).at(1, 9), second},
		{plain(w("x", "1")), first, locked},
		{plain(w("x", "1")), first, unknown(0, 0, second.ops...).at(1, 9)},
		{plain(add("l", "1")), plain(r("l", "1"), add("l", "2")), plain(w("l", "1")), plain(r("l", "1"), add("l", "3"))},
		{plain(r("y", ""), w("y", "1")), plain(w("y", "2")), plain(del("y")), plain(r("y", ""), w("y", "3"))},
	} {
		h := build(txs...)
		if err := history.Validate(h); err != nil {
			t.Fatal(err)
		}
		if got := isolation.Cycles(h, true); got.Verdict != verdict.Unknown {
			t.Errorf("%d: %+v", i, got)
		}
		h.InitialUnknown = true
		if got := isolation.Cycles(h, true); got.Verdict != verdict.Unknown {
			t.Errorf("%d, and it is not known what was there at first: %+v", i, got)
		}
	}
	h := build(plain(w("x", "1")), first, second)
	h.InitialUnknown = true
	if got := isolation.Cycles(h, true); got.Verdict != verdict.Unknown {
		t.Errorf("what was read may have been there at first: %+v", got)
	}
}

// TestLostUpdatesAgreeWithSearch: of small histories over registers, some of which are written
// blindly or hold a value twice, none is called a violation for which there is an order of
// begins and commits.
func TestLostUpdatesAgreeWithSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	lost, possible := 0, 0
	for range 5000 {
		var txs []tx
		for range 2 + random.IntN(3) {
			t := plain()
			for _, k := range []string{"x", "y"} {
				value := func() string { return string(rune('a' + random.IntN(6))) }
				if random.IntN(2) == 0 {
					v := value()
					if random.IntN(2) == 0 {
						v = ""
					}
					t.ops = append(t.ops, r(k, v))
				}
				if random.IntN(2) == 0 {
					t.ops = append(t.ops, w(k, value()))
				}
			}
			txs = append(txs, t)
		}
		// Most of what is read was written by somebody.
		for i := range txs {
			for j := range txs[i].ops {
				from := txs[random.IntN(len(txs))].ops
				if op := &txs[i].ops[j]; op.Kind == history.TxnRead && op.Value != nil && len(from) > 0 {
					if o := from[random.IntN(len(from))]; o.Key == op.Key && o.Kind == history.TxnWrite {
						op.Value = o.Value
					} else {
						op.Value = nil
					}
				}
			}
		}
		h := build(txs...)
		h.Consistency = []history.Consistency{history.SnapshotIsolation, history.Serializable}[random.IntN(2)]
		got, right := isolation.Cycles(h, true), (&orderSearch{h: h}).exists()
		if right {
			possible++
		}
		if got.Verdict != verdict.Violation {
			continue
		}
		if right {
			var text strings.Builder
			_ = history.Encode(&text, h)
			t.Fatalf("there is an order: %+v\n%s", got.Findings, text.String())
		}
		if got.Findings[0].Anomaly == verdict.LostUpdate {
			lost++
		}
	}
	t.Logf("of 5000 have an order %d, a lost update %d", possible, lost)
	if possible < 500 || lost < 100 {
		t.Error("too few of either to prove anything")
	}
}

// TestCyclesAccepted: what snapshot-isolated stores answer, with locks and without, has
// no forbidden cycle, whether anybody knows the timestamps or not.
func TestCyclesAccepted(t *testing.T) {
	judged := 0
	rapid.Check(t, func(t *rapid.T) {
		h := drawLocking(t, false, 2)
		if rapid.Bool().Draw(t, "optimistic") {
			h = generate(rapidSource{t}, rapid.IntRange(1, 60).Draw(t, "txns"), rapid.IntRange(1, 6).Draw(t, "clients"), 6, 5, 2)
		}
		for _, alone := range []bool{false, true} {
			got := isolation.Cycles(h, alone)
			if got.Verdict == verdict.Violation {
				t.Fatalf("alone %t: %+v", alone, got)
			}
			judged += got.Checked
		}
	})
	if judged < 1000 {
		t.Errorf("%d answers were judged: the test proves little", judged)
	}
}

// TestCyclesAgreeWithSearch: of small histories with drawn answers the verdict is that
// of a search through all orders of begins and commits. A forbidden cycle never is in
// a history that has an order; and one without a cycle has an order, if somebody has
// read all lists to their ends.
func TestCyclesAgreeWithSearch(t *testing.T) {
	verdicts := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		h, whole := drawLists(t)
		h.Consistency = rapid.SampledFrom([]history.Consistency{history.SnapshotIsolation, history.Serializable, history.StrictSerializable}).Draw(t, "level")
		got := isolation.Cycles(h, true)
		possible := (&orderSearch{h: h}).exists()
		switch {
		case got.Verdict == verdict.Violation && possible:
			t.Fatalf("%s: a violation, and there is an order: %+v", h.Consistency, got.Findings)
		case got.Verdict == verdict.OK && !possible && (whole || h.Consistency != history.SnapshotIsolation):
			t.Fatalf("%s: no order, and no violation", h.Consistency)
		}
		verdicts[fmt.Sprint(h.Consistency, " ", got.Verdict)]++
	})
	for _, level := range []history.Consistency{history.SnapshotIsolation, history.Serializable, history.StrictSerializable} {
		for _, v := range []verdict.Verdict{verdict.OK, verdict.Violation} {
			if verdicts[fmt.Sprint(level, " ", v)] == 0 {
				t.Errorf("no history of level %q was %v: %v", level, v, verdicts)
			}
		}
	}
}

// drawLists draws a few transactions over two lists, with answers that are prefixes of
// one order of the appends, and a reader of all lists at the end in most histories. In
// one history of three they run one after the other, and all their answers are right.
func drawLists(t *rapid.T) (h *history.History, whole bool) {
	n := rapid.IntRange(2, 4).Draw(t, "transactions")
	serial := rapid.IntRange(0, 2).Draw(t, "serial") == 0
	var txs []tx
	order := map[string][]string{}
	for i := range n {
		var ops []history.TxnOp
		for _, k := range []string{"x", "y"} {
			asked := "?"
			if serial {
				asked = strings.Join(order[k], " ")
			}
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0:
				ops = append(ops, add(k, fmt.Sprint(i)))
				at := len(order[k])
				if !serial {
					at = rapid.IntRange(0, at).Draw(t, "place")
				}
				order[k] = slices.Insert(order[k], at, fmt.Sprint(i))
			case 1:
				ops = append(ops, r(k, asked))
			case 2:
				ops = append(ops, r(k, asked), add(k, fmt.Sprint(i)))
				order[k] = append(order[k], fmt.Sprint(i))
			}
		}
		invoke, takes := rapid.Int64Range(1, 20).Draw(t, "invoke"), rapid.Int64Range(1, 20).Draw(t, "takes")
		if serial {
			invoke, takes = int64(10*i+1), 1+takes%9
		}
		txs = append(txs, ok(0, 0, ops...).at(invoke, invoke+takes))
	}
	if whole = rapid.IntRange(0, 3).Draw(t, "whole") > 0; whole {
		txs = append(txs, ok(0, 0, r("x", strings.Join(order["x"], " ")), r("y", strings.Join(order["y"], " "))).at(50, 51))
	}
	for i := range txs {
		for j := range txs[i].ops {
			if op := &txs[i].ops[j]; op.Value != nil && *op.Value == "?" {
				*op = r(op.Key, strings.Join(order[op.Key][:rapid.IntRange(0, len(order[op.Key])).Draw(t, "read")], " "))
			}
		}
	}
	return build(txs...), whole
}

// orderSearch looks for an order of begins and commits that explains all answers.
type orderSearch struct{ h *history.History }

type execution struct {
	begun, ended uint32    // sets of transactions
	lists        [2]string // x and y
	views        [8][2]string
	changed      [8]uint32 // per transaction, the keys that others have changed since its begin
}

func (s *orderSearch) exists() bool { return s.from(execution{}) }

func (s *orderSearch) from(e execution) bool {
	all := uint32(1)<<len(s.h.Ops) - 1
	if e.ended == all {
		return true
	}
	for i := range s.h.Ops {
		bit := uint32(1) << i
		switch {
		case e.ended&bit != 0:
		case e.begun&bit == 0:
			if s.h.Consistency == history.StrictSerializable && !s.mayBegin(i, e.ended) {
				continue
			}
			next := e
			next.begun |= bit
			next.views[i] = e.lists
			if s.h.Consistency != history.SnapshotIsolation { // begin and end are one
				if end, ok := s.end(next, i); ok && s.from(end) {
					return true
				}
				continue
			}
			if s.from(next) {
				return true
			}
		default:
			if end, ok := s.end(e, i); ok && s.from(end) {
				return true
			}
		}
	}
	return false
}

// mayBegin says whether all that had returned before the invocation have ended.
func (s *orderSearch) mayBegin(i int, ended uint32) bool {
	for j := range s.h.Ops {
		if s.h.Ops[j].Return < s.h.Ops[i].Invoke && ended&(1<<j) == 0 {
			return false
		}
	}
	return true
}

// end commits a transaction if its answers are right and nobody has changed what it
// changes since it began.
func (s *orderSearch) end(e execution, i int) (execution, bool) {
	view, wrote := e.views[i], uint32(0)
	for _, op := range s.h.Ops[i].Txn.Ops {
		k := int(op.Key[0] - 'x')
		if op.Kind == history.TxnRead {
			if read := op.Value; read == nil && view[k] != "" || read != nil && *read != view[k] {
				return e, false
			}
			continue
		}
		if wrote |= 1 << k; op.Kind == history.TxnWrite {
			view[k] = *op.Value
			continue
		}
		view[k] = strings.TrimSpace(view[k] + " " + *op.Value)
	}
	if e.changed[i]&wrote != 0 {
		return e, false
	}
	for k := range 2 {
		if wrote&(1<<k) != 0 {
			e.lists[k] = view[k]
		}
	}
	for j := range s.h.Ops {
		if j != i && e.begun&(1<<j) != 0 {
			e.changed[j] |= wrote
		}
	}
	e.ended |= 1 << i
	return e, true
}

// BenchmarkCycles is transactions of up to 16 operations on lists and registers, 8 on
// average.
func BenchmarkCycles(b *testing.B) {
	h := generate(randSource{rand.New(rand.NewPCG(1, 2))}, 100_000, 50, 16, 1000, 5000)
	for b.Loop() {
		if got := isolation.Cycles(h, false); got.Verdict != verdict.OK || got.Checked == 0 {
			b.Fatalf("%+v", got)
		}
	}
}
