package timestamps_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker/timestamps"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

func op(id, client int, invoke, ret int64, ts string) history.Op {
	return history.Op{ID: id, Client: client, Kind: history.Timestamp, Invoke: invoke, Return: ret, Outcome: history.OK, Value: &ts}
}

func TestCheck(t *testing.T) {
	failed := history.Op{ID: 9, Client: 9, Kind: history.Timestamp, Invoke: 1, Return: 2, Outcome: history.Failed}
	for _, c := range []struct {
		name    string
		ops     []history.Op
		want    verdict.Verdict
		anomaly verdict.Anomaly
	}{
		{"in order", []history.Op{op(0, 1, 0, 1, "5"), op(1, 2, 2, 3, "6")}, verdict.OK, ""},
		{"concurrent, in any order", []history.Op{op(0, 1, 0, 2, "6"), op(1, 2, 1, 3, "5")}, verdict.OK, ""},
		{"one returns at the instant at which the other is invoked", []history.Op{op(0, 1, 0, 1, "6"), op(1, 2, 1, 3, "5")}, verdict.OK, ""},
		{"twice", []history.Op{op(0, 1, 0, 2, "5"), op(1, 2, 1, 3, "5")}, verdict.Violation, verdict.TimestampDup},
		{"back in time", []history.Op{op(0, 1, 0, 1, "6"), op(1, 2, 2, 3, "5")}, verdict.Violation, verdict.TimestampOrder},
		{
			"below one that a slow client had got",
			[]history.Op{op(0, 1, 0, 9, "7"), op(1, 2, 1, 2, "3"), op(2, 2, 3, 10, "8"), op(3, 3, 10, 11, "6")},
			verdict.Violation, verdict.TimestampOrder,
		},
		{"no number", []history.Op{op(0, 1, 0, 1, "x")}, verdict.Violation, verdict.GarbageRead},
		{"none was answered", []history.Op{failed}, verdict.Unknown, ""},
		{"nothing", nil, verdict.Unknown, ""},
	} {
		got := timestamps.Check(&history.History{Ops: c.ops})
		if got.Verdict != c.want || c.anomaly != "" && got.Findings[0].Anomaly != c.anomaly {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestAgainstDefinition compares the sweep with the definition, pair by pair, on
// small histories.
func TestAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ops []history.Op
		for i := range rapid.IntRange(1, 8).Draw(t, "operations") {
			invoke := rapid.Int64Range(0, 20).Draw(t, "invoke")
			ops = append(ops, op(i, i, invoke, invoke+rapid.Int64Range(0, 10).Draw(t, "length"),
				fmt.Sprint(rapid.IntRange(1, 12).Draw(t, "timestamp"))))
		}
		slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Return - b.Return) })
		want := verdict.OK
		for _, a := range ops {
			for _, b := range ops {
				var x, y int
				_, _ = fmt.Sscan(*a.Value+" "+*b.Value, &x, &y)
				if a.ID != b.ID && (x == y || a.Return < b.Invoke && x > y) {
					want = verdict.Violation
				}
			}
		}
		if got := timestamps.Check(&history.History{Ops: ops}); got.Verdict != want {
			t.Fatalf("%v, want %v: %+v", got.Verdict, want, ops)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	h := &history.History{}
	for i := range 100_000 {
		h.Ops = append(h.Ops, op(i, i%8, int64(10*i), int64(10*i+75), fmt.Sprint(i+1)))
	}
	b.ReportAllocs()
	for b.Loop() {
		timestamps.Check(h)
	}
}
