package isolation_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// source draws numbers: from rapid in properties, from a generator in
// benchmarks.
type source interface{ intN(n int) int }

type rapidSource struct{ t *rapid.T }

func (s rapidSource) intN(n int) int { return rapid.IntRange(0, n-1).Draw(s.t, "n") }

type randSource struct{ r *rand.Rand }

func (s randSource) intN(n int) int { return s.r.IntN(n) }

// model is a snapshot-isolated store, as simple as can be: all versions of all
// keys, first committer wins. What locks do to it is in locks_model_test.go.
type model struct {
	src      source
	clock    uint64
	versions map[string][]modelVersion
	unique   int
	keys     int
	lists    int            // of the keys, how many are appended to
	certain  bool           // no outcome is unknown
	locks    *modelLocks    // nil: nobody locks anything, and all timestamps are drawn
	commits  map[int]uint64 // by id, when a transaction that left records was committed, known or not
}

type modelVersion struct {
	commit  uint64
	value   string
	present bool
}

// running is a transaction between begin and commit.
type running struct {
	op     history.Op
	writes map[string]modelVersion
	left   int

	locked     map[string]bool // keys that it has locked, whoever holds them now
	forUpdate  uint64          // timestamp of the last statement of a pessimistic one that locked
	statements int             // how many of these there were
}

func (m *model) tick() uint64 { m.clock++; return m.clock }

// read returns what a transaction sees of a key at a timestamp.
func (m *model) read(r *running, k string, ts uint64) modelVersion {
	if v, ok := r.writes[k]; ok {
		return v
	}
	m.locks.saw(k, ts)
	for _, v := range slices.Backward(m.versions[k]) {
		if v.commit <= ts {
			return v
		}
	}
	return modelVersion{}
}

func (m *model) key(list bool) string {
	if list {
		return fmt.Sprintf("l%d", m.src.intN(m.lists))
	}
	return fmt.Sprintf("k%06d", m.src.intN(m.keys))
}

// step does one operation of a transaction.
func (m *model) step(r *running) {
	t := r.op.Txn
	list := m.lists > 0 && m.src.intN(3) == 0
	k := m.key(list)
	n := m.src.intN(10)
	if m.lockingStep(r, k, list, n) {
		return
	}
	switch {
	case n < 4:
		v := m.read(r, k, t.StartTS)
		t.Ops = append(t.Ops, history.TxnOp{Kind: history.TxnRead, Key: k, Value: ptr(v)})
	case n < 5:
		m.scan(r, t.StartTS, 0)
	case list:
		m.append(r, k, t.StartTS)
	case n < 6:
		r.writes[k] = modelVersion{}
		t.Ops = append(t.Ops, history.TxnOp{Kind: history.TxnDelete, Key: k})
	default:
		m.unique++
		v := fmt.Sprint(m.unique)
		r.writes[k] = modelVersion{value: v, present: true}
		t.Ops = append(t.Ops, history.TxnOp{Kind: history.TxnWrite, Key: k, Value: &v})
	}
}

// append appends an element of its own to the list that it sees at a timestamp.
func (m *model) append(r *running, k string, ts uint64) {
	m.unique++
	old, e := m.read(r, k, ts), fmt.Sprint(m.unique)
	r.writes[k] = modelVersion{value: strings.TrimSpace(old.value + " " + e), present: true}
	r.op.Txn.Ops = append(r.op.Txn.Ops, history.TxnOp{Kind: history.TxnAppend, Key: k, Value: &e})
}

func ptr(v modelVersion) *string {
	if !v.present {
		return nil
	}
	return &v.value
}

// scan reads a range at a timestamp; own is what the record has of it.
func (m *model) scan(r *running, ts, own uint64) {
	from := m.src.intN(m.keys)
	to := min(from+m.src.intN(8), m.keys)
	op := history.TxnOp{
		Kind: history.TxnScan, Key: fmt.Sprintf("k%06d", from), EndKey: fmt.Sprintf("k%06d", to),
		Limit: m.src.intN(4), Reverse: m.src.intN(2) == 0, TS: own,
	}
	for i := from; i < to; i++ {
		k := fmt.Sprintf("k%06d", i)
		if v := m.read(r, k, ts); v.present {
			op.Pairs = append(op.Pairs, history.Pair{Key: k, Value: v.value})
		}
	}
	if op.Reverse {
		slices.Reverse(op.Pairs)
	}
	if op.Limit > 0 && len(op.Pairs) > op.Limit {
		op.Pairs = op.Pairs[:op.Limit]
	}
	r.op.Txn.Ops = append(r.op.Txn.Ops, op)
}

// commit ends a transaction: it may fail for good, or leave its client in the
// dark, with or without effect.
func (m *model) commit(r *running) {
	t := r.op.Txn
	dark := m.src.intN(8) == 0 && !m.certain
	conflict := m.src.intN(10) == 0 || m.conflicts(r)
	switch {
	case conflict && !dark:
		r.op.Outcome = history.Failed
	case !r.changes():
		r.op.Outcome = history.OK
		r.dropLocks()
	default:
		r.op.Outcome = history.OK
		c, chosen := m.locks.choose(m.src, r)
		if !chosen {
			c = m.tick()
		}
		if dark {
			r.op.Outcome = history.Unknown
		}
		if !dark || m.src.intN(3) > 0 {
			t.CommitTS, t.Calculated = c, chosen
		}
		if conflict {
			break
		}
		m.committed(r, c)
		for k, v := range r.writes {
			v.commit = c
			m.versions[k] = append(m.versions[k], v)
		}
		m.locks.record(r, c)
	}
	m.locks.release(r)
	r.op.Return = int64(m.tick())
}

func (m *model) committed(r *running, c uint64) {
	if m.commits == nil {
		m.commits = map[int]uint64{}
	}
	m.commits[r.op.ID] = c
}

// conflicts says whether somebody else has finished on a key since the transaction
// began to care for it.
func (m *model) conflicts(r *running) bool {
	if m.locks != nil {
		return m.locks.conflict(r)
	}
	for k := range r.writes {
		if vs := m.versions[k]; len(vs) > 0 && vs[len(vs)-1].commit > r.op.Txn.StartTS {
			return true
		}
	}
	return false
}

// generate returns a history of n transactions by clients, interleaved.
func generate(src source, n, clients, ops, keys, lists int) *history.History {
	m := &model{src: src, versions: map[string][]modelVersion{}, keys: keys, lists: lists}
	return m.run(n, clients, ops)
}

func (m *model) run(n, clients, ops int) *history.History {
	src := m.src
	h := &history.History{}
	active := make([]*running, clients)
	for begun := 0; len(h.Ops) < n; {
		c := src.intN(clients)
		r := active[c]
		switch {
		case r == nil && begun == n:
			c = slices.IndexFunc(active, func(r *running) bool { return r != nil })
			m.finish(h, active, c)
		case r == nil:
			active[c] = &running{writes: map[string]modelVersion{}, left: 1 + src.intN(ops), op: history.Op{
				ID: begun, Client: c, Kind: history.Txn, Invoke: int64(m.tick()), Txn: &history.TxnRecord{StartTS: m.tick()},
			}}
			m.locks.draw(src, active[c])
			begun++
		case r.left == 0:
			m.finish(h, active, c)
		default:
			m.step(r)
			r.left--
		}
	}
	return h
}

func (m *model) finish(h *history.History, active []*running, c int) {
	m.commit(active[c])
	h.Ops = append(h.Ops, active[c].op)
	active[c] = nil
}

// TestModelAccepted: what a snapshot-isolated store answers is accepted.
func TestModelAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := generate(rapidSource{t}, rapid.IntRange(1, 60).Draw(t, "txns"), rapid.IntRange(1, 6).Draw(t, "clients"), 6, 5, 2)
		if err := history.Validate(h); err != nil {
			t.Fatal(err)
		}
		got := isolation.Check(h)
		want := verdict.OK
		if got.Checked == 0 && !slices.ContainsFunc(h.Ops, func(op history.Op) bool { return op.Outcome == history.OK }) {
			want = verdict.Unknown
		}
		if got.Verdict != want {
			t.Fatalf("%+v", got)
		}
	})
}

// TestModelMutated changes one answer of a correct history. Written values are
// unique, so an answer of another value is wrong wherever what was read is
// certain: in keys that no transaction of unknown outcome wrote.
func TestModelMutated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mutateAnswer(t, generate(rapidSource{t}, rapid.IntRange(5, 60).Draw(t, "txns"), rapid.IntRange(1, 6).Draw(t, "clients"), 6, 5, 2))
	})
}

func mutateAnswer(t *rapid.T, h *history.History) {
	unsure := map[string]bool{}
	for _, op := range h.Ops {
		for _, o := range op.Txn.Ops {
			if op.Outcome == history.Unknown && o.Kind.Writes() {
				unsure[o.Key] = true
			}
		}
	}
	var reads []*history.TxnOp
	for i := range h.Ops {
		for j := range h.Ops[i].Txn.Ops {
			if o := &h.Ops[i].Txn.Ops[j]; o.Kind == history.TxnRead && !unsure[o.Key] {
				reads = append(reads, o)
			}
		}
	}
	if len(reads) == 0 {
		t.Skip("nothing to mutate")
	}
	o := reads[rapid.IntRange(0, len(reads)-1).Draw(t, "read")]
	old := "nothing"
	if o.Value != nil {
		old = *o.Value
	}
	mutate(t, h, o)
	if got := isolation.Check(h); got.Verdict != verdict.Violation {
		t.Fatalf("read of %s changed from %s to %v, and accepted", o.Key, old, o.Value)
	}
}

// mutate gives a read another answer: nothing, a value of somebody else, or one
// that nobody wrote.
func mutate(t *rapid.T, h *history.History, o *history.TxnOp) {
	var others []string
	for _, op := range h.Ops {
		for _, w := range op.Txn.Ops {
			if w.Key == o.Key && w.Value != nil && (o.Value == nil || *w.Value != *o.Value) {
				others = append(others, *w.Value)
			}
		}
	}
	others = append(others, "-1")
	if o.Value != nil && rapid.Bool().Draw(t, "nothing") {
		o.Value = nil
		return
	}
	v := rapid.SampledFrom(others).Draw(t, "value")
	o.Value = &v
}

// TestModelShifted moves a committed transaction's start timestamp to before the
// commit of one that ended before it began: no answer is changed, and yet real
// time is broken.
func TestModelShifted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := generate(rapidSource{t}, rapid.IntRange(5, 40).Draw(t, "txns"), rapid.IntRange(1, 4).Draw(t, "clients"), 4, 5, 1)
		for i := range h.Ops {
			for j := range h.Ops[:i] {
				a, b := &h.Ops[j], &h.Ops[i]
				if a.Txn.CommitTS != 0 && a.Return < b.Invoke {
					b.Txn.StartTS = a.Txn.CommitTS - 1
					if got := isolation.Check(h); got.Verdict != verdict.Violation {
						t.Fatalf("id %d now starts before the commit of id %d, and is accepted", b.ID, a.ID)
					}
					return
				}
			}
		}
		t.Skip("nothing to shift")
	})
}

// TestSize keeps the check linear: it must not take long for a long history.
func TestSize(t *testing.T) {
	h := generate(randSource{rand.New(rand.NewPCG(1, 2))}, 20000, 20, 8, 200, 0)
	begin := time.Now()
	if got := isolation.Check(h); got.Verdict != verdict.OK {
		t.Fatalf("%+v", got.Findings)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Fatalf("20,000 transactions took %v", d)
	}
}

// BenchmarkCheck is transactions of up to 16 operations, 8 on average.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := generate(randSource{rand.New(rand.NewPCG(1, 2))}, n, 50, 16, n/100, 0)
			runtime.GC() // what it took to draw the history is not the check's to collect
			b.ReportAllocs()
			for b.Loop() {
				if check, _ := isolation.All(h); check.Verdict != verdict.OK {
					b.Fatalf("%+v", check.Findings)
				}
			}
		})
	}
}
