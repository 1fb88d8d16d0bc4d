package isolation_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// assignment looks for commit timestamps of the transactions of which they are not known,
// and for outcomes of those of which these are not, that explain all answers: it tries
// them all. What it finds is what may have been; whether two transactions overlap that
// wrote one key it does not ask.
type assignment struct {
	h       *history.History
	initial map[string]string
	unsure  []*history.Op // of unknown outcome
	places  []float64     // rising: starts, answers, commits, and those assigned so far
	commit  map[*history.Op]float64
	last    map[string]int // by key, which of the unsure ones is the last that wrote it
}

func newAssignment(h *history.History) *assignment {
	a := &assignment{h: h, initial: h.Initial, commit: map[*history.Op]float64{}, last: map[string]int{}}
	for i := range h.Ops {
		op := &h.Ops[i]
		a.places = append(a.places, float64(op.Txn.StartTS), float64(max(op.Txn.StartTS, op.Txn.CommitTS)))
		for _, o := range op.Txn.Ops {
			a.places = append(a.places, float64(max(op.Txn.StartTS, o.TS)))
			if o.Kind.Writes() && op.Outcome == history.Unknown {
				a.last[o.Key] = len(a.unsure)
			}
		}
		switch op.Outcome {
		case history.OK:
			a.commit[op] = float64(op.Txn.CommitTS)
		case history.Unknown:
			a.unsure = append(a.unsure, op)
		case history.Failed:
		}
	}
	slices.Sort(a.places)
	a.places = append(slices.Compact(a.places), slices.Max(a.places)+10)
	return a
}

// exists says whether there is one, with what was assigned to the first n of the unsure.
func (a *assignment) exists(n int) bool {
	if n == 0 && !a.right(func(key string) bool { _, unsure := a.last[key]; return !unsure }) {
		return false
	}
	if n == len(a.unsure) {
		return true
	}
	op := a.unsure[n]
	next := func() bool {
		return a.right(func(key string) bool { last, unsure := a.last[key]; return unsure && last == n }) && a.exists(n+1)
	}
	if next() {
		return true // it was not committed
	}
	defer delete(a.commit, op)
	if c := op.Txn.CommitTS; c != 0 {
		a.commit[op] = float64(c)
		return next()
	}
	for i := 1; i < len(a.places); i++ {
		if a.places[i-1] < float64(op.Txn.HeldUntil()) {
			continue
		}
		c := (a.places[i-1] + a.places[i]) / 2
		a.commit[op] = c
		a.places = slices.Insert(a.places, i, c)
		ok := next()
		a.places = slices.Delete(a.places, i, i+1)
		if ok {
			return true
		}
	}
	return false
}

// right says whether the answers about some keys are.
func (a *assignment) right(about func(key string) bool) bool {
	for i := range a.h.Ops {
		op := &a.h.Ops[i]
		for _, o := range op.Txn.Ops {
			ts := float64(cmp.Or(o.TS, op.Txn.StartTS))
			switch o.Kind {
			case history.TxnRead:
				if about(o.Key) && !equal(a.at(o.Key, ts, op), o.Value) {
					return false
				}
			case history.TxnScan:
				for _, key := range assignedKeys() {
					var got *string
					if p := slices.IndexFunc(o.Pairs, func(p history.Pair) bool { return p.Key == key }); p >= 0 {
						got = &o.Pairs[p].Value
					}
					if about(key) && !equal(a.at(key, ts, op), got) {
						return false
					}
				}
			case history.TxnWrite, history.TxnDelete, history.TxnAppend, history.TxnLock:
			}
		}
	}
	return true
}

func equal(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// assignedKeys are those of the histories: two lists, two registers.
func assignedKeys() []string { return []string{"l", "m", "x", "y"} }

// at returns what a key holds at a timestamp, without what the reader itself wrote.
func (a *assignment) at(key string, ts float64, reader *history.Op) (value *string) {
	if v, ok := a.initial[key]; ok {
		value = &v
	}
	var writers []*history.Op
	for i := range a.h.Ops {
		if op := &a.h.Ops[i]; op != reader {
			if c, ok := a.commit[op]; ok && c <= ts {
				writers = append(writers, op)
			}
		}
	}
	slices.SortFunc(writers, func(x, y *history.Op) int { return cmp.Compare(a.commit[x], a.commit[y]) })
	for _, op := range writers {
		for i := range op.Txn.Ops {
			o := &op.Txn.Ops[i]
			switch {
			case o.Key != key || !o.Kind.Writes():
			case o.Kind == history.TxnAppend && value != nil:
				value = p(*value + " " + *o.Value)
			default:
				value = o.Value
			}
		}
	}
	return value
}

// unsureDraw draws a history with up to four transactions of which neither commit timestamp
// nor outcome is known. It draws two assignments of these, and takes some answers from the
// one and some from the other: so each of them alone may be right.
type unsureDraw struct {
	*rand.Rand
	keys    []string
	again   bool // values are written twice
	n       int
	txs     []tx
	stamps  []int
	commits [2]map[uint64]uint64 // by start timestamp
}

func drawUnsure(r *rand.Rand) *history.History {
	d := &unsureDraw{Rand: r, again: r.IntN(4) == 0, stamps: r.Perm(40), commits: [2]map[uint64]uint64{{}, {}}}
	d.keys = [][]string{{"x"}, {"x", "y"}, {"x", "y"}, {"l"}, {"l", "m"}, {"l", "x"}, {"l", "m", "x", "y"}}[r.IntN(7)]
	for _, at := range r.Perm(12)[:1+r.IntN(4)] {
		d.unsure(uint64(at)) // small
	}
	for range r.IntN(4) {
		t := ok(d.stamp(), 0)
		t.commit = t.start + 16
		d.write(&t)
		d.commits[0][t.start], d.commits[1][t.start] = t.commit, t.commit
		d.txs = append(d.txs, t)
	}
	for range 2 + r.IntN(4) {
		t := ok(d.stamp(), 0)
		for range 1 + r.IntN(3) {
			if r.IntN(6) == 0 {
				t.ops = append(t.ops, scan("", "", 0, false))
			} else {
				d.read(&t, d.keys[r.IntN(len(d.keys))])
			}
		}
		d.txs = append(d.txs, t)
	}
	h := build(d.txs...)
	d.answer(h)
	return h
}

// stamp returns a timestamp that is far from all others, so that there is room for commits.
func (d *unsureDraw) stamp() uint64 {
	ts := d.stamps[0]
	d.stamps = d.stamps[1:]
	return 160 * uint64(ts+1) // small
}

// read reads a key, perhaps in a statement of its own: of one that is known to be committed,
// no statement is above the commit.
func (d *unsureDraw) read(t *tx, key string) {
	o := r(key, "")
	if d.IntN(6) == 0 && t.commit == 0 {
		o.TS = t.start + 160*d.Uint64N(8) + 48
	}
	t.ops = append(t.ops, o)
}

func (d *unsureDraw) write(t *tx) {
	for _, k := range d.keys {
		if d.IntN(3) == 0 {
			continue
		}
		d.n++
		v := fmt.Sprint(d.n)
		if d.again {
			v = string(rune('a' + d.IntN(3)))
		}
		if d.IntN(4) == 0 {
			d.read(t, k)
		}
		switch {
		case k == "l" || k == "m":
			t.ops = append(t.ops, add(k, v))
		case d.IntN(6) == 0:
			t.ops = append(t.ops, del(k))
		default:
			t.ops = append(t.ops, w(k, v))
		}
	}
}

func (d *unsureDraw) unsure(at uint64) {
	t := unknown(160*(at+1)+32, 0)
	if d.IntN(8) == 0 {
		t.commit = t.start + 64
	}
	d.write(&t)
	for i := range d.commits {
		if c := 160*(1+d.Uint64N(30)) + 80 + uint64(len(d.txs)); d.IntN(6) > 0 && c > t.start {
			d.commits[i][t.start] = cmp.Or(t.commit, c)
		}
	}
	d.txs = append(d.txs, t)
}

// answer fills in the answers. A history of which nobody knows what was there at first is
// right: assignments do not try what it was.
func (d *unsureDraw) answer(h *history.History) {
	var both [2]*assignment
	initial := map[string]string{}
	other := []int{0, 4, 8}[d.IntN(3)]
	if d.IntN(5) == 0 {
		initial = map[string]string{"x": "0", "l": "0 00"}
		if h.InitialUnknown = other == 0; !h.InitialUnknown {
			h.Initial = initial
		}
	}
	for i := range both {
		both[i] = &assignment{h: h, initial: initial, commit: map[*history.Op]float64{}}
		for j := range h.Ops {
			if c, ok := d.commits[i][h.Ops[j].Txn.StartTS]; ok {
				both[i].commit[&h.Ops[j]] = float64(c)
			}
		}
	}
	for i := range h.Ops {
		op := &h.Ops[i]
		for j := range op.Txn.Ops {
			a, o := both[0], &op.Txn.Ops[j]
			if other > 0 && d.IntN(other) == 0 {
				a = both[1]
			}
			ts := float64(cmp.Or(o.TS, op.Txn.StartTS))
			switch o.Kind {
			case history.TxnRead:
				o.Value = a.at(o.Key, ts, op)
			case history.TxnScan:
				for _, key := range assignedKeys() {
					if v := a.at(key, ts, op); v != nil {
						o.Pairs = append(o.Pairs, history.Pair{Key: key, Value: *v})
					}
				}
			case history.TxnWrite, history.TxnDelete, history.TxnAppend, history.TxnLock:
			}
		}
	}
}

// TestAgainstAllAssignments: what the checker calls a violation has no assignment of
// commits that explains it. The other way round it need not find everything: it tries
// nothing where an answer has two explanations. It tells how much it misses, and that has
// to be little.
func TestAgainstAllAssignments(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 1))
	count := map[string]int{}
	for range 1000 {
		h := drawUnsure(random)
		if err := history.Validate(h); err != nil {
			t.Fatal(err)
		}
		exists, got := h.InitialUnknown || newAssignment(h).exists(0), isolation.Check(h)
		switch {
		case exists && got.Verdict == verdict.Violation:
			var text strings.Builder
			_ = history.Encode(&text, h)
			t.Fatalf("an assignment explains it: %+v\n%s", got.Findings, text.String())
		case exists:
			count["right"]++
		case got.Verdict == verdict.Violation:
			count["found"]++
		case got.Verdict == verdict.Unknown:
			count["not judged"]++
		default:
			count["missed"]++
		}
	}
	for _, what := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%s: %d", what, count[what])
	}
	if count["found"] < 100 || count["found"] < 20*(count["missed"]+count["not judged"]) {
		t.Error("of the wrong ones it finds too few")
	}
}
