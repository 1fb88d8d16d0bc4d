package raftstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
)

// leaderOf returns the store that takes itself for the leader of the region of
// key, in the highest term; nil if there is none.
func (c *cluster) leaderOf(key string) (leader *testStore) {
	term := uint64(0)
	for _, s := range c.stores {
		if !s.node.Up() {
			continue
		}
		for _, r := range s.Regions() {
			if r.IsLeader && r.Term > term && initialised(r.Region) && contains(r.Region, []byte(key)) {
				leader, term = s, r.Term
			}
		}
	}
	return leader
}

// waitLeader waits until the region of key has a leader that can serve.
func (c *cluster) waitLeader(key string) *testStore {
	c.t.Helper()
	var leader *testStore
	c.until("leader", func() bool {
		leader = c.leaderOf(key)
		if leader == nil {
			return false
		}
		snap, regionErr := leader.LeaderSnapshot(leader.context(key))
		if regionErr != nil {
			return false
		}
		snap.Close()
		return true
	})
	return leader
}

// context returns the context of a request to the store's peer for key.
func (s *testStore) context(key string) *kvrpcpb.Context {
	region, _ := s.RegionOf([]byte(key))
	if region == nil {
		return &kvrpcpb.Context{Peer: &metapb.Peer{StoreId: s.id}}
	}
	return contextFor(region, s.id)
}

func contextFor(region *metapb.Region, store uint64) *kvrpcpb.Context {
	return &kvrpcpb.Context{RegionId: region.GetId(), RegionEpoch: region.GetRegionEpoch(), Peer: peerOnStore(region, store)}
}

func putRequest(key, value string) *raft_cmdpb.Request {
	return &raft_cmdpb.Request{
		CmdType: raft_cmdpb.CmdType_Put,
		Put:     &raft_cmdpb.PutRequest{Cf: "default", Key: []byte(key), Value: []byte(value)},
	}
}

// tryPut proposes a put on the leader.
func (c *cluster) tryPut(t env.Task, key, value string, limit time.Duration) (*errorpb.Error, error) {
	s := c.leaderOf(key)
	if s == nil {
		return errNotLeader(0, nil), nil
	}
	return s.Propose(t, s.context(key), 0, []*raft_cmdpb.Request{putRequest(key, value)}, limit)
}

// put puts a value, trying until it is acknowledged.
func (c *cluster) put(t env.Task, key, value string) {
	for range 1000 {
		regionErr, err := c.tryPut(t, key, value, 2*time.Second)
		if regionErr == nil && err == nil {
			return
		}
		t.Sleep(20 * time.Millisecond)
	}
	c.t.Errorf("put %s: never acknowledged", key)
}

// tryGet reads a value on the leader, linearizably.
func (c *cluster) tryGet(t env.Task, s *testStore, key string) (string, *errorpb.Error) {
	if s == nil || !s.node.Up() {
		return "", errNotLeader(0, nil)
	}
	return c.tryGetWith(t, s, s.context(key), key)
}

func (c *cluster) tryGetWith(t env.Task, s *testStore, ctx *kvrpcpb.Context, key string) (string, *errorpb.Error) {
	snap, regionErr := s.ReadSnapshot(t, ctx)
	if regionErr != nil {
		return "", regionErr
	}
	defer snap.Close()
	value, err := snap.Get(engine.Default, []byte(key))
	if err != nil {
		return "", errServerIsBusy(err.Error())
	}
	return string(value), nil
}

func (c *cluster) get(t env.Task, key string) string {
	for range 1000 {
		if value, regionErr := c.tryGet(t, c.leaderOf(key), key); regionErr == nil {
			return value
		}
		t.Sleep(20 * time.Millisecond)
	}
	c.t.Errorf("get %s: never answered", key)
	return ""
}

// converged waits until all replicas of all regions have applied the same, and
// checks that they hold the same.
func (c *cluster) converged() {
	c.t.Helper()
	c.until("convergence", func() bool { return c.regions() > 0 })
	want := ""
	for i, s := range c.stores {
		got := dumpData(c.t, s.eng)
		if i == 0 {
			want = got
		} else if got != want {
			c.t.Fatalf("store %d holds\n%s\nstore 1 holds\n%s", s.id, got, want)
		}
	}
}

// regions returns how many regions there are, each with a replica on every store
// that has applied the same, and all of its log; 0 as long as that is not so.
func (c *cluster) regions() int {
	applied := map[uint64]uint64{}
	peers := map[uint64]int{}
	for _, s := range c.stores {
		if !s.node.Up() {
			return 0
		}
		for _, r := range s.Regions() {
			if peers[r.Region.GetId()] > 0 && applied[r.Region.GetId()] != r.Applied || r.Applied != r.Last || r.Applying || !initialised(r.Region) {
				return 0
			}
			applied[r.Region.GetId()] = r.Applied
			peers[r.Region.GetId()]++
		}
	}
	for _, n := range peers {
		if n != len(c.stores) {
			return 0
		}
	}
	return len(peers)
}

// dumpData lists all data of a store.
func dumpData(t testing.TB, eng *engine.Engines) string {
	t.Helper()
	out := ""
	for _, cf := range dataCFs() {
		it, err := eng.KV.NewIter(cf, engine.IterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			out += fmt.Sprintf("%s %q=%q\n", cf, it.Key(), it.Value())
		}
		it.Close()
	}
	return out
}
