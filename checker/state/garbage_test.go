package state

import (
	"strings"
	"testing"

	"simrun/checker/verdict"
)

// TestGarbage changes one thing about the records of a key, or about the safe point of
// the last whole round of garbage collection, and says how many are left of those that
// the round had to remove. Goal: all of TiKV's garbage is found and nothing else, on
// both sides of the safe point and at it.
func TestGarbage(t *testing.T) {
	of := func(kind byte, start, commit uint64, rest ...byte) Row {
		row := putW("k", start, commit, rest...)
		row.Value[0] = kind
		return row
	}
	old, visible, later := of('P', 10, 11, shortA...), of('P', 20, 21, shortA...), of('P', 30, 31, shortA...)
	for _, c := range []struct {
		name      string
		collected uint64
		writes    []Row
		left      int
	}{
		{"nothing was collected", 0, []Row{old, visible}, 0},
		{"one version", 25, []Row{visible}, 0},
		{"one version, and one above the safe point", 25, []Row{visible, later}, 0},
		{"a hidden version", 25, []Row{old, visible}, 1},
		{"a version that is hidden at the safe point itself", 21, []Row{old, visible}, 1},
		{"a version that is hidden above the safe point only", 20, []Row{old, visible}, 0},
		{"a version that a deletion above the safe point hides", 25, []Row{visible, of('D', 30, 31)}, 0},
		{"two hidden versions", 40, []Row{old, visible, later}, 2},
		{"a deletion", 25, []Row{of('D', 20, 21)}, 1},
		{"a deletion at the safe point", 21, []Row{of('D', 20, 21)}, 1},
		{"a deletion above the safe point", 20, []Row{of('D', 20, 21)}, 0},
		{"a deletion and what it hides", 25, []Row{old, of('D', 20, 21)}, 2},
		{"a deletion that is hidden", 25, []Row{of('D', 10, 11), visible}, 1},
		{"a lock record that hides nothing", 25, []Row{old, of('L', 20, 21)}, 1},
		{"a lock record at the safe point", 21, []Row{old, of('L', 20, 21)}, 1},
		{"a lock record above the safe point", 20, []Row{old, of('L', 20, 21)}, 0},
		{"a rollback", 25, []Row{old, rollW("k", 20)}, 1},
		{"a rollback alone", 25, []Row{rollW("k", 20)}, 1},
		{"the rollback of who began at the safe point", 20, []Row{old, rollW("k", 20)}, 0},
		{"a rollback above the safe point", 19, []Row{old, rollW("k", 20)}, 0},
		{"the rollback of who began at the safe point, in another's lock record", 21, []Row{old, of('L', 20, 21, 'R')}, 0},
		{"the rollback of who began at the safe point, in a deletion", 21, []Row{of('D', 20, 21, 'R')}, 0},
		{"what such a deletion hides", 21, []Row{old, of('D', 20, 21, 'R')}, 1},
		{"a rollback below the safe point, in another's lock record", 22, []Row{old, of('L', 20, 21, 'R')}, 1},
		{"a rollback below the safe point, in the version that is seen", 25, []Row{of('P', 20, 21, append(shortA, 'R')...)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := MVCC(Rows{Write: c.writes}, Options{At: SafePoints{Settled: 50, Collected: c.collected}})
			switch {
			case c.left == 0 && got.Verdict != verdict.OK:
				t.Fatalf("%+v", got.Findings)
			case c.left == 0:
			case len(got.Findings) != 1 || got.Findings[0].Anomaly != verdict.GarbageLeft:
				t.Fatalf("%+v", got.Findings)
			case !strings.HasSuffix(got.Findings[0].Message, "and "+string(rune('0'+c.left-1))+" more"):
				t.Fatalf("want %d: %s", c.left, got.Findings[0].Message)
			}
			// A round that has settled the safe point and got no further promises nothing.
			if got := MVCC(Rows{Write: c.writes}, Options{At: SafePoints{Settled: 50}}); got.Verdict != verdict.OK {
				t.Fatalf("a round under way: %+v", got.Findings)
			}
		})
	}
}

// TestGarbageByKey: what one key hides is nothing to another one, and each key with
// garbage is told of.
func TestGarbageByKey(t *testing.T) {
	rows := Rows{Write: []Row{
		putW("a", 20, 21, shortA...), putW("b", 10, 11, shortA...),
		putW("c", 10, 11, shortA...), putW("c", 20, 21, shortA...), rollW("d", 15),
	}}
	got := MVCC(rows, Options{At: SafePoints{Settled: 25, Collected: 25}})
	if len(got.Findings) != 2 || !strings.HasPrefix(got.Findings[0].Message, `key "c"`) || !strings.HasPrefix(got.Findings[1].Message, `key "d"`) {
		t.Fatalf("%+v", got.Findings)
	}
}
