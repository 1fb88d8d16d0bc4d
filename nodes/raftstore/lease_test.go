package raftstore

import (
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

func leaseCluster(t *testing.T, seed uint64, raft Config) *cluster {
	t.Helper()
	raft.LeaderLease = true
	return newCluster(t, clusterOptions{seed: seed, raft: raft})
}

// replica reads on a store, leader or not.
func (c *cluster) replica(t env.Task, s *testStore, key string) (string, *errorpb.Error) {
	ctx := s.context(key)
	ctx.ReplicaRead = true
	return c.tryGetWith(t, s, ctx, key)
}

// testBatch is a message from one peer to another as it travels.
func testBatch(region uint64, from, to *metapb.Peer, m *raftpb.Message) []byte {
	sender := &peer{regionID: region, meta: from, region: &metapb.Region{
		Id: region, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1}, Peers: []*metapb.Peer{from, to},
	}}
	return appendEnvelope(nil, appendHeader(nil, sender, to), m, nil, nil)
}

// A leader that was confirmed once reads without asking anybody, in no time,
// until its lease ends.
func TestLeaseRead(t *testing.T) {
	expired := reached("lease expired at a read")
	c := leaseCluster(t, 1, Config{})
	s := c.waitLeader("")
	c.do(func(t env.Task) { c.put(t, "k", "v") })
	read := func() (rounds uint64, took int64) {
		rounds = s.nextRead
		c.do(func(t env.Task) {
			took = c.w.Now()
			if got, regionErr := c.tryGet(t, s, "k"); got != "v" || regionErr != nil {
				c.t.Errorf("k = %q, %v", got, regionErr)
			}
			took = c.w.Now() - took
		})
		return s.nextRead - rounds, took
	}
	if rounds, took := read(); rounds != 0 || took != 0 {
		t.Errorf("%d rounds, %d ns after a write", rounds, took)
	}
	c.run(s.cfg.leaseLength())
	if rounds, took := read(); rounds != 1 || took == 0 || expired() != 1 {
		t.Errorf("%d rounds, %d ns after the end of the lease", rounds, took)
	}
	if rounds, took := read(); rounds != 0 || took != 0 {
		t.Errorf("%d rounds, %d ns after a confirmed read", rounds, took)
	}
}

// A leader that was cut off reads on until the end of its lease, rightly: there
// is no other leader yet. Then it does not.
func TestIsolatedLeaderReadsUntilLeaseEnds(t *testing.T) {
	c := leaseCluster(t, 2, Config{ClockDriftBound: 100_000})
	old := c.waitLeader("")
	c.do(func(t env.Task) { c.put(t, "k", "old") })
	old.node.SetDrift(-100_000)
	for _, s := range c.stores {
		if s != old {
			s.node.SetDrift(100_000)
		}
	}
	heal := c.isolate(old)
	served, cut := time.Duration(0), c.w.Now()
	c.do(func(t env.Task) {
		for {
			_, leased := old.Leased(1)
			if !leased {
				break
			}
			if got, regionErr := c.tryGet(t, old, "k"); got != "old" || regionErr != nil {
				c.t.Errorf("k = %q, %v", got, regionErr)
			}
			served = time.Duration(c.w.Now() - cut)
			t.Sleep(time.Millisecond)
		}
		for c.leaderOf("") == nil || c.leaderOf("") == old {
			t.Sleep(time.Millisecond)
		}
		c.put(t, "k", "new")
		if value, regionErr := c.tryGet(t, old, "k"); regionErr == nil {
			c.t.Errorf("a deposed leader reads %q", value)
		}
	})
	heal()
	if served < old.cfg.leaseLength()/2 || served > old.cfg.promiseLength() {
		t.Errorf("served for %v, a lease lasts %v", served, old.cfg.leaseLength())
	}
}

// With the message that starts a leader transfer the lease ends for good, even
// if nothing comes of the transfer.
func TestTransferSuspendsLease(t *testing.T) {
	suspended := reached("lease suspended by a leader transfer")
	c := leaseCluster(t, 3, Config{})
	s := c.waitLeader("")
	c.do(func(t env.Task) { c.put(t, "k", "v") })
	c.run(time.Second)
	c.do(func(t env.Task) { c.get(t, "k") })
	region, _ := s.RegionOf(nil)
	target := c.stores[s.id%3]
	c.w.Network.Cut(s.node.Addr(), target.node.Addr())
	if e := s.TransferLeader(region.Id, peerOnStore(region, target.id).Id); e != nil {
		t.Fatal(e)
	}
	c.run(time.Millisecond)
	if _, leased := s.Leased(region.Id); leased || suspended() != 1 {
		t.Errorf("leased %v, suspended %d times", leased, suspended())
	}
	c.w.Network.Heal(s.node.Addr(), target.node.Addr())
	c.run(time.Second)
	c.do(func(t env.Task) {
		c.put(t, "k", "w")
		if got := c.get(t, "k"); got != "w" {
			c.t.Errorf("k = %q", got)
		}
	})
	if _, leased := s.Leased(region.Id); leased {
		t.Error("the lease was renewed in the term of the transfer")
	}
}

// Until what is known to be committed is applied, a read under a lease waits; if
// the lease has ended by then, the view is not given out.
func TestLeaseEndsWhileRead(t *testing.T) {
	lost, waited := reached("read under a lease refused after its snapshot"), reached("read waited for apply")
	c := leaseCluster(t, 4, Config{ReadIndexRetry: 10 * time.Second, ReadIndexTimeout: 20 * time.Second})
	s := c.waitLeader("")
	c.do(func(t env.Task) { c.put(t, "k", "old") })
	p := s.peers[0]
	s.applier.held = true // as while a split of another region is made durable
	c.w.Go("writer", func(t env.Task) { c.put(t, "k", "new") })
	c.soon("commit", func() bool { return p.commit() > p.applied })
	read := ""
	c.w.Go("reader", func(t env.Task) { read, _ = c.tryGet(t, s, "k") })
	c.run(s.cfg.leaseLength())
	if read != "" || waited() != 1 {
		t.Errorf("%q was read before it was applied", read)
	}
	s.applier.held = false
	s.applier.schedule()
	c.until("read", func() bool { return read != "" })
	if read != "new" || lost() != 1 || c.reads[ReadByIndex] != 1 {
		t.Errorf("read %q, %d refused, %v", read, lost(), c.reads)
	}
}

// A store that has just started does not know what its previous process has
// promised and grants no votes; nor does a peer that has heard of its leader,
// even if a late answer of a higher term has made raft forget that leader. A
// leader transfer is not held up.
func TestPromises(t *testing.T) {
	held, promised := reached("vote request ignored after the start"), reached("vote request ignored, the leader was heard of")
	c := leaseCluster(t, 5, Config{ClockDriftBound: 1000})
	leader := c.waitLeader("")
	c.run(time.Second)
	region, _ := leader.RegionOf(nil)
	f, other := c.stores[leader.id%3], c.stores[(leader.id+1)%3]
	from, to := peerOnStore(region, other.id), peerOnStore(region, f.id)
	term := leader.Regions()[0].Term
	granted := func() bool { return f.Regions()[0].Term > term+1 }
	ask := func(context string) {
		m := &raftpb.Message{
			Type: raftpb.MsgVote.Enum(), To: &to.Id, From: &from.Id, Term: proto.Uint64(term + 2), LogTerm: proto.Uint64(term + 1), Index: proto.Uint64(1000),
		}
		if context != "" {
			m.Context = []byte(context)
		}
		f.OnRaftBatch(testBatch(region.Id, from, to, m))
		c.run(time.Millisecond)
	}
	c.isolate(f)
	// A rejection of an old candidacy raises the term and takes the leader away.
	f.OnRaftBatch(testBatch(region.Id, from, to, &raftpb.Message{
		Type: raftpb.MsgPreVoteResp.Enum(), To: &to.Id, From: &from.Id, Term: proto.Uint64(term + 1), Reject: proto.Bool(true),
	}))
	f.peers[0].promise = f.env.Clock.Monotonic() + time.Millisecond // as if it had heard just now
	if ask(""); granted() || promised() != 1 {
		t.Errorf("vote granted %v in spite of a promise, %d ignored", granted(), promised())
	}
	f.node.Crash(disk.ProcessKill)
	f.node.Start()
	if ask(""); granted() || held() != 1 {
		t.Errorf("vote granted %v after the start, %d ignored", granted(), held())
	}
	if ask(forcedCampaign); !granted() {
		t.Error("a forced vote was not taken")
	}
}

// The length of a lease allows for two clocks that drift apart.
func TestLeaseLength(t *testing.T) {
	for _, c := range []struct {
		bound int
		want  time.Duration
	}{{0, 450 * time.Millisecond}, {50_000, 407_142_857}, {500_000, 150 * time.Millisecond}, {999_999, 225_000 / 1_000}} {
		cfg := Config{ClockDriftBound: c.bound}.withDefaults()
		if got := cfg.leaseLength(); got != c.want {
			t.Errorf("%d ppm: %d, expected %d", c.bound, got, c.want)
		}
	}
	if (Config{StoreID: 1, ClockDriftBound: million}).withDefaults().validate() == nil {
		t.Error("a clock that may stand still is accepted")
	}
}

// A follower serves reads that hold what was acknowledged before, asks again
// until its leader can tell, and says so if there is none.
func TestReplicaRead(t *testing.T) {
	served, leased := reached("follower read served"), reached("follower's read index given under a lease")
	rejected, ignored := reached("follower read rejected"), reached("follower's request for the read index dropped")
	c := leaseCluster(t, 6, Config{})
	leader := c.waitLeader("")
	f := c.stores[leader.id%3]
	for i := range 20 {
		c.do(func(t env.Task) {
			c.put(t, "k", string(rune('a'+i)))
			if got, regionErr := c.replica(t, f, "k"); got != string(rune('a'+i)) || regionErr != nil {
				c.t.Errorf("k = %q, %v", got, regionErr)
			}
		})
	}
	c.run(time.Second)
	c.do(func(t env.Task) {
		if got, regionErr := c.replica(t, f, "k"); got != "t" || regionErr != nil {
			c.t.Errorf("without a lease: k = %q, %v", got, regionErr)
		}
		ctx := f.context("k")
		epoch := *ctx.RegionEpoch
		epoch.Version++
		ctx.ReplicaRead, ctx.RegionEpoch = true, &epoch
		if _, regionErr := c.tryGetWith(t, f, ctx, "k"); regionErr.GetEpochNotMatch() == nil {
			c.t.Errorf("old epoch: %v", regionErr)
		}
	})
	if served() != 21 || leased() != 20 || c.reads[ReadByReplica] != 21 || rejected() != 1 {
		t.Errorf("%d served, %d under a lease, %d rejected", served(), leased(), rejected())
	}
	other := c.stores[(leader.id+1)%3]
	region, _ := f.RegionOf(nil)
	other.peers[0].leader = 0
	request := &raftpb.Message{
		Type: raftpb.MsgReadIndex.Enum(), From: proto.Uint64(peerOnStore(region, f.id).Id), To: proto.Uint64(peerOnStore(region, other.id).Id),
		Entries: []*raftpb.Entry{{Data: []byte("x")}},
	}
	other.OnRaftBatch(testBatch(region.Id, peerOnStore(region, f.id), peerOnStore(region, other.id), request))
	c.do(func(t env.Task) {
		if _, regionErr := c.replica(t, other, "k"); regionErr.GetNotLeader() == nil {
			c.t.Errorf("no leader: %v", regionErr)
		}
	})
	if rejected() != 2 || ignored() != 1 {
		t.Errorf("%d rejected, %d ignored", rejected(), ignored())
	}
}

// An answer to the process before must not be taken for one to this process.
func TestReadContextIsUnique(t *testing.T) {
	c := leaseCluster(t, 7, Config{})
	s := c.waitLeader("")
	before := s.name(&s.nextRead)
	s.node.Crash(disk.ProcessKill)
	s.node.Start()
	s.nextRead = 0
	for range 10 {
		if s.name(&s.nextRead) == before {
			t.Error("two processes use the same context")
		}
	}
}
