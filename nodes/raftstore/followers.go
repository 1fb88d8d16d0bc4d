package raftstore

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// Follower is what a leader knows of another member of its region.
type Follower struct {
	Peer uint64
	// Match is the index up to which its log is known to be the leader's.
	Match uint64
	// Snapshot is the index of a snapshot that is on its way to it, 0 if there is
	// none.
	Snapshot uint64
	// Active: it has answered lately.
	Active bool
}

// Followers describes the other members of a region that this store leads, in the
// order in which raft has them; nil if it does not lead it.
func (s *Store) Followers(region uint64) (list []Follower) {
	p := s.byRegion[region]
	if p == nil || p.destroyed || !p.isLeader() {
		return nil
	}
	p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if id == p.id {
			return
		}
		f := Follower{Peer: id, Match: pr.Match, Active: pr.RecentActive}
		if pr.State == tracker.StateSnapshot {
			f.Snapshot = pr.PendingSnapshot
		}
		list = append(list, f)
	})
	return list
}
