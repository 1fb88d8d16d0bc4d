package cluster

import (
	"testing"

	"github.com/pingcap/kvproto/pkg/eraftpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/raftstore"
)

// Goal: a move leaves no region with fewer voters than there should be where disks
// get lost, though the region of the key may be another one than that for which it
// was begun, and have both stores for voters. The method: what it would do next is
// looked at, of a region of voters on the stores 1 to n that store 1 leads.
func TestMoveBetweenVoters(t *testing.T) {
	for _, c := range []struct {
		voters, atLeast int
		want            eraftpb.ConfChangeType // of store 2
		changes         int
	}{
		{3, 3, 0, 0}, // one of them may be lost: it waits
		{3, 0, eraftpb.ConfChangeType_RemoveNode, 1},
		{4, 3, eraftpb.ConfChangeType_AddLearnerNode, 1}, // demoted first
		{5, 3, eraftpb.ConfChangeType_RemoveNode, 1},
		{5, 5, 0, 0},
	} {
		v := view{leader: &store{id: 1}, status: raftstore.RegionInfo{Region: &metapb.Region{}}}
		for i := range c.voters {
			id := uint64(i + 1)
			v.status.Region.Peers = append(v.status.Region.Peers, &metapb.Peer{Id: 10 + id, StoreId: id})
		}
		changes, over := move(2, 3, c.atLeast)(v)
		if over || len(changes) != c.changes || len(changes) > 0 && (changes[0].ChangeType != c.want || changes[0].Peer.StoreId != 2) {
			t.Errorf("of %d voters, %d at least: %v, %v", c.voters, c.atLeast, changes, over)
		}
	}
}
