package client

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"pgregory.net/rapid"

	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// model is a sorted map, the plain meaning of what a transaction shows.
type model map[string]string

func (m model) scan(start, end string, limit int, reverse bool) []string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if key >= start && (end == "" || key < end) {
			pairs = append(pairs, key+"="+m[key])
		}
	}
	if reverse {
		slices.Reverse(pairs)
	}
	if limit > 0 && len(pairs) > limit {
		pairs = pairs[:limit]
	}
	return pairs
}

func printed(pairs []Pair) []string {
	var all []string
	for _, p := range pairs {
		all = append(all, fmt.Sprintf("%s=%s", p.Key, p.Value))
	}
	return all
}

// TestOwnWritesModel draws a database, regions and the operations of one
// transaction, and compares all that it reads, before and after its commit, with
// a map to which the same writes were made.
func TestOwnWritesModel(t *testing.T) {
	// Lengths around the group of eight bytes of the encoding, and zero bytes.
	key := rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 0, 3).Draw(t, "key")) +
			rapid.SampledFrom([]string{"", "", "", "12345678"}).Draw(t, "suffix")
	})
	value := rapid.SampledFrom([]string{"", "x", "y", "z"})
	split := key.Filter(func(k string) bool { return k != "" }) // the first region begins there anyway
	rapid.Check(t, func(rt *rapid.T) {
		splits := rapid.SliceOfNDistinct(split, 0, 4, rapid.ID).Draw(rt, "splits")
		c := newCluster(t, 1, Config{ScanPage: rapid.IntRange(1, 5).Draw(rt, "page")}, false, splits...)
		defer c.world.Close()
		m := model{}
		check := func(what string, got, want []string) {
			if !slices.Equal(got, want) {
				rt.Fatalf("%s: got %q, want %q", what, got, want)
			}
		}
		c.run(func(task env.Task) {
			setup, _ := c.client.Begin(task)
			for _, k := range rapid.SliceOfN(key, 0, 12).Draw(rt, "stored") {
				m[k] = value.Draw(rt, "value")
				setup.Set([]byte(k), []byte(m[k]))
			}
			if err := setup.Commit(task); err != nil {
				rt.Fatal(err)
			}
			tx, _ := c.client.Begin(task)
			for range rapid.IntRange(0, 20).Draw(rt, "operations") {
				k := key.Draw(rt, "key")
				switch rapid.IntRange(0, 6).Draw(rt, "kind") {
				case 0:
					m[k] = value.Draw(rt, "value")
					tx.Set([]byte(k), []byte(m[k]))
				case 1:
					delete(m, k)
					tx.Delete([]byte(k))
				case 2:
					tx.LockKeys([]byte(k))
				case 3:
					got, found, err := tx.Get(task, []byte(k))
					want, exists := m[k]
					if err != nil || found != exists || string(got) != want || found != (got != nil) {
						rt.Fatalf("get %q: got %q %v %v, want %q %v", k, got, found, err, want, exists)
					}
				case 4:
					keys := rapid.SliceOfN(key, 0, 5).Draw(rt, "keys")
					var raw [][]byte
					var want []string
					for _, k := range keys {
						raw = append(raw, []byte(k))
						if v, ok := m[k]; ok {
							want = append(want, k+"="+v)
						}
					}
					pairs, err := tx.BatchGet(task, raw)
					if err != nil {
						rt.Fatal(err)
					}
					check(fmt.Sprintf("batch get %q", keys), printed(pairs), want)
				default:
					end := key.Draw(rt, "end")
					limit := rapid.IntRange(0, 4).Draw(rt, "limit")
					pairs, err := tx.Scan(task, []byte(k), []byte(end), limit)
					if err != nil {
						rt.Fatal(err)
					}
					check(fmt.Sprintf("scan %q %q %d", k, end, limit), printed(pairs), m.scan(k, end, limit, false))
					if pairs, err = tx.ReverseScan(task, []byte(k), []byte(end), limit); err != nil {
						rt.Fatal(err)
					}
					check(fmt.Sprintf("reverse scan %q %q %d", k, end, limit), printed(pairs), m.scan(k, end, limit, true))
				}
			}
			if err := tx.Commit(task); err != nil {
				rt.Fatal(err)
			}
			after, _ := c.client.Begin(task)
			pairs, err := after.Scan(task, nil, nil, 0)
			if err != nil {
				rt.Fatal(err)
			}
			check("after commit", printed(pairs), m.scan("", "", 0, false))
		})
	})
}

// TestRawScanModel compares raw scans in both directions with a map.
func TestRawScanModel(t *testing.T) {
	key := rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 1, 3).Draw(t, "key"))
	})
	rapid.Check(t, func(rt *rapid.T) {
		splits := rapid.SliceOfNDistinct(key, 0, 4, rapid.ID).Draw(rt, "splits")
		c := newCluster(t, 1, Config{ScanPage: rapid.IntRange(1, 5).Draw(rt, "page")}, true, splits...)
		defer c.world.Close()
		m := model{}
		c.run(func(task env.Task) {
			var stored []Pair
			for i, k := range rapid.SliceOfN(key, 0, 12).Draw(rt, "stored") {
				m[k] = fmt.Sprint(i)
				stored = append(stored, Pair{[]byte(k), []byte(m[k])})
			}
			if err := c.client.RawBatchPut(task, stored); err != nil {
				rt.Fatal(err)
			}
			for range 5 {
				start, end := key.Draw(rt, "start"), rapid.OneOf(key, rapid.Just("")).Draw(rt, "end")
				limit := rapid.IntRange(0, 4).Draw(rt, "limit")
				pairs, err := c.client.RawScan(task, []byte(start), []byte(end), limit)
				if want := m.scan(start, end, limit, false); err != nil || !slices.Equal(printed(pairs), want) {
					rt.Fatalf("scan %q %q %d: got %q %v, want %q", start, end, limit, printed(pairs), err, want)
				}
				pairs, err = c.client.RawReverseScan(task, []byte(start), []byte(end), limit)
				if want := m.scan(start, end, limit, true); err != nil || !slices.Equal(printed(pairs), want) {
					rt.Fatalf("reverse scan %q %q %d: got %q %v, want %q", start, end, limit, printed(pairs), err, want)
				}
			}
		})
	})
}

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

// TestBackoff checks that waits stay within their bounds and end at the
// deadline, which a jump of the wall clock does not move.
func TestBackoff(t *testing.T) {
	c := newCluster(t, 1, Config{}, true)
	c.run(func(task env.Task) {
		b := c.client.newBackoff(time.Second)
		c.world.Node("client1").JumpClock(24 * time.Hour)
		var longest time.Duration
		for n := 0; ; n++ {
			from := c.env.Clock.Monotonic()
			if err := b.wait(task, causeLost, 0, errNoAnswer); err != nil {
				break
			}
			slept := c.env.Clock.Monotonic() - from
			longest = max(longest, slept)
			if bound := backoffs[causeLost].base << n; n < 8 && slept > bound {
				t.Errorf("wait %d took %v of at most %v", n, slept, bound)
			}
		}
		if left := b.remaining(); left != 0 {
			t.Errorf("gave up %v before the deadline", left)
		}
		if longest > backoffs[causeLost].limit || longest < backoffs[causeLost].limit/4 {
			t.Errorf("longest wait was %v with a limit of %v", longest, backoffs[causeLost].limit)
		}
		b = c.client.newBackoff(time.Second)
		from := c.env.Clock.Monotonic()
		_ = b.wait(task, causeBusy, 700*time.Millisecond, errNoAnswer)
		if slept := c.env.Clock.Monotonic() - from; slept != 700*time.Millisecond {
			t.Errorf("waited %v, told to wait 700ms", slept)
		}
	})
}

// TestStatusCache checks that only so many fates are kept, the latest.
func TestStatusCache(t *testing.T) {
	sc := statusCache{commitTS: map[uint64]uint64{}}
	for ts := range uint64(3 * statusCacheSize) {
		sc.add(ts, ts+1)
		sc.add(ts, ts+1)
	}
	if len(sc.commitTS) != statusCacheSize || sc.commitTS[3*statusCacheSize-1] != 3*statusCacheSize {
		t.Errorf("cache holds %d fates", len(sc.commitTS))
	}
	defer func() {
		if recover() == nil {
			t.Error("a second fate of a transaction was accepted")
		}
	}()
	sc.add(3*statusCacheSize-1, 0)
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

// TestReadStatus checks what each answer about a transaction is taken for. Only
// an end is remembered.
func TestReadStatus(t *testing.T) {
	c := newCluster(t, 1, Config{}, false).client
	start, now := codec.ComposeTS(1000, 0), codec.ComposeTS(1400, 0)
	left := 601 * time.Millisecond // of a TTL of one second, and the millisecond in which it ends
	for i, tc := range []struct {
		resp *kvrpcpb.CheckTxnStatusResponse
		want txnStatus
	}{
		{&kvrpcpb.CheckTxnStatusResponse{LockTtl: 1000}, txnStatus{left: left}},
		{&kvrpcpb.CheckTxnStatusResponse{LockTtl: 1000, Action: kvrpcpb.Action_MinCommitTSPushed}, txnStatus{left: left, pushed: true}},
		{&kvrpcpb.CheckTxnStatusResponse{LockTtl: 1000, LockInfo: &kvrpcpb.LockInfo{UseAsyncCommit: true}}, txnStatus{left: left}},
		{&kvrpcpb.CheckTxnStatusResponse{CommitVersion: 7}, txnStatus{ended: true, commitTS: 7}},
		{&kvrpcpb.CheckTxnStatusResponse{}, txnStatus{ended: true}},
		{&kvrpcpb.CheckTxnStatusResponse{Action: kvrpcpb.Action_TTLExpireRollback}, txnStatus{ended: true}},
		{&kvrpcpb.CheckTxnStatusResponse{Action: kvrpcpb.Action_LockNotExistRollback}, txnStatus{ended: true}},
		{&kvrpcpb.CheckTxnStatusResponse{Action: kvrpcpb.Action_TTLExpirePessimisticRollback}, txnStatus{}},
		{&kvrpcpb.CheckTxnStatusResponse{Action: kvrpcpb.Action_LockNotExistDoNothing}, txnStatus{}},
	} {
		ts := start + uint64(i)
		if got := c.readStatus(tc.resp, ts, now); got != tc.want {
			t.Errorf("%v: %+v, want %+v", tc.resp, got, tc.want)
		}
		if commitTS, known := c.statuses.commitTS[ts]; known != tc.want.ended || commitTS != tc.want.commitTS {
			t.Errorf("%v: remembered %v %d", tc.resp, known, commitTS)
		}
	}
}
