package isolation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// TestNewestTerms: a version that was replaced does not return, though nobody knows when
// either of two was committed. In the right history one thing is different. The identifiers
// are the places in the list.
func TestNewestTerms(t *testing.T) {
	one, two := unknown(1, 0, w("x", "1")).at(10, 15), unknown(2, 0, w("x", "2")).at(11, 16)
	for _, c := range []struct {
		name      string
		evidence  []int // nil: nothing is wrong
		bad, good []tx
	}{
		{
			"one, two, one",
			[]int{4, 3, 2, 0, 1},
			[]tx{one, two, newestOf("x", "1", 20, 30), newestOf("x", "2", 31, 40), newestOf("x", "1", 41, 50)},
			[]tx{one, two, newestOf("x", "1", 20, 30), newestOf("x", "2", 31, 40), newestOf("x", "1", 40, 50)},
		},
		{
			"each of them before and after the other one",
			[]int{3, 4, 5, 2, 0, 1},
			[]tx{one, two, newestOf("x", "1", 20, 30), newestOf("x", "1", 50, 60), newestOf("x", "2", 20, 30), newestOf("x", "2", 45, 55)},
			[]tx{one, two, newestOf("x", "1", 20, 30), newestOf("x", "1", 30, 60), newestOf("x", "2", 20, 30), newestOf("x", "2", 45, 55)},
		},
		{
			"the other one read again after the first",
			[]int{3, 4, 5, 2, 0, 1},
			[]tx{one, two, newestOf("x", "1", 20, 30), newestOf("x", "1", 46, 60), newestOf("x", "2", 25, 45), newestOf("x", "2", 45, 80)},
			[]tx{one, two, newestOf("x", "1", 20, 30), newestOf("x", "1", 45, 60), newestOf("x", "2", 25, 45), newestOf("x", "2", 70, 80)},
		},
		{
			"the second one twice in the midst of the first",
			[]int{5, 4, 2, 0, 1},
			[]tx{one, two, newestOf("x", "1", 20, 30), newestOf("x", "2", 31, 40), newestOf("x", "2", 35, 38), newestOf("x", "1", 39, 50)},
			[]tx{one, two, newestOf("x", "1", 20, 35), newestOf("x", "2", 31, 40), newestOf("x", "2", 35, 38), newestOf("x", "1", 39, 50)},
		},
		{
			"the one between was in a snapshot",
			[]int{4, 3, 2, 0, 1},
			[]tx{one, two, newestOf("x", "1", 20, 30), ok(32, 0, r("x", "2")).at(31, 40), newestOf("x", "1", 41, 50)},
			[]tx{one, two, newestOf("x", "1", 20, 31), ok(32, 0, r("x", "2")).at(31, 40), newestOf("x", "1", 41, 50)},
		},
		{
			"the one before and after was in snapshots",
			[]int{4, 3, 2, 0, 1},
			[]tx{one, two, ok(22, 0, r("x", "1")).at(20, 30), newestOf("x", "2", 31, 40), ok(42, 0, r("x", "1")).at(41, 50)},
			[]tx{one, two, ok(22, 0, r("x", "1")).at(20, 30), newestOf("x", "2", 31, 40), ok(42, 0, r("x", "1")).at(40, 50)},
		},
		{
			"a third one that may have been the second again", nil, nil,
			[]tx{one, two, unknown(3, 0, w("x", "1")).at(12, 17), newestOf("x", "1", 20, 30), newestOf("x", "2", 31, 40), newestOf("x", "1", 41, 50)},
		},
		{
			"a snapshot of the past", nil, nil,
			[]tx{one, two, newestOf("x", "1", 20, 30), newestOf("x", "2", 31, 40), pastly(25, 41, 50, r("x", "1"))},
		},
		{
			"a reader that has written the key itself", nil, nil,
			[]tx{one, two, newestOf("x", "1", 20, 30), unknown(31, 0, w("x", "2"), r("x", "2")).at(31, 40), newestOf("x", "1", 41, 50)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, txs := range [][]tx{c.bad, c.good} {
				if err := history.Validate(build(txs...)); err != nil {
					t.Fatal(err)
				}
			}
			if got := isolation.Check(build(c.good...)); got.Verdict != verdict.OK {
				t.Errorf("the right history: %+v", got)
			}
			if c.evidence == nil {
				return
			}
			got := isolation.Check(build(c.bad...))
			if len(got.Findings) != 1 || got.Findings[0].Anomaly != verdict.StaleRead || !slices.Equal(got.Findings[0].Evidence, c.evidence) {
				t.Errorf("want %v, got %+v", c.evidence, got.Findings)
			}
		})
	}
}

// termsDraw draws histories of one key with writers of which few have commit timestamps, and
// readers of what is newest or of snapshots.
type termsDraw struct {
	*rand.Rand
	places  []int // still free: of a step of 10, where something happens
	ops     []history.Op
	effects []effectAt
}

// drawTerms draws what happens at instants, and answers that are mostly what was there. The
// timestamp drawn at an instant is its number.
func drawTerms(r *rand.Rand) *history.History {
	d := &termsDraw{Rand: r, places: r.Perm(24), effects: []effectAt{{}}}
	again := r.IntN(4) == 0
	last := uint64(0) // commit whose timestamp everybody knows
	for i := range 2 + r.IntN(2) {
		value := fmt.Sprint(i + 1)
		if again {
			value = fmt.Sprint(1 + r.IntN(2))
		}
		last = d.writer(value, last)
	}
	slices.SortFunc(d.effects, func(a, b effectAt) int { return int(a.at - b.at) })
	for range 2 + r.IntN(3) {
		d.newest()
	}
	for range r.IntN(3) {
		d.snapshot()
	}
	for i := range d.ops {
		d.ops[i].ID, d.ops[i].Client = i, i
	}
	slices.SortStableFunc(d.ops, func(a, b history.Op) int { return int(a.Return - b.Return) })
	return &history.History{Ops: d.ops}
}

func (d *termsDraw) place() int64 {
	p := d.places[0]
	d.places = d.places[1:]
	return 10 * int64(p+3)
}

// span returns when something is asked for and answered that happens from one instant to
// another.
func (d *termsDraw) span(from, to int64) (invoke, ret int64) {
	return max(0, from-1-d.Int64N(25)), to + 1 + d.Int64N(25)
}

func (d *termsDraw) writer(value string, last uint64) uint64 {
	start, commit := d.place(), d.place()
	start, commit = min(start, commit), max(start, commit)
	op := history.Op{Kind: history.Txn, Outcome: history.Unknown, Txn: &history.TxnRecord{StartTS: uint64(start), Ops: []history.TxnOp{w("x", value)}}} // small
	if value == "2" && d.IntN(4) == 0 {
		op.Txn.Ops[0], value = del("x"), ""
	}
	op.Invoke, op.Return = d.span(start, start+1)
	if d.IntN(5) == 0 && uint64(start) > last {
		last = uint64(commit) // small
		op.Outcome, op.Txn.CommitTS = history.OK, last
		op.Invoke, op.Return = d.span(start, commit+1)
	}
	d.ops = append(d.ops, op)
	if op.Outcome == history.OK || d.IntN(6) > 0 {
		d.effects = append(d.effects, effectAt{effect{uint64(commit), value}, commit + 1}) // small
	}
	return last
}

// answer returns what was there at an instant, or now and then something that was there at
// another one.
func (d *termsDraw) answer(at int64) history.TxnOp {
	value := ""
	for _, e := range d.effects {
		if e.at <= at {
			value = e.value
		}
	}
	if d.IntN(5) == 0 {
		value = d.effects[d.IntN(len(d.effects))].value
	}
	return r("x", value)
}

func (d *termsDraw) newest() {
	at := 30 + d.Int64N(240)
	op := history.Op{Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{Newest: true, Ops: []history.TxnOp{d.answer(at)}}}
	op.Invoke, op.Return = d.span(at, at)
	d.ops = append(d.ops, op)
}

func (d *termsDraw) snapshot() {
	ts := d.place()
	op := history.Op{Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{StartTS: uint64(ts), Ops: []history.TxnOp{d.answer(ts)}}} // small
	op.Invoke, op.Return = d.span(ts, ts+1)
	d.ops = append(d.ops, op)
}

// TestTermsAgainstOracle: what is called a violation has no instants that explain it. The
// other way round it need not find everything, for it tries nothing where an answer has two
// explanations; it tells how much it misses, and that has to be little.
func TestTermsAgainstOracle(t *testing.T) {
	random, n := rand.New(rand.NewPCG(3, 4)), 1000
	explained, found, missed := 0, 0, 0
	for range n {
		h := drawTerms(random)
		if err := history.Validate(h); err != nil {
			t.Fatal(err)
		}
		got := isolation.Check(h)
		o := oracle{ops: h.Ops}
		switch right := o.explains(); {
		case right && got.Verdict != verdict.OK:
			var text strings.Builder
			_ = history.Encode(&text, h)
			t.Fatalf("instants explain it: %+v\n%s", got.Findings, text.String())
		case right:
			explained++
		case got.Verdict == verdict.Violation:
			found++
		default:
			missed++
		}
	}
	t.Logf("explained %d, found %d, missed %d", explained, found, missed)
	if explained < n/10 || found < 60*missed {
		t.Error("of the wrong ones it finds too few")
	}
}

// TestNewestListsAgree: of a list to which elements are only added each answer is the beginning
// of all later ones, whoever appended what.
func TestNewestListsAgree(t *testing.T) {
	a, b := unknown(1, 0, add("l", "a")).at(10, 15), unknown(2, 0, add("l", "b")).at(11, 16)
	again := unknown(3, 0, add("l", "a")).at(12, 17)
	for _, c := range []struct {
		name     string
		want     verdict.Anomaly
		evidence []int
		txs      []tx
		right    verdict.Verdict // with the last answer a b
	}{
		{"in opposite orders", verdict.WriteOrder, []int{3, 2}, []tx{a, b, newestOf("l", "a b", 20, 40), newestOf("l", "b a", 20, 40)}, verdict.OK},
		{"one without the other", verdict.WriteOrder, []int{3, 2}, []tx{a, b, newestOf("l", "a", 20, 40), newestOf("l", "b a", 20, 40)}, verdict.OK},
		{"an element that is gone", verdict.StaleRead, []int{4, 3}, []tx{a, b, again, newestOf("l", "a b", 20, 30), newestOf("l", "a", 31, 40)}, verdict.Unknown},
		{"all of them that are gone", verdict.StaleRead, []int{4, 3}, []tx{a, b, again, newestOf("l", "a b", 20, 30), newestOf("l", "", 31, 40)}, verdict.Unknown},
		{"other elements, of two who appended one", verdict.WriteOrder, []int{4, 3}, []tx{a, b, again, newestOf("l", "a b", 20, 30), newestOf("l", "b a a", 31, 40)}, verdict.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(c.txs...)
			got := isolation.Check(h)
			if len(got.Findings) != 1 || got.Findings[0].Anomaly != c.want || !slices.Equal(got.Findings[0].Evidence, c.evidence) {
				t.Errorf("want %s of %v, got %+v", c.want, c.evidence, got.Findings)
			}
			if c.want == verdict.StaleRead { // the same at once is none
				early := h.Ops[len(h.Ops)-1]
				h.Ops[len(h.Ops)-1].Invoke = 30
				if got := isolation.Check(h); got.Verdict != verdict.Unknown {
					t.Errorf("at once: %+v", got)
				}
				h.Ops[len(h.Ops)-1] = early
			}
			h.Ops[len(h.Ops)-1].Txn.Ops[0].Value = p("a b")
			if got := isolation.Check(h); got.Verdict != c.right {
				t.Errorf("the right history: %+v", got)
			}
		})
	}
}

// TestNewestListsWrittenAsAWhole: a list that somebody may have deleted may hold less than before.
func TestNewestListsWrittenAsAWhole(t *testing.T) {
	h := build(unknown(1, 0, add("l", "a")).at(10, 15), unknown(2, 0, del("l")).at(11, 16), newestOf("l", "a", 20, 30), newestOf("l", "", 31, 40))
	if got := isolation.Check(h); got.Verdict == verdict.Violation {
		t.Errorf("%+v", got)
	}
}

// TestNewestListsAccepted: what a list was at instants is accepted, whoever may have appended
// it.
func TestNewestListsAccepted(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		var txs []tx
		list, at := []string{}, []int64{0} // what the list was from when on
		for i := range 1 + random.IntN(4) {
			start, e := int64(10*i+1+random.IntN(5)), string(rune('a'+random.IntN(3)))
			write := unknown(uint64(start), 0, add("l", e)).at(max(0, start-random.Int64N(5)), start+1+random.Int64N(20)) // small
			if random.IntN(3) == 0 {
				write = ok(uint64(start), uint64(10*i+8), add("l", e)).at(write.invoke, 10*int64(i)+9+random.Int64N(20)) // small
			}
			txs = append(txs, write)
			if write.outcome == history.OK || random.IntN(4) > 0 {
				list, at = append(list, e), append(at, int64(10*i+9))
			}
		}
		for range 1 + random.IntN(5) {
			now, n := random.Int64N(60), 0
			for n+1 < len(at) && at[n+1] <= now {
				n++
			}
			txs = append(txs, newestOf("l", strings.Join(list[:n], " "), max(0, now-random.Int64N(15)), now+1+random.Int64N(15)))
		}
		h := build(txs...)
		if err := history.Validate(h); err != nil {
			t.Fatal(err)
		}
		if got := isolation.Check(h); got.Verdict == verdict.Violation {
			var text strings.Builder
			_ = history.Encode(&text, h)
			t.Fatalf("%+v\n%s", got.Findings, text.String())
		}
	}
}
