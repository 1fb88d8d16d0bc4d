package placement

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
)

// readRegion reads a region as String prints it:
//
//	ID[START,END) VERSION.CONFVER PEER@STORE[*][L][?]... [keys=N] [size=N] [one-key]
//
// where * is the leader, L a learner, + and - are those of a joint configuration,
// and ? lags behind for ever. "-" is an open end. What is in one-key cannot be split:
// all of it is versions of one key.
func readRegion(t *testing.T, line string) *modelRegion {
	f := strings.Fields(line)
	r := &modelRegion{meta: &metapb.Region{RegionEpoch: &metapb.RegionEpoch{}}, term: 1}
	head, keys, _ := strings.Cut(strings.TrimSuffix(f[0], ")"), "[")
	start, end, _ := strings.Cut(keys, ",")
	if _, err := fmt.Sscanf(head+" "+f[1], "%d %d.%d", &r.meta.Id, &r.meta.RegionEpoch.Version, &r.meta.RegionEpoch.ConfVer); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	r.meta.StartKey, r.meta.EndKey = []byte(start), []byte(end)
	for _, arg := range f[2:] {
		if arg == "one-key" {
			r.oneKey = true
			continue
		}
		if name, value, ok := strings.Cut(arg, "="); ok {
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if name == "keys" {
				r.keys = n
			} else {
				r.size = n
			}
			continue
		}
		p := &metapb.Peer{}
		body := strings.TrimRight(arg, "*L?+-")
		if _, err := fmt.Sscanf(body, "%d@%d", &p.Id, &p.StoreId); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, sign := range arg[len(body):] {
			switch sign {
			case '*':
				r.leader = p.Id
			case 'L':
				p.Role = metapb.PeerRole_Learner
			case '+':
				p.Role = metapb.PeerRole_IncomingVoter
			case '-':
				p.Role = metapb.PeerRole_DemotingVoter
			case '?':
				r.pending = append(r.pending, p.Id)
			}
		}
		r.meta.Peers = append(r.meta.Peers, p)
	}
	return r
}

func (r *modelRegion) String() string {
	text := fmt.Sprintf("%d[%s,%s) %d.%d", r.meta.Id, r.meta.StartKey, r.meta.EndKey, r.meta.RegionEpoch.Version, r.meta.RegionEpoch.ConfVer)
	for _, p := range r.meta.Peers {
		text += fmt.Sprintf(" %d@%d", p.Id, p.StoreId)
		if p.Id == r.leader {
			text += "*"
		}
		text += map[metapb.PeerRole]string{
			metapb.PeerRole_Learner: "L", metapb.PeerRole_IncomingVoter: "+", metapb.PeerRole_DemotingVoter: "-",
		}[p.Role]
		if slices.Contains(r.pending, p.Id) {
			text += "?"
		}
	}
	return text
}

// change changes the members as the stores do: none leaves a joint configuration,
// several enter one.
func (r *modelRegion) change(m *model, changes ...*pdpb.ChangePeer) {
	meta := *r.meta
	epoch := *r.meta.RegionEpoch
	meta.RegionEpoch = &epoch
	meta.Peers = nil
	for _, p := range r.meta.Peers {
		c := *p
		meta.Peers = append(meta.Peers, &c)
	}
	for _, c := range changes {
		fmt.Fprintf(&m.out, "  region %d: %v %d@%d\n", meta.Id, c.ChangeType, c.Peer.Id, c.Peer.StoreId)
		changeModel(&meta, c, len(changes) > 1)
		epoch.ConfVer++
	}
	if len(changes) == 0 {
		fmt.Fprintf(&m.out, "  region %d: leaves the joint configuration\n", meta.Id)
		for _, p := range meta.Peers {
			switch p.Role {
			case metapb.PeerRole_IncomingVoter:
				p.Role = metapb.PeerRole_Voter
				epoch.ConfVer++
			case metapb.PeerRole_DemotingVoter:
				p.Role = metapb.PeerRole_Learner
				epoch.ConfVer++
				if p.Id == r.leader {
					r.leader = 0 // it has handed over
				}
			case metapb.PeerRole_Voter, metapb.PeerRole_Learner:
			}
		}
	}
	r.meta = &meta
	if r.leader == 0 {
		m.elect(r)
	}
}

func changeModel(meta *metapb.Region, c *pdpb.ChangePeer, joint bool) {
	i := slices.IndexFunc(meta.Peers, func(p *metapb.Peer) bool { return p.Id == c.Peer.Id })
	roles := map[eraftpb.ConfChangeType]metapb.PeerRole{
		eraftpb.ConfChangeType_AddNode: metapb.PeerRole_Voter, eraftpb.ConfChangeType_AddLearnerNode: metapb.PeerRole_Learner,
	}
	if joint {
		roles[eraftpb.ConfChangeType_AddNode] = metapb.PeerRole_IncomingVoter
		roles[eraftpb.ConfChangeType_AddLearnerNode] = metapb.PeerRole_DemotingVoter
	}
	switch {
	case c.ChangeType == eraftpb.ConfChangeType_RemoveNode:
		meta.Peers = slices.Delete(meta.Peers, i, i+1)
	case i < 0:
		meta.Peers = append(meta.Peers, &metapb.Peer{Id: c.Peer.Id, StoreId: c.Peer.StoreId, Role: roles[c.ChangeType]})
	default:
		meta.Peers[i].Role = roles[c.ChangeType]
	}
}

// split gives the second half of a region to a new one.
func (m *model) split(r *modelRegion, key string) {
	left, right := *r.meta, *r.meta
	epoch := &metapb.RegionEpoch{Version: r.meta.RegionEpoch.Version + 1, ConfVer: r.meta.RegionEpoch.ConfVer}
	left.RegionEpoch, right.RegionEpoch = epoch, epoch
	left.EndKey, right.StartKey = []byte(key), []byte(key)
	right.Id += 1000
	right.Peers = nil
	leader := uint64(0)
	for _, p := range r.meta.Peers {
		right.Peers = append(right.Peers, &metapb.Peer{Id: p.Id + 1000, StoreId: p.StoreId, Role: p.Role})
		if p.Id == r.leader {
			leader = p.Id + 1000
		}
	}
	r.meta = &left
	r.size, r.keys = r.size/2, r.keys/2
	i := slices.Index(m.regions, r)
	m.regions = slices.Insert(m.regions, i+1, &modelRegion{meta: &right, leader: leader, size: r.size, keys: r.keys, term: 1})
}

// merge gives the range of a region to its neighbour.
func (m *model) merge(r *modelRegion, target uint64) {
	i := slices.IndexFunc(m.regions, func(r *modelRegion) bool { return r.meta.Id == target })
	into := m.regions[i]
	meta := *into.meta
	meta.RegionEpoch = &metapb.RegionEpoch{
		Version: max(meta.RegionEpoch.Version, r.meta.RegionEpoch.Version) + 1, ConfVer: meta.RegionEpoch.ConfVer,
	}
	if string(meta.EndKey) == string(r.meta.StartKey) {
		meta.EndKey = r.meta.EndKey
	} else {
		meta.StartKey = r.meta.StartKey
	}
	into.meta = &meta
	into.size, into.keys = into.size+r.size, into.keys+r.keys
	m.regions = slices.DeleteFunc(m.regions, func(other *modelRegion) bool { return other == r })
}

// measure sets what the leader of a region knows of its size.
func (m *model) measure(t *testing.T, td *datadriven.TestData) {
	id := number(t, td, 0)
	r := m.regions[slices.IndexFunc(m.regions, func(r *modelRegion) bool { return r.meta.Id == id })]
	r.unknown = td.CmdArgs[1].Key == "off"
	if !r.unknown {
		r.keys = number(t, td, 1)
	}
}

// foreign changes a region without being asked.
func (m *model) foreign(t *testing.T, td *datadriven.TestData) {
	id := number(t, td, 0)
	i := slices.IndexFunc(m.regions, func(r *modelRegion) bool { return r.meta.Id == id })
	r := m.regions[i]
	what := td.CmdArgs[1].Key
	switch what {
	case "split":
		m.split(r, td.CmdArgs[2].Key)
		return
	case "merge":
		m.merge(r, number(t, td, 2))
		return
	}
	p := &metapb.Peer{}
	if _, err := fmt.Sscanf(td.CmdArgs[2].Key, "%d@%d", &p.Id, &p.StoreId); err != nil {
		t.Fatal(err)
	}
	kind := map[string]eraftpb.ConfChangeType{
		"add": eraftpb.ConfChangeType_AddNode, "add-learner": eraftpb.ConfChangeType_AddLearnerNode, "remove": eraftpb.ConfChangeType_RemoveNode,
	}[what]
	r.change(m, &pdpb.ChangePeer{ChangeType: kind, Peer: p})
}
