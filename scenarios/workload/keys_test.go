package workload_test

import (
	"slices"
	"testing"

	"simrun/scenarios/workload"
)

// Keys are in order also if some have more digits than four: ranges and regions rely on it.
func TestKeys(t *testing.T) {
	for _, n := range []int{1, 24, 10_000, 12_345} {
		if names := workload.Keys("k/", n); len(names) != n || !slices.IsSorted(names) || names[0] != "k/0000" {
			t.Errorf("%d keys: %d, sorted %t, from %q on", n, len(names), slices.IsSorted(names), names[0])
		}
	}
}
