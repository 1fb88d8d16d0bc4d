package client

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/sim/stream"
)

// storm puts random faults on one request in three, and moves regions.
func storm(c *cluster, seed uint64, raw bool, keys []string) {
	r := stream.New(seed, "storm")
	errs := zeroRegionErrors()
	answers := slices.Sorted(maps.Keys(errs))
	c.hooks = func(_ env.Task, m rpc.Method) *rule {
		if m >= rpc.PdTso {
			if r.IntN(20) == 0 {
				return &rule{}
			}
			return nil
		}
		key := keys[r.IntN(len(keys))]
		switch n := r.IntN(100); {
		case n < 6:
			return &rule{dropReq: true}
		case n < 12:
			return &rule{dropResp: true}
		case n < 17:
			return &rule{delay: time.Duration(r.IntN(int(3 * time.Second)))}
		case n < 20:
			return &rule{refuse: true}
		case n < 26:
			return &rule{answer: errs[answers[r.IntN(len(answers))]]}
		case n < 28:
			return &rule{before: func(env.Task) { c.split(key, raw) }}
		case n < 32:
			return &rule{before: func(env.Task) { c.transfer(key, raw, r.Uint64()%3+1) }}
		}
		return nil
	}
}

const (
	stormClients = 5
	stormOps     = 12
)

// TestStormTransactions checks the outcomes of transactions under random
// faults. Each appends its own number to the lists in two or three keys, at times
// with a pause between reading and writing. In the end a number stands in all of
// its transaction's lists if that was ok, in none if it failed, and in all or
// none if that was unknown. A lost update shows as a lost number.
func TestStormTransactions(t *testing.T) {
	seeds := uint64(48)
	if testing.Short() {
		seeds = 12
	}
	var total tally
	for seed := range seeds {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { stormTransactions(t, seed, &total) }) {
			break
		}
	}
	t.Logf("%d ok, %d failed, %d unknown", total.done, total.failed, total.unknown)
	if total.done == 0 || total.failed == 0 || total.unknown == 0 {
		t.Error("some outcome never happened")
	}
}

// appended is a transaction of the storm.
type appended struct {
	id   string
	keys []string
	err  error
}

func stormTransactions(t *testing.T, seed uint64, total *tally) {
	keys := []string{"a", "c", "e", "g", "i", "k", "m", "o"}
	cfg := Config{
		RPCTimeout: 200 * time.Millisecond, OpTimeout: 3 * time.Second,
		CommitTimeout: time.Duration(1+seed%4) * 200 * time.Millisecond,
		LockTTL:       500 * time.Millisecond, PrimaryFirst: seed%3 == 0, Cleanup: seed%2 == 0,
		ReplicaRead: int(seed%5) * 100,
		// Each way of committing, by optimistic clients, pessimistic ones, and both.
		Txn:          TxnOptions{Commit: CommitMode(seed % 3)},
		CommitWindow: time.Duration(1+seed%7*40) * 10 * time.Millisecond,
	}
	splits := []string{"e", "j"}
	if seed%2 == 0 {
		splits = nil
	}
	c := newCluster(t, seed, cfg, false, splits...)
	storm(c, seed, false, keys)
	var all []*appended
	for i := range stormClients {
		r := stream.New(seed, "workload", uint64(i))
		cfg := cfg
		switch seed / 3 % 4 {
		case 0:
		case 1, 2:
			cfg.Txn.Pessimistic = true
		default:
			cfg.Txn.Pessimistic = i%2 == 0
		}
		client := NewWithTransport(c.env, c, c, cfg)
		c.env.Sched.Go("client", func(t env.Task) {
			for n := range stormOps {
				a := &appended{id: fmt.Sprintf("%d.%d", i, n)}
				for len(a.keys) < 2+r.IntN(2) {
					if key := keys[r.IntN(len(keys))]; !slices.Contains(a.keys, key) {
						a.keys = append(a.keys, key)
					}
				}
				all = append(all, a)
				a.err = appendTo(t, client, a, time.Duration(r.IntN(int(20*time.Millisecond))))
			}
		})
	}
	for range 1000 {
		if len(all) == stormClients*stormOps && c.inFlight == 0 {
			break
		}
		if err := c.world.RunFor(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	c.hooks = nil
	if err := c.world.RunFor(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	checkAppended(t, c, all, total)
}

// checkAppended compares the lists with what the clients were told.
func checkAppended(t *testing.T, c *cluster, all []*appended, total *tally) {
	t.Helper()
	lists := map[string][]string{}
	c.run(func(task env.Task) {
		tx, err := c.client.Begin(task)
		if err != nil {
			t.Fatal(err)
		}
		pairs, err := tx.Scan(task, nil, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pairs {
			lists[string(p.Key)] = strings.Fields(string(p.Value))
		}
	})
	for _, a := range all {
		n := 0
		for _, key := range a.keys {
			if slices.Contains(lists[key], a.id) {
				n++
			}
		}
		total.count(a.err)
		switch {
		case n != 0 && n != len(a.keys):
			t.Errorf("transaction %s is in %d of %d lists; its client was told %v", a.id, n, len(a.keys), a.err)
		case a.err == nil && n == 0:
			t.Errorf("transaction %s was ok and is lost", a.id)
		case errors.Is(a.err, ErrFailed) && n > 0:
			t.Errorf("transaction %s failed and took effect: %v", a.id, a.err)
		case a.err != nil && errors.Is(a.err, ErrFailed) == errors.Is(a.err, ErrUndetermined):
			t.Errorf("error of no class or both: %v", a.err)
		}
	}
	for key, list := range lists {
		slices.Sort(list)
		if len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("list %s has an element twice: %v", key, list)
		}
	}
}

// appendTo runs one transaction of the storm.
func appendTo(t env.Task, c *Client, a *appended, pause time.Duration) error {
	tx, err := c.Begin(t)
	if err != nil {
		return err
	}
	defer tx.Rollback(t)
	for _, key := range a.keys {
		get := tx.Get
		if tx.Options().Pessimistic {
			get = tx.GetForUpdate
		}
		value, _, err := get(t, []byte(key))
		if err != nil {
			return err
		}
		tx.Set([]byte(key), []byte(string(value)+" "+a.id))
		tx.SetDerived([]byte("last/"+key), []byte(a.id))
	}
	t.Sleep(pause)
	return tx.Commit(t)
}

// TestStormRaw checks the outcomes of compare-and-swaps under random faults:
// clients increment counters; in the end a counter has at least the increments
// that were ok, and at most the unknown ones besides.
func TestStormRaw(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 5
	}
	var total tally
	for seed := range seeds {
		stormRaw(t, seed, &total)
	}
	t.Logf("%d ok, %d failed, %d unknown", total.done, total.failed, total.unknown)
}

func stormRaw(t *testing.T, seed uint64, total *tally) {
	keys := []string{"a", "h", "p"}
	cfg := Config{RPCTimeout: 200 * time.Millisecond, OpTimeout: 2 * time.Second, ReplicaRead: int(seed%5) * 100}
	c := newCluster(t, seed, cfg, true, "h")
	storm(c, seed, true, keys)
	sure, unsure := map[string]int{}, map[string]int{}
	for i := range stormClients {
		r := stream.New(seed, "workload", uint64(i))
		client := NewWithTransport(c.env, c, c, cfg)
		c.env.Sched.Go("client", func(t env.Task) {
			for range stormOps {
				key := keys[r.IntN(len(keys))]
				swapped, err := increment(t, client, []byte(key))
				switch {
				case err != nil:
					total.count(err)
					if errors.Is(err, ErrUndetermined) {
						unsure[key]++
					}
				case swapped:
					total.done++
					sure[key]++
				}
			}
		})
	}
	if err := c.world.RunFor(300 * time.Second); err != nil {
		t.Fatal(err)
	}
	c.hooks = nil
	c.run(func(task env.Task) {
		for _, key := range keys {
			value, _, err := c.client.RawGet(task, []byte(key))
			if err != nil {
				t.Fatal(err)
			}
			n, _ := strconv.Atoi(string(value))
			if n < sure[key] || n > sure[key]+unsure[key] {
				t.Errorf("seed %d: counter %s is %d after %d increments and %d of unknown outcome", seed, key, n, sure[key], unsure[key])
			}
		}
	})
}

func increment(t env.Task, c *Client, key []byte) (bool, error) {
	value, found, err := c.RawGet(t, key)
	if err != nil {
		return false, err
	}
	n, _ := strconv.Atoi(string(value))
	if !found {
		value = nil
	}
	swapped, _, err := c.RawCompareAndSwap(t, key, value, []byte(strconv.Itoa(n+1)))
	return swapped, err
}
