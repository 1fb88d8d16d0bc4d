package placement

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim"
	"simrun/sim/disk"
)

// TestServer plays the stories of testdata/server against a member. The
// commands are
//
//	tso [count=N]                       takes timestamps, prints how many are distinct
//	id [count=N]
//	put-store ID ADDRESS [tombstone], store ID, stores, store-heartbeat ID
//	region KEY, region-by-id ID, regions (of the leader's map)
//	heartbeat ID START END VERSION.CONFVER LEADER-PEER LEADER-STORE TERM
//	service NAME TS [ttl=SECONDS], settle TS, safe-points
//	ask-split ID VERSION COUNT
//	crash kill|power-loss, start, run FOR
func TestServer(t *testing.T) {
	datadriven.Walk(t, "testdata/server", func(t *testing.T, path string) {
		c := newCluster(t, 1, sim.Config{Seed: 1}, Config{IDBatch: 10})
		s := c.addSession("client1", ClientConfig{Deadline: 2 * time.Second})
		c.StartAll()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "crash":
				c.members[0].Crash(map[string]disk.CrashKind{"kill": disk.ProcessKill, "power-loss": disk.PowerLoss}[d.CmdArgs[0].Key])
				return ""
			case "start":
				c.members[0].Start()
				return ""
			case "run":
				duration, err := time.ParseDuration(d.CmdArgs[0].Key)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.RunFor(duration); err != nil {
					t.Fatal(err)
				}
				return ""
			case "regions":
				var out strings.Builder
				for _, r := range c.members[0].server.Regions() {
					_ = printRegion(&out, r.Region, r.Leader, nil)
				}
				return out.String()
			}
			var out strings.Builder
			s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
				if err := request(t, task, pd, d, &out); err != nil {
					fmt.Fprintln(&out, err)
				}
			})
			return out.String()
		})
	})
}

// request sends the request that d describes.
func request(t *testing.T, task env.Task, pd *Client, d *datadriven.TestData, out *strings.Builder) error {
	switch d.Cmd {
	case "tso":
		return requestTSO(t, task, pd, d, out)
	case "id":
		for range argument(t, d, "count", 1) {
			id, err := pd.AllocID(task)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%d ", id)
		}
		out.WriteString("\n")
		return nil
	case "put-store":
		meta := &metapb.Store{Id: number(t, d, 0), Address: d.CmdArgs[1].Key}
		for name, state := range metapb.StoreState_value {
			if d.HasArg(strings.ToLower(name)) {
				meta.State = metapb.StoreState(state)
			}
		}
		meta.PhysicallyDestroyed = d.HasArg("destroyed")
		return pd.PutStore(task, meta)
	case "store":
		meta, err := pd.GetStore(task, number(t, d, 0), noLimit)
		if err == nil {
			fmt.Fprintf(out, "%d %s heartbeat=%v\n", meta.Id, meta.Address, meta.LastHeartbeat != 0)
		}
		return err
	case "stores":
		stores, err := pd.GetAllStores(task)
		for _, meta := range stores {
			fmt.Fprintf(out, "%d %s\n", meta.Id, meta.Address)
		}
		return err
	case "store-heartbeat":
		_, err := pd.StoreHeartbeat(task, &pdpb.StoreStats{StoreId: number(t, d, 0)})
		return err
	case "service", "settle", "safe-points":
		return requestSafePoint(t, task, pd, d, out)
	default:
		return requestRegion(t, task, pd, d, out)
	}
}

func requestSafePoint(t *testing.T, task env.Task, pd *Client, d *datadriven.TestData, out *strings.Builder) error {
	switch d.Cmd {
	case "service":
		ttl := time.Duration(argument(t, d, "ttl", 0)) * time.Second
		least, err := pd.UpdateServiceGCSafePoint(task, d.CmdArgs[0].Key, number(t, d, 1), ttl)
		if err == nil {
			fmt.Fprintf(out, "the least is %d\n", least)
		}
		return err
	case "settle":
		settled, err := pd.UpdateGCSafePoint(task, number(t, d, 0))
		if err == nil {
			fmt.Fprintf(out, "settled %d\n", settled)
		}
		return err
	default:
		closed, settled, err := pd.SafePoints(task)
		if err == nil {
			fmt.Fprintf(out, "closed %d, settled %d\n", closed, settled)
		}
		return err
	}
}

func requestTSO(t *testing.T, task env.Task, pd *Client, d *datadriven.TestData, out *strings.Builder) error {
	distinct := map[uint64]bool{}
	last := uint64(0)
	for range argument(t, d, "count", 1) {
		ts, err := pd.GetTS(task, noLimit)
		if err != nil {
			return err
		}
		if ts <= last {
			return fmt.Errorf("%d after %d", ts, last)
		}
		last = ts
		distinct[ts] = true
	}
	fmt.Fprintf(out, "%d timestamps\n", len(distinct))
	return nil
}

func requestRegion(t *testing.T, task env.Task, pd *Client, d *datadriven.TestData, out *strings.Builder) error {
	switch d.Cmd {
	case "region":
		meta, leader, err := pd.GetRegion(task, []byte(d.CmdArgs[0].Key), noLimit)
		return printRegion(out, meta, leader, err)
	case "region-by-id":
		meta, leader, err := pd.GetRegionByID(task, number(t, d, 0))
		return printRegion(out, meta, leader, err)
	case "heartbeat":
		meta := parseRegion(d.CmdArgs)
		var peer, store, term uint64
		_, _ = fmt.Sscan(d.CmdArgs[4].Key+" "+d.CmdArgs[5].Key+" "+d.CmdArgs[6].Key, &peer, &store, &term)
		_, err := pd.RegionHeartbeat(task, &pdpb.RegionHeartbeatRequest{
			Region: meta, Leader: &metapb.Peer{Id: peer, StoreId: store}, Term: term,
		})
		return err
	case "ask-split":
		region := &metapb.Region{
			Id: number(t, d, 0), Peers: make([]*metapb.Peer, 3),
			RegionEpoch: &metapb.RegionEpoch{Version: number(t, d, 1), ConfVer: 1},
		}
		for i := range region.Peers {
			region.Peers[i] = &metapb.Peer{Id: uint64(i + 1)}
		}
		ids, err := pd.AskBatchSplit(task, region, int(number(t, d, 2)))
		for _, id := range ids {
			fmt.Fprintf(out, "region %d peers %v\n", id.NewRegionId, id.NewPeerIds)
		}
		return err
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
		return nil
	}
}

// parseRegion reads ID START END VERSION.CONFVER. The region has the peers that
// region 4 of the cluster has.
func parseRegion(args []datadriven.CmdArg) *metapb.Region {
	meta := &metapb.Region{RegionEpoch: &metapb.RegionEpoch{}, Peers: testRegions()[0].Peers}
	meta.StartKey = []byte(strings.TrimSuffix(args[1].Key, "-"))
	meta.EndKey = []byte(strings.TrimSuffix(args[2].Key, "-"))
	_, _ = fmt.Sscanf(args[0].Key+" "+args[3].Key, "%d %d.%d", &meta.Id, &meta.RegionEpoch.Version, &meta.RegionEpoch.ConfVer)
	return meta
}

func printRegion(out *strings.Builder, meta *metapb.Region, leader *metapb.Peer, err error) error {
	if err != nil {
		return err
	}
	out.WriteString(list([]*regionInfo{{meta: meta, leader: leader}}))
	return nil
}

func number(t *testing.T, d *datadriven.TestData, i int) (n uint64) {
	if _, err := fmt.Sscan(d.CmdArgs[i].Key, &n); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return n
}

func argument(t *testing.T, d *datadriven.TestData, name string, value int) int {
	if d.HasArg(name) {
		d.ScanArgs(t, name, &value)
	}
	return value
}

func countMark(name string) uint64 {
	for _, c := range invariant.Counts() {
		if c.Name == name {
			return c.Count
		}
	}
	return 0
}

// TestDeadline checks that requests end when nobody answers, and timestamps of
// several tasks with them.
func TestDeadline(t *testing.T) {
	c := newCluster(t, 3, sim.Config{Seed: 1}, Config{})
	s := c.addSession("client1", ClientConfig{Deadline: time.Second})
	c.Node("client1").Start() // and no member
	s.do(t, func(task env.Task, e *env.Env, pd *Client) {
		results := make([]env.Future[uint64], 4)
		for i := range results {
			e.Sched.Go("timestamp", func(task env.Task) {
				ts, err := pd.GetTS(task, noLimit)
				results[i].Resolve(ts, err)
			})
		}
		before := e.Clock.Monotonic()
		for i := range results {
			if _, err := results[i].Await(task, -1); !errors.Is(err, ErrUnavailable) || !errors.Is(err, env.ErrTimeout) {
				t.Errorf("timestamp %d: %v", i, err)
			}
		}
		if took := e.Clock.Monotonic() - before; took > 1100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if _, err := pd.StoreHeartbeat(task, &pdpb.StoreStats{StoreId: 1}); err == nil {
			t.Error("a heartbeat was answered")
		}
	})
}

// TestBatching lets many tasks take timestamps at once: they share requests, and
// none gets a timestamp of a request that was sent before it asked.
func TestBatching(t *testing.T) {
	c := newCluster(t, 1, sim.Config{Seed: 1}, Config{})
	s := c.addSession("client1", ClientConfig{})
	c.StartAll()
	batched := countMark("placement: one request for the timestamps of several tasks")
	s.do(t, func(task env.Task, e *env.Env, pd *Client) {
		w := &witness{seen: map[uint64]bool{}}
		results := make([]env.Future[error], 200)
		for i := range results {
			e.Sched.Go("timestamp", func(task env.Task) {
				for range 5 {
					called := c.Now()
					ts, err := pd.GetTS(task, noLimit)
					if err == nil {
						err = w.add(observation{ts, called, c.Now()})
					}
					if err != nil {
						results[i].Resolve(err, nil)
						return
					}
				}
				results[i].Resolve(nil, nil)
			})
		}
		for i := range results {
			if err, _ := results[i].Await(task, -1); err != nil {
				t.Error(err)
			}
		}
	})
	if n := countMark("placement: one request for the timestamps of several tasks") - batched; n == 0 || n > 20 {
		t.Errorf("%d requests for 1,000 timestamps were shared", n)
	}
}

// TestConfig checks what a member refuses to start with.
func TestConfig(t *testing.T) {
	regions := func(change func([]*metapb.Region) []*metapb.Region) []*metapb.Region { return change(testRegions()) }
	for name, cfg := range map[string]Config{
		"no cluster":       {Regions: testRegions()},
		"not a member":     {ClusterID: 1, Regions: testRegions(), Members: []string{"pd2", "pd3"}},
		"down too early":   {ClusterID: 1, Regions: testRegions(), DisconnectedAfter: time.Second, DownAfter: time.Millisecond},
		"no regions":       {ClusterID: 1},
		"a short window":   {ClusterID: 1, Regions: testRegions(), TimestampWindow: time.Millisecond},
		"a gap":            {ClusterID: 1, Regions: regions(func(r []*metapb.Region) []*metapb.Region { return append(r[:1], r[2]) })},
		"no last region":   {ClusterID: 1, Regions: regions(func(r []*metapb.Region) []*metapb.Region { return r[:2] })},
		"a region nowhere": {ClusterID: 1, Regions: regions(func(r []*metapb.Region) []*metapb.Region { r[1].Peers = nil; return r })},
	} {
		if err := cfg.withDefaults("pd1").validate("pd1"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := (Config{ClusterID: 1, Regions: testRegions()}).withDefaults("pd1").validate("pd1"); err != nil {
		t.Error(err)
	}
}

// TestOtherCluster checks that a member refuses the state and the requests of
// another cluster.
func TestOtherCluster(t *testing.T) {
	c := newCluster(t, 1, sim.Config{Seed: 1}, Config{})
	c.StartAll()
	s := c.awaitLeader(t).server
	if l, h := s.serving(&pdpb.RequestHeader{ClusterId: clusterID + 1}); l != nil || h.Error == nil {
		t.Error("a request of another cluster is accepted")
	}
	storage := newFakeStorage()
	storage.records[keyCluster] = encode(&metapb.Cluster{Id: clusterID + 1})
	if _, err := s.loadCluster(storage); err == nil {
		t.Error("the state of another cluster is accepted")
	}
}
