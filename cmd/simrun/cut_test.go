package main

import (
	"slices"
	"testing"

	"simrun/checker"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/history"
)

// What is left of a sound history that is cut off anywhere is never a violation,
// though some of it has seen what is missing. The method: runs of several
// workloads under faults, cut after every so many operations. Nothing is checked
// that is not in the run itself, and most of it is.
func TestCutHistoriesAreSound(t *testing.T) {
	for _, name := range []string{"register", "bank", "append", "client-crash", "table", "timestamps"} {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := runner.Run(s.Plan(2), runner.Options{})
		if err != nil {
			t.Fatal(err)
		}
		whole := outcome.History
		checked, there := 0, 0
		for _, n := range cuts(len(whole.Ops)) {
			h := &history.History{Header: whole.Header, Ops: slices.Clone(whole.Ops[:n])}
			part := settled(h)
			if err := history.Validate(part); err != nil {
				t.Fatalf("%s, cut after %d operations: %v", name, n, err)
			}
			checked += len(part.Ops)
			there += n
			results := judgeCut(h, checker.Options{})
			if verdict := checker.Of(results); verdict != checker.Unknown {
				t.Fatalf("%s, cut after %d operations of which %d are checked: %v: %+v", name, n, len(part.Ops), verdict, results)
			}
		}
		t.Logf("%s: %d of %d operations are checked", name, checked, there)
		if checked == 0 {
			t.Errorf("%s: nothing is checked", name)
		}
	}
}

// cuts are a dozen places in a history of n operations.
func cuts(n int) []int {
	var places []int
	for i := 1; i <= 12; i++ {
		places = append(places, n*i/13)
	}
	return places
}

// A violation before the cut is one. The read that misses a write is found; the
// one that has seen a write which is missing is not held against the system.
func TestCutViolation(t *testing.T) {
	t.Parallel()
	one, two := "1", "2"
	ops := []history.Op{
		{ID: 0, Client: 1, Kind: history.Write, Invoke: 10, Return: 20, Outcome: history.OK, Key: "x", Value: &one},
		{ID: 1, Client: 2, Kind: history.Read, Invoke: 30, Return: 40, Outcome: history.OK, Key: "x"},
		{ID: 2, Client: 2, Kind: history.Write, Invoke: 50, Return: 60, Outcome: history.OK, Key: "y", Value: &one},
	}
	h := &history.History{Header: history.Header{Numbered: true}, Ops: ops}
	if verdict := checker.Of(judgeCut(h, checker.Options{})); verdict != checker.Violation {
		t.Errorf("a stale read: %v", verdict)
	}
	h.Ops = slices.Clone(ops)
	h.Ops[1].Value, h.Ops[1].ID, h.Ops[2].ID = &two, 2, 3 // the write with id 1 is missing
	if verdict := checker.Of(judgeCut(h, checker.Options{})); verdict != checker.Unknown {
		t.Errorf("a read of what is missing: %v", verdict)
	}
	h = &history.History{Ops: ops} // what is missing may have begun before everything else
	if verdict := checker.Of(judgeCut(h, checker.Options{})); verdict != checker.Unknown || len(settled(h).Ops) > 0 {
		t.Errorf("of ids that tell nothing: %v, of %v", verdict, settled(h).Ops)
	}
}
