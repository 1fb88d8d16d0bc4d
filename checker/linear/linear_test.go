package linear_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/checker/linear"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

func p(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// op builds an operation; its client is its id, so that operations may overlap
// as the instants say.
func op(kind history.Kind, invoke, ret int64, value string) history.Op {
	return history.Op{Kind: kind, Invoke: invoke, Return: ret, Outcome: history.OK, Key: "k", Value: p(value)}
}
func read(invoke, ret int64, v string) history.Op  { return op(history.Read, invoke, ret, v) }
func write(invoke, ret int64, v string) history.Op { return op(history.Write, invoke, ret, v) }
func app(invoke, ret int64, v string) history.Op   { return op(history.Append, invoke, ret, v) }
func cas(invoke, ret int64, expected, v string, swapped bool) history.Op {
	o := op(history.CAS, invoke, ret, v)
	o.Expected, o.Swapped = p(expected), swapped
	return o
}

func mutex(kind history.Kind, invoke, ret int64) history.Op {
	return history.Op{Kind: kind, Invoke: invoke, Return: ret, Outcome: history.OK, Key: "m"}
}
func unknown(o history.Op) history.Op { o.Outcome = history.Unknown; return o }
func failed(o history.Op) history.Op  { o.Outcome = history.Failed; return o }
func on(key string, o history.Op) history.Op {
	o.Key = key
	return o
}

func build(ops ...history.Op) *history.History {
	for i := range ops {
		ops[i].ID, ops[i].Client = i, i
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Return - b.Return) })
	return &history.History{Ops: ops}
}

// TestCheck has, for each rule, a history that breaks it and its twin.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name      string
		evidence  []int
		bad, good []history.Op
	}{
		{
			"a stale read",
			[]int{2, 1},
			[]history.Op{write(0, 1, "1"), write(2, 3, "2"), read(4, 5, "1")},
			[]history.Op{write(0, 1, "1"), write(2, 5, "2"), read(4, 5, "1")},
		},
		{
			"reads that go back", nil,
			[]history.Op{write(0, 1, "1"), write(2, 9, "2"), read(3, 4, "2"), read(5, 6, "1")},
			[]history.Op{write(0, 1, "1"), write(2, 9, "2"), read(3, 4, "1"), read(5, 6, "2")},
		},
		{
			"a deleted value", nil,
			[]history.Op{write(0, 1, "1"), write(2, 3, ""), read(4, 5, "1")},
			[]history.Op{write(0, 1, "1"), write(2, 3, ""), read(4, 5, "")},
		},
		{
			"a failed write",
			[]int{1},
			[]history.Op{failed(write(0, 1, "1")), read(2, 3, "1")},
			[]history.Op{failed(write(0, 1, "1")), read(2, 3, "")},
		},
		{
			"an unknown write that comes and goes", nil,
			[]history.Op{unknown(write(0, 1, "1")), read(2, 3, "1"), read(4, 5, "")},
			[]history.Op{unknown(write(0, 1, "1")), read(2, 3, ""), read(4, 5, "1")},
		},
		{
			"an unknown write before its invocation", nil,
			[]history.Op{read(0, 1, "1"), unknown(write(2, 3, "1"))},
			[]history.Op{read(0, 1, ""), unknown(write(2, 3, "1"))},
		},
		{
			"a swap that cannot have been", nil,
			[]history.Op{write(0, 1, "1"), cas(2, 3, "2", "3", true)},
			[]history.Op{write(0, 1, "1"), cas(2, 3, "2", "3", false), cas(4, 5, "1", "3", true), read(6, 7, "3")},
		},
		{
			"a mismatch that cannot have been", nil,
			[]history.Op{write(0, 1, "1"), cas(2, 3, "1", "3", false)},
			[]history.Op{write(0, 1, "1"), write(2, 3, "2"), cas(2, 3, "1", "3", false)},
		},
		{
			"a swap of an absent key", nil,
			[]history.Op{cas(0, 1, "", "1", true), cas(2, 3, "", "2", true)},
			[]history.Op{cas(0, 1, "", "1", true), cas(2, 3, "", "2", false), read(4, 5, "1")},
		},
		{
			"a mismatch that only an unknown write explains", nil,
			[]history.Op{write(0, 1, "1"), unknown(write(6, 7, "9")), cas(2, 3, "1", "3", false)},
			[]history.Op{write(0, 1, "1"), unknown(write(2, 3, "9")), cas(4, 5, "1", "3", false)},
		},
		{
			"an unknown swap", nil,
			[]history.Op{write(0, 1, "1"), unknown(cas(2, 3, "2", "3", false)), read(4, 5, "3")},
			[]history.Op{write(0, 1, "1"), unknown(cas(2, 3, "1", "3", false)), read(4, 5, "1"), read(6, 7, "3")},
		},
		{
			"one key of two", nil,
			[]history.Op{write(0, 1, "1"), on("l", write(2, 3, "2")), read(4, 5, "1"), on("l", read(6, 7, "1"))},
			[]history.Op{write(0, 1, "1"), on("l", write(2, 3, "2")), read(4, 5, "1"), on("l", read(6, 7, "2"))},
		},
		{
			"an append that is lost", nil,
			[]history.Op{app(0, 1, "a"), app(2, 3, "b"), read(4, 5, "b")},
			[]history.Op{app(0, 1, "a"), app(2, 3, "b"), read(4, 5, "ab"), cas(6, 7, "ab", "x", true), app(8, 9, "y"), read(10, 11, "xy")},
		},
		{
			"a mutex held twice", nil,
			[]history.Op{mutex(history.Acquire, 0, 1), mutex(history.Acquire, 2, 3)},
			[]history.Op{mutex(history.Acquire, 0, 1), unknown(mutex(history.Release, 2, 3)), mutex(history.Acquire, 4, 5), unknown(mutex(history.Acquire, 6, 7))},
		},
		{
			"a mutex released that was free", nil,
			[]history.Op{mutex(history.Release, 0, 1)},
			[]history.Op{mutex(history.Acquire, 0, 1), mutex(history.Release, 2, 3)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := linear.Check(build(c.bad...), linear.Options{})
			if got.Verdict != verdict.Violation || len(got.Findings) != 1 || got.Findings[0].Anomaly != verdict.NotLinearizable {
				t.Fatalf("%+v", got)
			}
			if c.evidence != nil && !slices.Equal(got.Findings[0].Evidence, c.evidence) {
				t.Errorf("evidence %v, want %v: %s", got.Findings[0].Evidence, c.evidence, got.Findings[0].Message)
			}
			if got := linear.Check(build(c.good...), linear.Options{}); got.Verdict != verdict.OK {
				t.Errorf("the twin is rejected: %+v", got)
			}
		})
	}
}

// TestInitial: a register may hold something from the start, or anything.
func TestInitial(t *testing.T) {
	h := build(read(0, 1, "5"), cas(2, 3, "5", "6", true), read(4, 5, "6"))
	if got := linear.Check(h, linear.Options{}); got.Verdict != verdict.Violation {
		t.Errorf("%+v", got)
	}
	h.Initial = map[string]string{"k": "5"}
	if got := linear.Check(h, linear.Options{}); got.Verdict != verdict.OK {
		t.Errorf("%+v", got)
	}
	h.Initial, h.InitialUnknown = nil, true
	if got := linear.Check(h, linear.Options{}); got.Verdict != verdict.OK {
		t.Errorf("%+v", got)
	}
}

func txn(invoke, ret int64, ops ...history.TxnOp) history.Op {
	return history.Op{Kind: history.Txn, Invoke: invoke, Return: ret, Outcome: history.OK, Txn: &history.TxnRecord{Ops: ops}}
}

func r(k, v string) history.TxnOp { return history.TxnOp{Kind: history.TxnRead, Key: k, Value: p(v)} }

func w(k, v string) history.TxnOp { return history.TxnOp{Kind: history.TxnWrite, Key: k, Value: p(v)} }

// TestTransactions: several registers as one object; write skew is a violation.
func TestTransactions(t *testing.T) {
	bad := build(txn(0, 5, r("x", ""), w("y", "1")), txn(1, 6, r("y", ""), w("x", "1")))
	if got := linear.CheckTransactions(bad, linear.Options{}); got.Verdict != verdict.Violation {
		t.Errorf("%+v", got)
	}
	good := build(txn(0, 5, r("x", ""), w("y", "1"), r("y", "1")), txn(1, 6, r("y", "1"), w("x", "1")), unknown(txn(7, 8, w("x", "2"))), txn(9, 10, r("x", "1")))
	got := linear.CheckTransactions(good, linear.Options{})
	if got.Verdict != verdict.OK {
		t.Fatalf("%+v", got)
	}
	var page bytes.Buffer
	if err := got.Visualise(&page); err != nil || !strings.Contains(page.String(), "<html") {
		t.Errorf("page of %d bytes: %v", page.Len(), err)
	}
	appended := build(txn(0, 5, history.TxnOp{Kind: history.TxnAppend, Key: "x", Value: p("1")}))
	if got := linear.CheckTransactions(appended, linear.Options{}); got.Verdict != verdict.Unknown {
		t.Errorf("%+v", got)
	}
}

// TestTimeout: what is not decided in time is Unknown, not OK.
func TestTimeout(t *testing.T) {
	var ops []history.Op
	for i := range 40 { // all concurrent, and nothing can be read that was written
		ops = append(ops, op(history.Append, 0, 1000, string(rune('a'+i%26))))
	}
	ops = append(ops, read(0, 1001, "?"))
	got := linear.Check(build(ops...), linear.Options{Timeout: 20 * time.Millisecond})
	if got.Verdict != verdict.Unknown || got.Reason == "" {
		t.Fatalf("%+v", got)
	}
}

// TestVisualise: the page shows several keys, whether they are in order or not.
func TestVisualise(t *testing.T) {
	ops := []history.Op{write(0, 1, "1"), on("l", write(2, 3, "2")), read(4, 5, "1"), unknown(write(6, 7, "8")), mutex(history.Acquire, 0, 1)}
	for _, last := range []history.Op{on("l", read(8, 9, "2")), on("l", read(8, 9, "1"))} {
		got := linear.Check(build(append(slices.Clone(ops), last)...), linear.Options{})
		var page bytes.Buffer
		if err := got.Visualise(&page); err != nil || !strings.Contains(page.String(), "read()") {
			t.Errorf("%v: page of %d bytes: %v", got.Verdict, page.Len(), err)
		}
	}
}

// generate runs clients against a register that works: each operation takes
// effect at one instant between its invocation and its return.
func generate(intN func(int) int, n int) *history.History {
	h := &history.History{}
	state := map[string]string{}
	now := int64(0)
	for id := range n {
		client := intN(3)
		o := history.Op{ID: id, Client: client, Key: string(rune('a' + intN(2))), Invoke: now + int64(intN(3)), Outcome: history.OK}
		value := p(string(rune('1' + intN(4))))
		takes := true
		if intN(6) == 0 {
			o.Outcome, takes = history.Unknown, intN(2) == 0
		}
		now = o.Invoke + int64(intN(4))
		o.Return = now
		old := state[o.Key]
		switch intN(3) {
		case 0:
			o.Kind = history.Read
			if o.Outcome == history.OK {
				o.Value = p(old)
			}
		case 1:
			o.Kind, o.Value = history.Write, value
			if takes {
				state[o.Key] = *value
			}
		default:
			o.Kind, o.Value, o.Expected = history.CAS, value, p(string(rune('1'+intN(4))))
			swapped := takes && old == *o.Expected
			o.Swapped = swapped && o.Outcome == history.OK
			if swapped {
				state[o.Key] = *value
			}
		}
		h.Ops = append(h.Ops, o)
	}
	return h
}

// TestAccepted: what a working register answers is accepted, and its intervals
// may be stretched.
func TestAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		intN := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }
		h := generate(intN, rapid.IntRange(1, 30).Draw(t, "ops"))
		for i := range h.Ops {
			h.Ops[i].Invoke -= int64(intN(5))
			h.Ops[i].Return += int64(intN(5))
			h.Ops[i].Client = i
		}
		got := linear.Check(h, linear.Options{Timeout: 10 * time.Second})
		want := verdict.OK
		if got.Checked == 0 && !slices.ContainsFunc(h.Ops, func(o history.Op) bool { return o.Outcome == history.OK }) {
			want = verdict.Unknown
		}
		if got.Verdict != want {
			t.Fatalf("%+v", got)
		}
	})
}

// TestNothingTookPart: a history of which no operation tells anything is not OK,
// unless another tool recorded it.
func TestNothingTookPart(t *testing.T) {
	for _, c := range []struct {
		name string
		h    *history.History
	}{
		{"nothing", build()},
		{"failed", build(failed(write(0, 1, "1")), failed(read(2, 3, "")))},
		{"a read without an answer", build(unknown(read(0, 1, "")))},
		{"a write of unknown outcome that nobody saw", build(unknown(write(0, 1, "1")))},
	} {
		if got := linear.Check(c.h, linear.Options{}); got.Verdict != verdict.Unknown || got.Checked != 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
		c.h.Foreign = true
		if got := linear.Check(c.h, linear.Options{}); got.Verdict != verdict.OK || got.Reason == "" {
			t.Errorf("%s, of another tool: %+v", c.name, got)
		}
	}
	if got := linear.Check(build(unknown(write(0, 1, "1")), read(2, 3, "1")), linear.Options{}); got.Verdict != verdict.OK || got.Checked != 2 {
		t.Errorf("one that somebody saw: %+v", got)
	}
	none := build(failed(txn(0, 5, w("x", "1"))))
	if got := linear.CheckTransactions(none, linear.Options{}); got.Verdict != verdict.Unknown {
		t.Errorf("transactions: %+v", got)
	}
}

// TestStrangeKinds: an operation that nobody knows may have changed its key, so that
// nothing is said of that one.
func TestStrangeKinds(t *testing.T) {
	add := func(key string, invoke, ret int64) history.Op { return on(key, op("add", invoke, ret, "1")) }
	for _, c := range []struct {
		name string
		ops  []history.Op
		want verdict.Verdict
	}{
		{"a counter", []history.Op{add("k", 0, 1), read(2, 3, "1")}, verdict.Unknown},
		{"a counter, perhaps", []history.Op{unknown(add("k", 0, 1)), read(2, 3, "1")}, verdict.Unknown},
		{"a counter, failed", []history.Op{failed(add("k", 0, 1)), read(2, 3, "1")}, verdict.Violation},
		{"of another key", []history.Op{add("other", 0, 1), read(2, 3, "1")}, verdict.Violation},
		{"of an untold key", []history.Op{add("", 0, 1), read(2, 3, "1")}, verdict.Unknown},
		{"nobody looked", []history.Op{add("k", 0, 1), failed(read(2, 3, "")), on("j", write(4, 5, "1"))}, verdict.OK},
		{"a violation beside", []history.Op{add("k", 0, 1), read(2, 3, "1"), on("j", read(4, 5, "1"))}, verdict.Violation},
	} {
		got := linear.Check(build(c.ops...), linear.Options{})
		if got.Verdict != c.want || got.Verdict == verdict.Unknown && !strings.Contains(got.Reason, `"add"`) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestMutated: a read of a value that nobody wrote is always found, and is the
// first evidence.
func TestMutated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		intN := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }
		h := generate(intN, rapid.IntRange(1, 30).Draw(t, "ops"))
		for i := range h.Ops {
			if o := &h.Ops[i]; o.Kind == history.Read && o.Outcome == history.OK {
				o.Value = p("9")
				got := linear.Check(h, linear.Options{Timeout: 10 * time.Second})
				if got.Verdict != verdict.Violation || got.Findings[0].Evidence[0] != o.ID {
					t.Fatalf("id %d: %+v", o.ID, got)
				}
				return
			}
		}
		t.Skip("no read")
	})
}

func BenchmarkCheck(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	h := generate(rnd.IntN, 3000)
	b.ReportAllocs()
	for b.Loop() {
		if got := linear.Check(h, linear.Options{Timeout: time.Minute}); got.Verdict != verdict.OK {
			b.Fatalf("%+v", got)
		}
	}
}
