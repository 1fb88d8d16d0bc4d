package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// deleteRange is what a store does about a range of keys.
func (c *cluster) deleteRange(t env.Task, id uint64, body []byte) rpc.Message {
	return served(t, id, body, c.sched.DeleteRange)
}

// drops is a set of ranges that were dropped, by the timestamp of the drop, and of
// what was told to be done. It stands for tables.
type drops struct {
	ranges map[uint64]DroppedRange
	done   []int64
	fails  error // what Dropped and Done answer
}

func (d *drops) Dropped(_ env.Task, safePoint uint64) (ranges []DroppedRange, err error) {
	for ts, r := range d.ranges {
		if ts <= safePoint && !slices.Contains(d.done, r.ID) {
			ranges = append(ranges, r)
		}
	}
	slices.SortFunc(ranges, func(a, b DroppedRange) int { return int(a.ID - b.ID) })
	return ranges, d.fails
}

func (d *drops) Done(_ env.Task, r DroppedRange, _ uint64) error {
	if d.fails == nil {
		d.done = append(d.done, r.ID)
	}
	return d.fails
}

// stored returns the user keys of all records in all families.
func (c *cluster) stored() string {
	var keys []string
	for _, cf := range []engine.CF{engine.Lock, engine.Write, engine.Default} {
		it, err := c.db.NewIter(cf, engine.IterOptions{})
		if err != nil {
			c.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			key, err := codec.DecodeKey(it.Key()[:9]) // keys of one group
			if err != nil {
				c.Fatal(err)
			}
			keys = append(keys, string(key))
		}
		it.Close()
	}
	slices.Sort(keys)
	return strings.Join(slices.Compact(keys), " ")
}

// TestDroppedRanges drops two ranges. The older one lies in three regions, of which
// one is split while the request for it is under way and one does not answer the
// first time; it is removed with all that is in it, and so are its long values. The
// newer one was dropped after the safe point, and stays until a later round.
func TestDroppedRanges(t *testing.T) {
	c := newCluster(t, 1, Config{RPCTimeout: 100 * time.Millisecond}, false, "d2", "d4", "f")
	d := &drops{ranges: map[uint64]DroppedRange{}}
	g := NewCollector(c.client, &keeper{cluster: c, held: map[string]uint64{}},
		CollectorConfig{Interval: time.Second, Lifetime: 2 * time.Second, Dropped: d})
	c.run(func(task env.Task) {
		round := func(want string) {
			if err := g.Round(task); err != nil {
				t.Fatal(err)
			}
			if got := c.stored(); got != want {
				t.Errorf("stored are %s, want %s", got, want)
			}
		}
		task.Sleep(3 * time.Second)
		for n := range 6 {
			c.set(task, fmt.Sprintf("d%d", n), strings.Repeat("long", 100*(n%2)))
		}
		c.set(task, "c", "1")
		c.set(task, "e", "1")
		c.set(task, "f", "1")
		d.ranges[c.tick()] = DroppedRange{ID: 1, Start: []byte("d"), End: []byte("e")}
		task.Sleep(2500 * time.Millisecond)
		d.ranges[c.tick()] = DroppedRange{ID: 2, Start: []byte("e"), End: []byte("f")}
		c.rules = []*rule{
			{method: rpc.KvDeleteRange, times: 1, before: func(env.Task) { c.split("d1", false) }},
			{method: rpc.KvDeleteRange, skip: 1, times: 1, dropResp: true},
		}
		round("c e f")
		task.Sleep(3 * time.Second)
		round("c f")
		if !slices.Equal(d.done, []int64{1, 2}) {
			t.Errorf("done are %v", d.done)
		}
		task.Sleep(3 * time.Second)
		round("c f")
	})
}

// TestDroppedRangeInUse: a range that somebody has written above the safe point, as
// one may who began before the drop, is left to a later one, and others are not.
func TestDroppedRangeInUse(t *testing.T) {
	c := newCluster(t, 1, Config{}, false, "d2")
	d := &drops{ranges: map[uint64]DroppedRange{}}
	g := NewCollector(c.client, &keeper{cluster: c, held: map[string]uint64{}},
		CollectorConfig{Interval: time.Second, Lifetime: 2 * time.Second, Dropped: d})
	c.run(func(task env.Task) {
		task.Sleep(3 * time.Second)
		c.set(task, "d1", "1")
		c.set(task, "d3", "1")
		c.set(task, "e1", "1")
		d.ranges[c.tick()] = DroppedRange{ID: 1, Start: []byte("d"), End: []byte("e")}
		d.ranges[c.tick()] = DroppedRange{ID: 2, Start: []byte("e"), End: []byte("f")}
		task.Sleep(2500 * time.Millisecond)
		c.set(task, "d3", "2")
		if err := g.Round(task); err != nil {
			t.Fatal(err)
		}
		if got := c.stored(); got != "d3" || !slices.Equal(d.done, []int64{2}) {
			t.Errorf("stored are %s, done are %v", got, d.done)
		}
		task.Sleep(3 * time.Second)
		if err := g.Round(task); err != nil {
			t.Fatal(err)
		}
		if got := c.stored(); got != "" || !slices.Equal(d.done, []int64{2, 1}) {
			t.Errorf("stored are %s, done are %v", got, d.done)
		}
	})
}

// TestDroppedRangesGivenUp: a round that does not learn what was dropped, or does not
// reach a store of it, fails, and has done no harm.
func TestDroppedRangesGivenUp(t *testing.T) {
	c := newCluster(t, 1, Config{BackgroundTimeout: time.Second}, false)
	d := &drops{ranges: map[uint64]DroppedRange{1: {ID: 1, Start: []byte("d"), End: []byte("e")}}, fails: errNoAnswer}
	collected := 0
	g := NewCollector(c.client, &keeper{cluster: c, held: map[string]uint64{}},
		CollectorConfig{Interval: time.Second, Lifetime: time.Second, Dropped: d, Collected: func(uint64) { collected++ }})
	c.run(func(task env.Task) {
		c.set(task, "d", "1")
		task.Sleep(3 * time.Second)
		if err := g.Round(task); !errors.Is(err, errNoAnswer) {
			t.Errorf("a round that does not know what was dropped: %v", err)
		}
		d.fails = nil
		task.Sleep(2 * time.Second)
		c.rules = []*rule{{method: rpc.KvDeleteRange, dropReq: true, times: 1000}}
		if err := g.Round(task); !errors.Is(err, ErrDeadline) {
			t.Errorf("a round that reaches no store: %v", err)
		}
		if got := c.stored(); got != "d" || len(d.done) > 0 || collected > 0 {
			t.Errorf("stored are %s, done are %v, rounds %d", got, d.done, collected)
		}
		c.rules = nil
		task.Sleep(2 * time.Second)
		if err := g.Round(task); err != nil || c.stored() != "" || len(d.done) != 1 || collected != 1 {
			t.Errorf("the last round: %v, stored are %s, done are %v, rounds %d", err, c.stored(), d.done, collected)
		}
	})
}
