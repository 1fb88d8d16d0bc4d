package cluster_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/checker"
	"simrun/checker/state"
	"simrun/checker/verdict"
	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/scenarios/cluster"
	"simrun/scenarios/runner"
	"simrun/sim"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// damaged is a cluster whose stores are changed just before the audit looks at
// them.
type damaged struct {
	*cluster.Cluster
	damage  func(c *cluster.Cluster)
	results []checker.Result
}

// CheckState implements runner.System.
func (d *damaged) CheckState(h *history.History) []checker.Result {
	d.damage(d.Cluster)
	d.results = d.Cluster.CheckState(h)
	return d.results
}

const stores = 4 // one more than replicas: every store lacks a region

// audit runs a short bank and returns what the state checkers say after damage.
func audit(t *testing.T, damage func(c *cluster.Cluster)) []checker.Result {
	t.Helper()
	p := plan.Default()
	p.Scenario, p.Seed = "bank", 1
	p.Cluster.Stores, p.Cluster.Placement = stores, 3
	p.Cluster.SplitKeys = []string{"acct/0004", "acct/0008", "acct/0012"}
	p.Workload.Clients, p.Workload.Rate, p.Workload.Keys = 3, 60, 16
	p.Knobs.GCInterval, p.Knobs.GCLifetime = plan.Duration(300*time.Millisecond), plan.Duration(time.Second)
	p.Phases.Storm = plan.Duration(2 * time.Second)
	d := &damaged{damage: damage}
	_, err := runner.RunSystem(&p, runner.Options{}, func(p *plan.Plan, h runner.Hooks) (runner.System, *sim.World, error) {
		c, err := cluster.New(p, cluster.Options{
			Logf: h.Logf, OnEvent: h.OnEvent,
			Client: func(n int, e *env.Env, db *client.Client) { h.Client(n, e, db, db) },
		})
		if err != nil {
			return nil, nil, err
		}
		d.Cluster = c
		return d, c.World, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.results) == 0 {
		t.Fatal("the run did not come to its audit")
	}
	return d.results
}

// TestStateChecksBite: the audit of a sound run is OK, and every damage done to
// the stores behind the database's back is found by the check that is for it.
func TestStateChecksBite(t *testing.T) {
	for _, c := range []struct {
		name    string
		checker string // which has to find it; empty: none may
		want    verdict.Anomaly
		damage  func(t *testing.T, c *cluster.Cluster)
	}{
		{"nothing", "", "", func(*testing.T, *cluster.Cluster) {}},
		{"a row is lost on one replica", state.ReplicasName, verdict.ReplicaDiverged, func(t *testing.T, c *cluster.Cluster) {
			record, _ := transfer(t, c)
			edit(t, c, holders(c, record)[:1], func(b *engine.Batch) { b.Delete(engine.Write, record.Key) })
		}},
		{"a row differs on one replica", state.ReplicasName, verdict.ReplicaDiverged, func(t *testing.T, c *cluster.Cluster) {
			record, _ := transfer(t, c)
			edit(t, c, holders(c, record)[:1], func(b *engine.Batch) { b.Put(engine.Write, record.Key, append(record.Value, 'R')) })
		}},
		{"a row lies in the range of another store's region", state.RegionsName, verdict.OutOfRange, func(t *testing.T, c *cluster.Cluster) {
			record, _ := transfer(t, c)
			without := func(i int) bool { return !slices.Contains(holders(c, record), i) }
			i := slices.IndexFunc(allStores(), without)
			edit(t, c, []int{i}, func(b *engine.Batch) { b.Put(engine.Write, record.Key, record.Value) })
		}},
		{"a commit is lost everywhere", state.AcknowledgedName, verdict.LostCommit, func(t *testing.T, c *cluster.Cluster) {
			record, _ := transfer(t, c)
			edit(t, c, holders(c, record), func(b *engine.Batch) { b.Delete(engine.Write, record.Key) })
		}},
		{"an asynchronous primary and a secondary in two phases stand where a commit was", state.AcknowledgedName, verdict.LostCommit, func(t *testing.T, c *cluster.Cluster) {
			first, second := transfer(t, c)
			async := codec.AppendCompactBytes(append(lockInstead(t, first, first), 'a', 1), userKey(t, second))
			edit(t, c, holders(c, first), func(b *engine.Batch) {
				b.Delete(engine.Write, first.Key)
				b.Put(engine.Lock, encoded(t, first), async)
			})
			edit(t, c, holders(c, second), func(b *engine.Batch) {
				b.Delete(engine.Write, second.Key)
				b.Put(engine.Lock, encoded(t, second), lockInstead(t, second, first))
			})
		}},
		{"a lock that the audit read stands where a commit was", state.MVCCName, verdict.LockLeft, func(t *testing.T, c *cluster.Cluster) {
			primary, record := transfer(t, c)
			edit(t, c, holders(c, record), func(b *engine.Batch) {
				b.Delete(engine.Write, record.Key)
				b.Put(engine.Lock, encoded(t, record), lockInstead(t, record, primary))
			})
		}},
		{"a version that garbage collection had to remove is there", state.MVCCName, verdict.GarbageLeft, func(t *testing.T, c *cluster.Cluster) {
			record, _ := transfer(t, c)
			key := codec.AppendTS(slices.Clone(encoded(t, record)), 1)
			edit(t, c, holders(c, record), func(b *engine.Batch) { b.Put(engine.Write, key, []byte{'R', 1}) })
		}},
		{"a row does not decode", state.MVCCName, verdict.RecordCorrupt, func(t *testing.T, c *cluster.Cluster) {
			record, _ := transfer(t, c)
			edit(t, c, holders(c, record), func(b *engine.Batch) { b.Put(engine.Write, record.Key, []byte{'?'}) })
		}},
		{"the placement driver has an older epoch", state.DirectoryName, verdict.StaleDirectory, func(_ *testing.T, c *cluster.Cluster) {
			c.Placement().Regions()[1].Region.RegionEpoch.Version--
		}},
		{"the placement driver knows no leader", state.DirectoryName, verdict.StaleDirectory, func(_ *testing.T, c *cluster.Cluster) {
			c.Placement().Regions()[1].Leader.Id = 0
		}},
		{"the placement driver takes a store for gone", state.DirectoryName, verdict.StaleDirectory, func(_ *testing.T, c *cluster.Cluster) {
			c.Placement().Stores()[1].Meta.State = metapb.StoreState_Tombstone
		}},
		{"a record differs on one placement member", state.ReplicasName, verdict.ReplicaDiverged, func(t *testing.T, c *cluster.Cluster) {
			if err := c.EditPlacement(1, func(b *engine.Batch) { b.Put(engine.Default, []byte("timestamp"), []byte{1}) }); err != nil {
				t.Fatal(err)
			}
		}},
		{"a snapshot file is left", state.SnapshotsName, verdict.SnapshotLeft, func(t *testing.T, c *cluster.Cluster) {
			if _, err := c.World.Node("store2").Disk().FS().Create("snap/in-1-2-3-4-00000005.snap", vfs.WriteCategoryUnspecified); err != nil {
				t.Fatal(err)
			}
		}},
		{"a region is recorded as applying a snapshot", state.SnapshotsName, verdict.SnapshotLeft, func(t *testing.T, c *cluster.Cluster) {
			applying := &raft_serverpb.RegionLocalState{State: raft_serverpb.PeerState_Applying, Region: &metapb.Region{Id: 99}}
			value, err := applying.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			key := []byte{1, 3, 0, 0, 0, 0, 0, 0, 0, 99, 1}
			edit(t, c, []int{1}, func(b *engine.Batch) { b.Put(engine.Raft, key, value) })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			results := audit(t, func(cl *cluster.Cluster) { c.damage(t, cl) })
			if c.want == "" {
				if v := checker.Of(results); v != checker.OK {
					t.Fatalf("%v: %+v", v, results)
				}
				return
			}
			i := slices.IndexFunc(results, func(r checker.Result) bool { return r.Checker == c.checker })
			if !slices.ContainsFunc(results[i].Findings, func(f checker.Finding) bool { return f.Anomaly == c.want }) {
				t.Fatalf("%s does not find %s: %+v", c.checker, c.want, results)
			}
		})
	}
}

// allStores are the indexes of all stores.
func allStores() []int { return []int{0, 1, 2, 3} }

// edit changes the data of some stores.
func edit(t *testing.T, c *cluster.Cluster, which []int, change func(b *engine.Batch)) {
	t.Helper()
	for _, i := range which {
		if err := c.Edit(i, change); err != nil {
			t.Fatal(err)
		}
	}
}

// holders returns the stores that have a record.
func holders(c *cluster.Cluster, record state.Row) (which []int) {
	for _, i := range allStores() {
		if slices.ContainsFunc(c.Rows(i).Write, func(r state.Row) bool { return bytes.Equal(r.Key, record.Key) }) {
			which = append(which, i)
		}
	}
	return which
}

// transfer returns the two commit records of the latest transfer between
// accounts that one store holds.
func transfer(t *testing.T, c *cluster.Cluster) (first, second state.Row) {
	t.Helper()
	byCommit := map[uint64][]state.Row{}
	var latest uint64
	for _, row := range c.Rows(0).Write {
		_, commit, err := codec.SplitTS(row.Key)
		if err != nil {
			t.Fatal(err)
		}
		if row.Value[0] != 'P' {
			continue
		}
		byCommit[commit] = append(byCommit[commit], row)
		if len(byCommit[commit]) == 2 {
			latest = max(latest, commit)
		}
	}
	if latest == 0 {
		t.Fatal("no transfer was committed")
	}
	return byCommit[latest][0], byCommit[latest][1]
}

// encoded is the encoded user key of a record.
func encoded(t *testing.T, record state.Row) []byte {
	t.Helper()
	key, _, err := codec.SplitTS(record.Key)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// userKey is the user key of a record.
func userKey(t *testing.T, record state.Row) []byte {
	t.Helper()
	user, err := codec.DecodeKey(encoded(t, record))
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// lockInstead is the lock that stood where the record is, before the commit.
func lockInstead(t *testing.T, record, primary state.Row) []byte {
	t.Helper()
	_, n := binary.Uvarint(record.Value[1:])
	start, short := record.Value[1:1+n], record.Value[1+n:]
	lock := codec.AppendCompactBytes([]byte{'P'}, userKey(t, primary))
	lock = append(lock, start...)
	lock = append(lock, 100) // the TTL
	return append(lock, short...)
}
