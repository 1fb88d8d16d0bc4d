package main

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/checker"
)

// However many workers there are and in whatever order they answer, the seed
// that is found is the first that fails, and what is counted are the seeds up to
// it. The method: answers come in an order that is drawn, from as many workers
// as are drawn, for failing seeds that are drawn.
func TestDetectionIsInSeedOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Uint64Range(1, 30).Draw(t, "limit")
		failing := rapid.SliceOfDistinct(rapid.Uint64Range(1, 40), func(seed uint64) uint64 { return seed }).Draw(t, "failing")
		workers := rapid.IntRange(1, 8).Draw(t, "workers")
		h := inOrder{limit: limit}
		var busy []uint64
		for {
			for len(busy) < workers {
				j, ok := h.next()
				if !ok {
					break
				}
				busy = append(busy, j.Seed)
			}
			if len(busy) == 0 || h.found {
				break
			}
			i := rapid.IntRange(0, len(busy)-1).Draw(t, "answers")
			a := answer{Seed: busy[i], CPU: time.Second}
			if slices.Contains(failing, a.Seed) {
				a.Verdict, a.Signature = checker.Violation, "VIOLATION bank total"
			}
			busy = slices.Delete(busy, i, i+1)
			h.take(a)
		}
		slices.Sort(failing)
		want := detection{seeds: int(limit), cpu: time.Duration(limit) * time.Second}
		if len(failing) > 0 && failing[0] <= limit {
			want = detection{
				found: true, seed: failing[0], seeds: int(failing[0]), cpu: time.Duration(failing[0]) * time.Second, signature: "bank total",
			}
		}
		if h.detection != want {
			t.Fatalf("got %+v, want %+v", h.detection, want)
		}
	})
}

func FuzzParseSeeds(f *testing.F) {
	for _, text := range []string{"7", "1-100", "3,7,20-30", "9-1", "1,,2", "-", "18446744073709551614-18446744073709551615"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 40 { // or it lists ten million seeds several times
			return
		}
		seeds, err := parseSeeds(text)
		if err == nil && len(seeds) == 0 || err != nil && seeds != nil {
			t.Errorf("%q: %d seeds, %v", text, len(seeds), err)
		}
		if uint64(len(seeds)) > seedsMax {
			t.Errorf("%q: %d seeds", text, len(seeds))
		}
	})
}
