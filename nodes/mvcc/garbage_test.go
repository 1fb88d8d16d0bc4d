package mvcc

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
)

// TestGarbage removes the garbage of random histories record by record: at every
// step all reads at or above the safe point see what they saw before, and in the
// end a key has one change up to the safe point at the most, a Put. The scan for
// keys with garbage names just those.
func TestGarbage(t *testing.T) {
	s := openStore(t)
	rapid.Check(t, func(rt *rapid.T) {
		s.t = rt
		s.clear()
		h := drawHistory(rt, s)
		safePoint := uint64(rapid.IntRange(0, 80).Draw(rt, "safe point"))
		seen := func() (rows []string) {
			for ts := safePoint; ts < safePoint+90; ts++ {
				for _, key := range sortedKeys(h.versions) {
					r, enc := s.reader(key)
					v, err := r.GetCommitted(enc, ts)
					r.Close()
					if err != nil {
						rt.Fatal(err)
					}
					rows = append(rows, string(v.Data))
				}
			}
			return rows
		}
		before := seen()
		var named, found []string
		err := KeysWithGarbage(s, nil, nil, safePoint, func(key []byte) bool {
			named = append(named, string(key))
			return true
		})
		if err != nil {
			rt.Fatal(err)
		}
		for _, key := range sortedKeys(h.versions) {
			r, enc := s.reader(key)
			garbage, err := r.Garbage(enc, safePoint)
			r.Close()
			if err != nil {
				rt.Fatal(err)
			}
			if len(garbage) > 0 {
				found = append(found, string(enc))
			}
			for _, g := range garbage {
				s.batch(func(b *engine.Batch) {
					b.Delete(engine.Write, codec.AppendTS(slices.Clone(enc), g.CommitTS))
					if g.Long {
						b.Delete(engine.Default, codec.AppendTS(slices.Clone(enc), g.StartTS))
					}
				})
				if !slices.Equal(seen(), before) {
					rt.Fatalf("key %q: after %+v readers at or above %d see something else", key, g, safePoint)
				}
			}
			s.checkCollected(rt, key, safePoint)
		}
		if slices.Sort(found); !slices.Equal(named, found) {
			rt.Fatalf("the scan names %q, garbage have %q", named, found)
		}
	})
}

// checkCollected looks at what is left of a key.
func (s *store) checkCollected(t *rapid.T, key string, safePoint uint64) {
	r, enc := s.reader(key)
	defer r.Close()
	for v, ok, err := r.SeekWrite(enc, safePoint); ok; v, ok, err = r.NextWrite(enc) {
		if err != nil {
			t.Fatal(err)
		}
		if v.Type == WriteRollback && v.CommitTS == safePoint {
			continue
		}
		if v.Type != WritePut {
			t.Fatalf("key %q: a %v at %d is left", key, v.Type, v.CommitTS)
		}
		if _, again, _ := r.NextWrite(enc); again {
			t.Fatalf("key %q: more than one version is left up to %d", key, safePoint)
		}
		return
	}
}

func sortedKeys(versions map[string][]Version) []string {
	keys := make([]string, 0, len(versions))
	for key := range versions {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
