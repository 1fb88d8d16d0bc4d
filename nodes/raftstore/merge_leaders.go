package raftstore

import (
	"cmp"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// A merge comes about only under leaders that have the entries from MinIndex on,
// those that the slowest peer of the source may lack. Whoever leads the source
// has to send them, for a region that is merging makes no snapshots; and the store
// that leads the target has to put them into the CommitMerge. A peer that was
// itself restored by a snapshot before the merge may lack them. A leader like that
// passes its leadership on.
//
// It knows how far the logs of the others reach, but not where they begin. So there
// is nothing to choose by: it offers the leadership to one voter after the other,
// each time to the next, and so does whoever gets it and is of no use either.
// Leaders may well come back to where they were, but not for ever: as everyone goes
// on where it has left off, nobody is offered the leadership again and again
// without everybody being offered it whom it can reach. (It is the walk of a
// rotor-router, which comes to each node of a graph.) There the walk ends, for a
// leader that can feed all peers refuses no snapshot, and one that can propose
// CommitMerge does.
//
// There is such a one: the peer that has proposed PrepareMerge. Its log began
// before MinIndex (checkGap), and is not compacted until the merge is decided. If
// a loss of power has taken the end of it, it still reaches as far as any snapshot
// that was made before, and so is fed in its turn by whoever leads. If that store
// is gone for good, and with it all that have the entries, the merge waits for the
// target to go on.

// passSourceOn is called when the leader of a source had to refuse a snapshot.
func (p *peer) passSourceOn() {
	markMergePassedOn.Sometimes(p.passOn(nil))
}

// passTargetOn is called when this store leads the target and has not got what
// CommitMerge has to carry. A store whose source has not prepared the merge would
// not propose it. Only the leader of the source knows such stores; others come upon
// them, and the merge waits there until the source's leader has fed that peer.
func (p *peer) passTargetOn(t *peer) {
	unprepared := map[uint64]bool{}
	if p.isLeader() {
		p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
			unprepared[peerByID(p.region, id).GetStoreId()] = pr.Match < p.merge.state.GetCommit()
		})
	}
	t.passOn(unprepared)
}

// passOn offers the leadership to the next voter, in the order of their ids, that
// follows the log and is not on one of the stores to be skipped, unless an offer
// is under way. It reports whether it has.
func (p *peer) passOn(skip map[uint64]bool) bool {
	if p.triedToHandOver() {
		return false
	}
	last := cmp.Or(p.merge.heir, p.id)
	first, next := uint64(0), uint64(0)
	p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		to := peerByID(p.region, id)
		follows := id != p.id && to != nil && staysVoter(to) && pr.RecentActive && pr.State == tracker.StateReplicate
		if !follows || markMergeSkipsHeir.Sometimes(skip[to.GetStoreId()]) {
			return
		}
		if first == 0 {
			first = id
		}
		if next == 0 && id > last {
			next = id
		}
	})
	heir := cmp.Or(next, first)
	if heir == 0 {
		return false // raft forgets now and then who is active; the next tick will tell
	}
	p.merge.heir = heir
	p.handOverTo(heir)
	return true
}
