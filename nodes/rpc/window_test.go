package rpc

import (
	"testing"

	"pgregory.net/rapid"
)

// The window admits each number at most once, and every number that comes in
// time at least once.
func TestWindowAdmitsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		seen := map[uint64]bool{}
		high := uint64(0)
		for range rapid.IntRange(1, 3000).Draw(t, "n") {
			back := rapid.Uint64Range(0, windowSize+200).Draw(t, "back")
			number := high + rapid.Uint64Range(0, 70).Draw(t, "ahead")
			number -= min(back, number)
			got := w.admit(number)
			if got && seen[number] {
				t.Fatalf("number %d admitted twice", number)
			}
			if !got && !seen[number] && number+windowSize > high {
				t.Fatalf("number %d refused, highest %d", number, high)
			}
			seen[number] = seen[number] || got
			high = max(high, number)
		}
	})
}
