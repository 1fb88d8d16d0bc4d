package client

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"pgregory.net/rapid"

	"simrun/nodes/env"
)

// TestRegionCacheModel inserts and removes regions of random ranges and epochs
// and checks that those in the cache never overlap, never give way to older ones,
// and are found by exactly their keys.
func TestRegionCacheModel(t *testing.T) {
	bound := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
	rapid.Check(t, func(t *rapid.T) {
		var cache regionCache
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			if n := len(cache.sorted); n > 0 && rapid.IntRange(0, 4).Draw(t, "remove") == 0 {
				r := cache.sorted[rapid.IntRange(0, n-1).Draw(t, "which")]
				cache.remove(r)
				if cache.find(r.meta.StartKey) != nil {
					t.Fatalf("removed region is found")
				}
				cache.remove(r) // again: nothing happens
				continue
			}
			start := rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "start")
			end := bound.Draw(t, "end")
			if end <= start {
				end = ""
			}
			r := &region{meta: &metapb.Region{
				Id: rapid.Uint64Range(1, 4).Draw(t, "id"), StartKey: []byte(start), EndKey: []byte(end),
				RegionEpoch: &metapb.RegionEpoch{Version: rapid.Uint64Range(1, 5).Draw(t, "version")},
			}}
			before := slices.Clone(cache.sorted)
			if cache.insert(r) {
				for _, old := range before {
					overlap := r.endsAfter(old.meta.StartKey) && old.endsAfter(r.meta.StartKey)
					if slices.Contains(cache.sorted, old) == overlap {
						t.Fatalf("region %v: overlap with the new %v is %v", old.meta, r.meta, overlap)
					}
					if overlap && old.meta.RegionEpoch.Version > r.meta.RegionEpoch.Version {
						t.Fatalf("region %v gave way to the older %v", old.meta, r.meta)
					}
				}
			} else if !slices.Equal(before, cache.sorted) {
				t.Fatalf("refused region %v has changed the cache", r.meta)
			}
			checkCache(t, &cache)
		}
	})
}

func checkCache(t *rapid.T, cache *regionCache) {
	for i, r := range cache.sorted[1:] {
		if prev := cache.sorted[i]; prev.endsAfter(r.meta.StartKey) || bytes.Compare(prev.meta.StartKey, r.meta.StartKey) >= 0 {
			t.Fatalf("regions %v and %v overlap or are out of order", prev.meta, r.meta)
		}
	}
	for _, key := range []string{"", "a", "aa", "b", "c", "cc", "d", "e", "z"} {
		var want, wantBefore *region
		for _, r := range cache.sorted {
			if r.contains([]byte(key)) {
				want = r
			}
			if bytes.Compare(r.meta.StartKey, []byte(key)) < 0 && r.endsAtOrAfter([]byte(key)) {
				wantBefore = r
			}
			if key == "" && len(r.meta.EndKey) == 0 {
				wantBefore = r
			}
		}
		if got := cache.find([]byte(key)); got != want {
			t.Fatalf("find(%q) = %v, want %v", key, got, want)
		}
		if got := cache.findBefore([]byte(key)); got != wantBefore {
			t.Fatalf("findBefore(%q) = %v, want %v", key, got, wantBefore)
		}
	}
}

// TestLocateBefore looks for the region before a bound where the key that is
// asked for lies in an earlier one.
func TestLocateBefore(t *testing.T) {
	far := "a" + string(bytes.Repeat([]byte{0xff}, 100))
	c := newCluster(t, 1, Config{}, true, far, "b")
	c.run(func(task env.Task) {
		for _, tc := range []struct {
			end, start string
		}{{"b", far}, {far, ""}, {"b\x00", "b"}, {"", "b"}, {far + "\x00", far}, {"a", ""}} {
			b := c.client.newBackoff(time.Second)
			r, err := c.client.locateBefore(task, &b, []byte(tc.end))
			if err != nil || string(r.meta.StartKey) != tc.start {
				t.Errorf("before %q: region from %q (%v), want from %q", tc.end, r.meta.StartKey, err, tc.start)
			}
			// Now from the cache.
			if again := c.client.regions.findBefore([]byte(tc.end)); again != r {
				t.Errorf("before %q: the cache has %v", tc.end, again)
			}
		}
	})
}
