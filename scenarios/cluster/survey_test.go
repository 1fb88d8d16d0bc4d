package cluster

import (
	"testing"

	"github.com/pingcap/kvproto/pkg/metapb"
)

// The keys of a region that is gone belong to others, of newer versions; one of
// which every replica is lost is not gone as long as nobody has its keys.
func TestOutlived(t *testing.T) {
	region := func(id, version uint64, start, end string, replicas int) *regionView {
		return &regionView{
			newest: &metapb.Region{
				Id: id, StartKey: []byte(start), EndKey: []byte(end), Peers: []*metapb.Peer{{Id: id + 1}},
				RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: version},
			},
			replicas: make([]*located, replicas),
		}
	}
	for _, c := range []struct {
		name  string
		other *regionView
		want  bool
	}{
		{"a newer one has its keys", region(9, 5, "a", "m", 3), true},
		{"a newer one has a part of them", region(9, 5, "e", "f", 3), true},
		{"a newer one has other keys", region(9, 5, "m", "z", 3), false},
		{"an older one had them", region(9, 3, "a", "z", 3), false},
		{"a newer one that is lost too", region(9, 5, "a", "m", 0), false},
	} {
		gone := region(4, 4, "d", "g", 0)
		if got := gone.outlived([]*regionView{gone, c.other}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if alive := region(4, 4, "d", "g", 1); alive.outlived([]*regionView{alive, c.other}) {
			t.Errorf("%s: a region with a replica is outlived", c.name)
		}
	}
}

// A quorum of a joint configuration is one of each of its halves.
func TestVotes(t *testing.T) {
	const (
		voter    = metapb.PeerRole_Voter
		incoming = metapb.PeerRole_IncomingVoter
		leaving  = metapb.PeerRole_DemotingVoter
		learner  = metapb.PeerRole_Learner
	)
	for _, c := range []struct {
		roles []metapb.PeerRole
		alive []bool
		want  bool
	}{
		{[]metapb.PeerRole{voter, voter, voter}, []bool{true, true, false}, true},
		{[]metapb.PeerRole{voter, voter, voter}, []bool{true, false, false}, false},
		{[]metapb.PeerRole{voter, voter, voter, voter}, []bool{true, true, false, false}, false},
		{[]metapb.PeerRole{voter, voter, voter, learner}, []bool{true, false, false, true}, false},
		{[]metapb.PeerRole{voter, voter, incoming, leaving}, []bool{true, true, false, false}, true},
		{[]metapb.PeerRole{voter, incoming, incoming, leaving, leaving}, []bool{true, true, false, false, false}, false},
		{[]metapb.PeerRole{voter, incoming, incoming, leaving, leaving}, []bool{true, true, false, false, true}, true},
		{[]metapb.PeerRole{}, nil, false},
	} {
		r := &metapb.Region{}
		for i, role := range c.roles {
			r.Peers = append(r.Peers, &metapb.Peer{Id: uint64(i), Role: role})
		}
		if got := votesOf(r, func(p *metapb.Peer) bool { return c.alive[p.Id] }).quorum(); got != c.want {
			t.Errorf("%v of %v: %v", c.alive, c.roles, got)
		}
	}
}
