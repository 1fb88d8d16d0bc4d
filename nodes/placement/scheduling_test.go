package placement

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/sim"
	"simrun/sim/disk"
)

// TestScheduling plays the stories of testdata/scheduling: a leader of the
// placement driver, and a model of stores that report to it every 100 ms and carry
// out what it answers. The commands are
//
//	config [FIELD=VALUE]...       begins a story; see configure
//	stores ID...                  stores join
//	regions                       replaces all regions; a line each, see readRegion
//	run DURATION                  prints what is begun, ordered and ended, and the regions then
//	kill|start|deaf ID...         stores end, begin again, or carry nothing out any more
//	slow ID SCORE                 a store reports that score
//	offline|destroyed|up ID       a request to change the state of a store
//	foreign REGION add|add-learner|remove|split|merge ...   somebody else changes a region
//	measure REGION KEYS           its leader has counted its keys, or, with "off", does not know them
//	burden N                      stores say that they hold so many more peers
//	abdicate                      the operators are given up, as at the end of a leadership
//	failover                      the leader begins anew, with what is saved
func TestScheduling(t *testing.T) { playScheduling(t, false) }

// TestSchedulingEveryRound: the same is decided if no round is left out.
func TestSchedulingEveryRound(t *testing.T) { playScheduling(t, true) }

func playScheduling(t *testing.T, everyRound bool) {
	datadriven.Walk(t, "testdata/scheduling", func(t *testing.T, path string) {
		var m *model
		datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
			if td.Cmd == "config" {
				m = newModel(t, td, everyRound)
				return ""
			}
			return m.command(t, td)
		})
	})
}

// model is a leader of the placement driver and the stores that report to it.
type model struct {
	c       *cluster
	stores  []*modelStore
	regions []*modelRegion
	out     strings.Builder
	burden  uint32 // peers that every store says to hold, besides those that the regions name

	// asleep is how many of the regions about which nothing is new are reported at a
	// time; zero: all. turn is the next of them, asked are those that were asked for.
	asleep, turn int
	asked        []uint64
}

type modelStore struct {
	id         uint64
	down, deaf bool
	slow       uint64
}

type modelRegion struct {
	meta       *metapb.Region
	leader     uint64   // peer
	pending    []uint64 // peers that never catch up
	size, keys uint64
	unknown    bool // the leader has not measured it
	oneKey     bool
	term       uint64
	into       uint64 // the region that takes it in: it has applied PrepareMerge
	told       string // what was reported last, of what is reported at once
}

// OperatorBegun implements Observer.
func (m *model) OperatorBegun(_ OperatorKind, text string) { fmt.Fprintf(&m.out, "begun %s\n", text) }

// OperatorEnded implements Observer.
func (m *model) OperatorEnded(kind OperatorKind, outcome OperatorOutcome, text string) {
	_, of, _ := strings.Cut(text, " of ")
	of, _, _ = strings.Cut(of, " at")
	fmt.Fprintf(&m.out, "%v %v of %s\n", outcome, kind, of)
}

// MergeBegun implements Observer.
func (m *model) MergeBegun(source, target *metapb.Region) {
	for _, of := range []*metapb.Region{source, target} {
		i := slices.IndexFunc(m.regions, func(r *modelRegion) bool { return r.meta.Id == of.Id })
		if r := m.regions[i]; r.unknown {
			fmt.Fprintf(&m.out, "region %d is merged, and nobody knows how large it is\n", of.Id)
		}
	}
}

// RegionKnown implements Observer.
func (m *model) RegionKnown(uint64, *metapb.Region) {}

// newModel configures a story: the fields are those of Scheduling in lower case,
// replica-check is on unless it is "off".
func newModel(t *testing.T, td *datadriven.TestData, everyRound bool) *model {
	m := &model{}
	cfg := Config{DisconnectedAfter: 500 * time.Millisecond, DownAfter: 2 * time.Second, Observer: m}
	s := &cfg.Scheduling
	s.Interval, s.Replicas, s.ReplicaCheck = 100*time.Millisecond, 3, true
	s.OperatorTimeout = 3 * time.Second
	s.everyRound = everyRound
	s.MergeDelay, s.SplitDelay = time.Second, time.Second
	for _, arg := range td.CmdArgs {
		n := 0
		if len(arg.Vals) > 0 && arg.Vals[0] != "off" {
			var err error
			if n, err = strconv.Atoi(arg.Vals[0]); err != nil {
				t.Fatal(err)
			}
		}
		switch arg.Key {
		case "replica-check":
			s.ReplicaCheck = false
		case "replicas":
			s.Replicas = n
		case "balance-leaders":
			s.BalanceLeaders = true
		case "balance-regions":
			s.BalanceRegions = true
		case "by-size":
			s.BySize = true
		case "evict-slow":
			s.EvictSlow = true
		case "tolerance":
			s.Tolerance = n
		case "store-limit":
			s.StoreLimit = n
		case "operator-limit":
			s.OperatorLimit = n
		case "split-keys":
			s.SplitKeys = uint64(n)
		case "merge-keys":
			s.MergeKeys = uint64(n)
		case "asleep":
			m.asleep = n
		case "silence":
			s.Silence = time.Duration(n) * time.Millisecond
		case "operator-timeout":
			s.OperatorTimeout = time.Duration(n) * time.Millisecond
		default:
			t.Fatalf("%s: no field %s", td.Pos, arg.Key)
		}
	}
	m.c = newCluster(t, 1, sim.Config{Seed: 1}, cfg)
	for id := range 4 {
		m.c.AddNode(sim.NodeConfig{Name: fmt.Sprintf("store%d", id+1), Main: m.listen})
	}
	m.c.StartAll()
	m.c.awaitLeader(t)
	return m
}

// listen is a store that hears for which regions it is asked.
func (m *model) listen(e *env.Env) func() {
	rpc.NewEndpoint(e).HandleRaw(rpc.ReportRegion, func(_ env.Addr, body []byte) {
		req := &pdpb.RegionHeartbeatResponse{}
		if err := req.Unmarshal(body); err != nil {
			panic(err)
		}
		m.asked = append(m.asked, req.RegionId)
	})
	return nil
}

// reports returns the regions that are reported now.
func (m *model) reports() (list []*modelRegion) {
	for i, r := range m.regions {
		now := fmt.Sprint(r.meta.RegionEpoch, r.term)
		turn := (i+len(m.regions)-m.turn)%len(m.regions) < m.asleep
		if m.asleep == 0 || turn || r.told != now || slices.Contains(m.asked, r.meta.Id) {
			r.told = now
			list = append(list, r)
		}
	}
	m.turn, m.asked = (m.turn+m.asleep)%max(len(m.regions), 1), nil
	return list
}

func (m *model) command(t *testing.T, td *datadriven.TestData) string {
	switch td.Cmd {
	case "stores":
		for _, arg := range td.CmdArgs {
			id, _ := strconv.ParseUint(arg.Key, 10, 64)
			m.stores = append(m.stores, &modelStore{id: id})
			m.putStore(t, id, metapb.StoreState_Up, false)
		}
	case "regions":
		m.regions = nil
		for line := range strings.Lines(td.Input) {
			m.regions = append(m.regions, readRegion(t, line))
		}
	case "run":
		d, err := time.ParseDuration(td.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		for range d / beat {
			m.beat(t)
		}
		return m.report()
	case "kill", "start", "deaf":
		for _, arg := range td.CmdArgs {
			s := m.store(t, arg.Key)
			s.down = td.Cmd == "kill" || td.Cmd == "deaf" && s.down
			s.deaf = td.Cmd == "deaf"
		}
	case "slow":
		m.store(t, td.CmdArgs[0].Key).slow = number(t, td, 1)
	case "offline":
		m.putStore(t, number(t, td, 0), metapb.StoreState_Offline, false)
	case "destroyed":
		m.putStore(t, number(t, td, 0), metapb.StoreState_Offline, true)
	case "up":
		m.putStore(t, number(t, td, 0), metapb.StoreState_Up, false)
	case "foreign":
		m.foreign(t, td)
	case "measure":
		m.measure(t, td)
	case "burden":
		m.burden = uint32(number(t, td, 0))
	case "abdicate":
		if err := m.c.Do(func() { m.server().leadership.operators.abandon() }); err != nil {
			t.Fatal(err)
		}
	case "failover":
		m.c.members[0].Crash(disk.ProcessKill)
		m.c.StartAll()
		m.c.awaitLeader(t)
	default:
		t.Fatalf("%s: unknown command %q", td.Pos, td.Cmd)
	}
	return m.flush()
}

// beat is how often everybody reports.
const beat = 100 * time.Millisecond

func (m *model) flush() string {
	text := m.out.String()
	m.out.Reset()
	return text
}

// report returns what has happened, and the regions and stores as they are.
func (m *model) report() string {
	for _, r := range m.regions {
		fmt.Fprintf(&m.out, "%s\n", r)
	}
	if s := m.server(); s != nil {
		for _, status := range s.Stores() {
			if status.Health != StoreUp {
				fmt.Fprintf(&m.out, "store %d is %v\n", status.Meta.Id, status.Health)
			}
		}
	}
	return m.flush()
}

func (m *model) server() *Server {
	if l := m.c.leader(); l != nil {
		return l.server
	}
	return nil
}

func (m *model) store(t *testing.T, id string) *modelStore {
	i := slices.IndexFunc(m.stores, func(s *modelStore) bool { return strconv.FormatUint(s.id, 10) == id })
	if i < 0 {
		t.Fatalf("no store %s", id)
	}
	return m.stores[i]
}

func (m *model) serving(id uint64) *modelStore {
	i := slices.IndexFunc(m.stores, func(s *modelStore) bool { return s.id == id && !s.down })
	if i < 0 {
		return nil
	}
	return m.stores[i]
}

func (m *model) header() *pdpb.RequestHeader { return &pdpb.RequestHeader{ClusterId: clusterID} }

func (m *model) putStore(t *testing.T, id uint64, state metapb.StoreState, destroyed bool) {
	req := &pdpb.PutStoreRequest{Header: m.header(), Store: &metapb.Store{
		Id: id, Address: fmt.Sprintf("store%d", id), State: state, PhysicallyDestroyed: destroyed,
	}}
	s := m.server()
	var resp *pdpb.PutStoreResponse
	s.env.Sched.Go("put store", func(task env.Task) { resp = s.handlePutStore(task, 0, req) })
	m.c.until(t, "store registered", func() bool { return resp != nil })
	if err := resp.Header.Error; err != nil {
		fmt.Fprintf(&m.out, "store %d: %s\n", id, err.Message)
	}
}

// beat lets all stores and leaders report once, and carry out what is answered.
func (m *model) beat(t *testing.T) {
	err := m.c.Do(func() {
		s := m.server()
		for _, st := range m.stores {
			if !st.down {
				m.storeHeartbeat(s, st)
			}
		}
		for _, r := range m.reports() {
			m.heartbeat(s, r)
		}
	})
	if err == nil {
		err = m.c.RunFor(beat)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) storeHeartbeat(s *Server, st *modelStore) {
	count := m.burden
	for _, r := range m.regions {
		if peerOn(r.meta, st.id) != nil {
			count++
		}
	}
	stats := &pdpb.StoreStats{StoreId: st.id, SlowScore: max(st.slow, 1), RegionCount: count}
	resp := s.handleStoreHeartbeat(0, &pdpb.StoreHeartbeatRequest{Header: m.header(), Stats: stats})
	if err := resp.Header.Error; err != nil {
		st.down = true
		fmt.Fprintf(&m.out, "store %d ends: %s\n", st.id, err.Message)
	}
}

// heartbeat reports a region, if its leader is up. A joint configuration is left
// at the next report, by the leader itself.
func (m *model) heartbeat(s *Server, r *modelRegion) {
	leader := peerByID(r.meta, r.leader)
	if leader == nil || m.serving(leader.StoreId) == nil {
		m.elect(r)
		return
	}
	req := &pdpb.RegionHeartbeatRequest{
		Header: m.header(), Region: r.meta, Leader: leader, Term: r.term, ApproximateSize: max(r.size, 1), ApproximateKeys: r.keys,
	}
	if r.unknown {
		req.ApproximateSize, req.ApproximateKeys = 0, 0
	}
	for _, p := range r.meta.Peers {
		if slices.Contains(r.pending, p.Id) || m.serving(p.StoreId) == nil && p.Role == metapb.PeerRole_Learner {
			req.PendingPeers = append(req.PendingPeers, p)
		}
	}
	resp := s.handleRegionHeartbeat(0, req)
	if st := m.serving(leader.StoreId); st == nil || st.deaf {
		return
	}
	if (&regionInfo{meta: r.meta}).inJoint() {
		r.change(m)
		return
	}
	m.obey(r, resp)
}

// elect makes the first voter that is up the leader, if a majority is.
func (m *model) elect(r *modelRegion) {
	var up []*metapb.Peer
	voters := 0
	for _, p := range r.meta.Peers {
		if p.Role == metapb.PeerRole_Learner {
			continue
		}
		voters++
		if m.serving(p.StoreId) != nil {
			up = append(up, p)
		}
	}
	if 2*len(up) > voters {
		r.leader = up[0].Id
		r.term++
	}
}

// obey carries out what is answered to a heartbeat.
func (m *model) obey(r *modelRegion, resp *pdpb.RegionHeartbeatResponse) {
	switch {
	case resp.TransferLeader != nil:
		fmt.Fprintf(&m.out, "  region %d: leader to store %d\n", r.meta.Id, resp.TransferLeader.Peer.StoreId)
		if m.serving(resp.TransferLeader.Peer.StoreId) != nil {
			r.leader = resp.TransferLeader.Peer.Id
			r.term++
		}
	case resp.ChangePeer != nil:
		r.change(m, resp.ChangePeer)
	case resp.ChangePeerV2 != nil:
		r.change(m, resp.ChangePeerV2.Changes...)
	case resp.SplitRegion != nil:
		fmt.Fprintf(&m.out, "  region %d: split\n", r.meta.Id)
		if !r.oneKey {
			m.split(r, string(r.meta.StartKey)+"a")
		}
	case resp.Merge != nil:
		fmt.Fprintf(&m.out, "  region %d: merge into %d\n", r.meta.Id, resp.Merge.Target.Id)
		r.into = resp.Merge.Target.Id
		meta := *r.meta
		meta.RegionEpoch = &metapb.RegionEpoch{Version: meta.RegionEpoch.Version + 1, ConfVer: meta.RegionEpoch.ConfVer + 1}
		r.meta = &meta
	case r.into != 0:
		m.merge(r, r.into)
	}
}
