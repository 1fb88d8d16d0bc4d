package cluster

import (
	"testing"

	"github.com/pingcap/kvproto/pkg/metapb"
)

// Goal: a store is not spared if a region of one or two voters has a peer there that is
// about to vote.
func TestGrowing(t *testing.T) {
	const voter, learner, incoming, demoting = metapb.PeerRole_Voter, metapb.PeerRole_Learner, metapb.PeerRole_IncomingVoter, metapb.PeerRole_DemotingVoter
	for _, c := range []struct {
		roles []metapb.PeerRole // of the peers on the stores from 1 on
		want  bool              // of store 1
	}{
		{[]metapb.PeerRole{learner, voter}, true},
		{[]metapb.PeerRole{learner, voter, voter}, true},
		{[]metapb.PeerRole{incoming, demoting, voter}, true},
		{[]metapb.PeerRole{learner, voter, voter, voter}, false}, // three of four are left
		{[]metapb.PeerRole{incoming, demoting, voter, voter}, false},
		{[]metapb.PeerRole{voter, voter}, false}, // needed already: quorums tell
		{[]metapb.PeerRole{voter, learner}, false},
	} {
		r := &metapb.Region{Id: 1}
		for i, role := range c.roles {
			id := uint64(i + 1)
			r.Peers = append(r.Peers, &metapb.Peer{Id: 10 + id, StoreId: id, Role: role})
		}
		if got := growing(r, 1); got != c.want {
			t.Errorf("%v: %v", c.roles, got)
		}
		if growing(r, 9) {
			t.Errorf("%v: a store that has no peer", c.roles)
		}
	}
}
