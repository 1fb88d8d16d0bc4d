package client

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

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

// modelKey draws keys of lengths around the group of eight bytes of the encoding,
// and with zero bytes.
func modelKey() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 0, 3).Draw(t, "key")) +
			rapid.SampledFrom([]string{"", "", "", "12345678"}).Draw(t, "suffix")
	})
}

// modelTxn is a transaction and what it should show.
type modelTxn struct {
	*rapid.T
	key   *rapid.Generator[string]
	tx    *Txn
	model model
}

// TestOwnWritesModel draws a database, regions and the operations of one
// transaction, and compares all that it reads, before and after its commit, with
// a map to which the same writes were made.
func TestOwnWritesModel(t *testing.T) {
	key := modelKey()
	split := key.Filter(func(k string) bool { return k != "" }) // the first region begins there anyway
	rapid.Check(t, func(rt *rapid.T) {
		splits := rapid.SliceOfNDistinct(split, 0, 4, rapid.ID).Draw(rt, "splits")
		cfg := Config{ScanPage: rapid.IntRange(1, 5).Draw(rt, "page"), Txn: TxnOptions{
			Pessimistic: rapid.Bool().Draw(rt, "pessimistic"), Commit: CommitMode(rapid.IntRange(0, 2).Draw(rt, "commit")),
		}}
		c := newCluster(t, 1, cfg, false, splits...)
		defer c.world.Close()
		c.run(func(task env.Task) {
			m := modelTxn{rt, key, nil, model{}}
			m.begin(task, c)
			for range rapid.IntRange(0, 12).Draw(rt, "stored") {
				m.set()
			}
			m.commit(task)
			m.begin(task, c)
			for range rapid.IntRange(0, 20).Draw(rt, "operations") {
				m.step(task)
			}
			m.commit(task)
			m.begin(task, c)
			m.scan(task, "", "", 0)
		})
	})
}

func (m *modelTxn) begin(task env.Task, c *cluster) {
	var err error
	if m.tx, err = c.client.Begin(task); err != nil {
		m.Fatal(err)
	}
}

func (m *modelTxn) commit(task env.Task) {
	if err := m.tx.Commit(task); err != nil {
		m.Fatal(err)
	}
}

func (m *modelTxn) set() {
	k, v := m.key.Draw(m.T, "key"), rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(m.T, "value")
	m.model[k] = v
	m.tx.Set([]byte(k), []byte(v))
}

// step does one operation.
func (m *modelTxn) step(task env.Task) {
	switch rapid.IntRange(0, 6).Draw(m.T, "kind") {
	case 0:
		m.set()
	case 1:
		k := m.key.Draw(m.T, "key")
		delete(m.model, k)
		m.tx.Delete([]byte(k))
	case 2:
		if err := m.tx.Lock(task, []byte(m.key.Draw(m.T, "key"))); err != nil {
			m.Fatal(err)
		}
	case 3:
		m.get(task, m.key.Draw(m.T, "key"))
	case 4:
		m.batchGet(task, rapid.SliceOfN(m.key, 0, 5).Draw(m.T, "keys"))
	default:
		m.scan(task, m.key.Draw(m.T, "start"), m.key.Draw(m.T, "end"), rapid.IntRange(0, 4).Draw(m.T, "limit"))
	}
}

func (m *modelTxn) get(task env.Task, k string) {
	got, found, err := m.tx.Get(task, []byte(k))
	want, exists := m.model[k]
	if err != nil || found != exists || string(got) != want || found != (got != nil) {
		m.Fatalf("get %q: got %q %v %v, want %q %v", k, got, found, err, want, exists)
	}
}

func (m *modelTxn) batchGet(task env.Task, keys []string) {
	var raw [][]byte
	var want []string
	for _, k := range keys {
		raw = append(raw, []byte(k))
		if v, ok := m.model[k]; ok {
			want = append(want, k+"="+v)
		}
	}
	pairs, err := m.tx.BatchGet(task, raw)
	if err != nil || !slices.Equal(printed(pairs), want) {
		m.Fatalf("batch get %q: got %q %v, want %q", keys, printed(pairs), err, want)
	}
}

func (m *modelTxn) scan(task env.Task, start, end string, limit int) {
	pairs, err := m.tx.Scan(task, []byte(start), []byte(end), limit)
	if want := m.model.scan(start, end, limit, false); err != nil || !slices.Equal(printed(pairs), want) {
		m.Fatalf("scan %q %q %d: got %q %v, want %q", start, end, limit, printed(pairs), err, want)
	}
	pairs, err = m.tx.ReverseScan(task, []byte(start), []byte(end), limit)
	if want := m.model.scan(start, end, limit, true); err != nil || !slices.Equal(printed(pairs), want) {
		m.Fatalf("reverse scan %q %q %d: got %q %v, want %q", start, end, limit, printed(pairs), err, want)
	}
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
