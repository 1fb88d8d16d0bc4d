package isolation_test

import (
	"slices"
	"strings"
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// stated gives a transaction statements, as timestamp, invocation, timestamp, ...
func (t tx) stated(pairs ...int) tx {
	for i := 0; i < len(pairs); i += 2 {
		t.statements = append(t.statements, history.Statement{TS: uint64(pairs[i]), Invoke: int64(pairs[i+1])})
	}
	return t
}

// TestStatements: a statement with a timestamp of its own sees what was acknowledged
// before it was invoked, whatever it answers. The identifiers are the places in the
// list.
func TestStatements(t *testing.T) {
	other := ok(11, 20, w("x", "1")).at(100, 200)
	calculated := other
	calculated.calculated = true
	for _, c := range []struct {
		name     string
		want     verdict.Anomaly
		evidence []int
		txs      []tx
	}{
		{
			"below what was acknowledged", verdict.RealTimeOrder,
			[]int{1, 0},
			[]tx{other, ok(10, 0, at(15, r("x", ""))).at(90, 300).stated(15, 201)},
		},
		{
			"at the start timestamp, which is as old", verdict.RealTimeOrder,
			[]int{1, 0},
			[]tx{other, ok(10, 0, at(10, r("x", ""))).at(90, 300).stated(10, 201)},
		},
		{
			"at that of the statement before", verdict.RealTimeOrder,
			[]int{1, 0},
			[]tx{other, ok(10, 0, at(15, r("x", "")), at(15, r("x", ""))).at(90, 300).stated(15, 150, 15, 201)},
		},
		{
			"acknowledged as it was invoked", "", nil,
			[]tx{other, ok(10, 0, at(15, r("x", ""))).at(90, 300).stated(15, 200)},
		},
		{
			"above what was acknowledged", "", nil,
			[]tx{other, ok(10, 0, at(21, r("x", "1"))).at(90, 300).stated(21, 201)},
		},
		{
			"at the start timestamp, and nothing was acknowledged", "", nil,
			[]tx{other, ok(10, 0, at(10, r("x", ""))).at(90, 300).stated(10, 150)},
		},
		{
			"at a commit timestamp that was calculated", "", nil,
			[]tx{calculated, ok(10, 0, at(20, r("x", "1"))).at(90, 300).stated(20, 201)},
		},
		{
			"below one that was calculated", verdict.RealTimeOrder,
			[]int{1, 0},
			[]tx{calculated, ok(10, 0, at(19, r("x", ""))).at(90, 300).stated(19, 201)},
		},
		{
			"below what somebody read at", verdict.TimestampOrder,
			[]int{1, 0},
			[]tx{ok(20, 0, r("y", "")).at(100, 200), ok(10, 0, at(15, r("x", ""))).at(90, 300).stated(15, 201)},
		},
		{
			"below a statement of somebody else", verdict.TimestampOrder,
			[]int{1, 0},
			[]tx{ok(9, 0, at(20, r("y", ""))).at(80, 200).stated(20, 150), ok(10, 0, at(15, r("x", ""))).at(90, 300).stated(15, 201)},
		},
		{
			"begun after such a statement, and below it", verdict.TimestampOrder,
			[]int{1, 0},
			[]tx{ok(9, 0, at(20, r("y", ""))).at(80, 200).stated(20, 150), ok(15, 0, r("x", "")).at(201, 300)},
		},
		{
			"goes back", verdict.TimestampOrder,
			[]int{0},
			[]tx{ok(10, 0, at(20, r("x", "")), at(15, r("y", ""))).at(90, 300).stated(20, 110, 15, 120)},
		},
		{
			"before its start", verdict.TimestampOrder,
			[]int{0},
			[]tx{ok(10, 0, at(9, r("x", ""))).at(90, 300).stated(9, 110)},
		},
		{
			"a timestamp that somebody else had", verdict.TimestampDup,
			[]int{1, 0},
			[]tx{ok(9, 0, at(20, r("y", ""))).at(80, 200).stated(20, 150), ok(10, 0, at(20, r("x", ""))).at(90, 300).stated(20, 160)},
		},
		{
			"its own commit timestamp", verdict.TimestampDup,
			[]int{0},
			[]tx{ok(10, 20, at(20, lock("x")), w("x", "1")).at(90, 300).stated(20, 160)},
		},
	} {
		got := isolation.Check(build(c.txs...))
		i := slices.IndexFunc(got.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.want })
		switch {
		case c.want == "" && got.Verdict != verdict.OK:
			t.Errorf("%s: %+v", c.name, got.Findings)
		case c.want != "" && (i < 0 || !slices.Equal(got.Findings[i].Evidence, c.evidence)):
			t.Errorf("%s: no %s with %v in %+v", c.name, c.want, c.evidence, got.Findings)
		}
	}
}

// TestStatementsOfUnknownInstants: of a history that does not tell when statements were
// invoked the result says what was not judged.
func TestStatementsOfUnknownInstants(t *testing.T) {
	old := ok(10, 0, at(15, r("x", ""))).at(90, 300)
	for _, c := range []struct {
		txs  []tx
		want string
	}{
		{[]tx{old, old.by(7).at(91, 301)}, "of 2 transactions it is not known when their statements were invoked"},
		{[]tx{ok(10, 20, at(15, lock("x")), w("x", "1"))}, "of 1 transactions"},
		{[]tx{ok(10, 0, at(15, scan("x", "y", 0, false)))}, "of 1 transactions"},
		{[]tx{old.stated(15, 100)}, ""},
		{[]tx{ok(10, 0, r("x", ""))}, ""},
	} {
		for i := range c.txs {
			c.txs[i].start += uint64(i)
		}
		got := isolation.Check(build(c.txs...))
		if got.Verdict != verdict.OK || !strings.HasPrefix(got.Reason, c.want) || (c.want == "") != (got.Reason == "") {
			t.Errorf("%v: %q, want %q", got.Verdict, got.Reason, c.want)
		}
	}
}

// TestUnlockedKeys: of a key that a pessimistic transaction writes without a lock, what
// others committed before its last locking statement is no conflict, as in the store;
// a read that locks nothing makes nothing so.
func TestUnlockedKeys(t *testing.T) {
	meanwhile := ok(11, 15, w("x", "1"))
	for _, c := range []struct {
		name string
		want verdict.Anomaly
		tx   tx
	}{
		{"locks before", verdict.GSIa, ok(10, 30, at(14, lock("y")), w("x", "2"))},
		{"locks since", "", ok(10, 30, at(16, lock("y")), w("x", "2"))},
		{"locks before, reads since", verdict.GSIa, ok(10, 30, at(14, lock("y")), at(16, r("z", "")), w("x", "2"))},
		{"only reads", verdict.GSIa, ok(10, 30, at(16, r("z", "")), w("x", "2"))},
		{"scans", verdict.GSIa, ok(10, 30, at(16, scan("y", "z", 0, false)), w("x", "2"))},
		{"locks the key since, and another one before", "", ok(10, 30, at(14, lock("y")), at(16, lock("x")), w("x", "2"))},
		{"locks another key since, and the key before", verdict.GSIa, ok(10, 30, at(14, lock("x")), at(16, lock("y")), w("x", "2"))},
	} {
		got := isolation.Check(pessimistic(build(meanwhile, c.tx), 1))
		switch {
		case c.want == "" && got.Verdict != verdict.OK:
			t.Errorf("%s: %+v", c.name, got.Findings)
		case c.want != "" && !slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool { return f.Anomaly == c.want }):
			t.Errorf("%s: no %s in %+v", c.name, c.want, got.Findings)
		}
	}
}
