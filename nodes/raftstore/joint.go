package raftstore

import (
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// tendMembers is called at every tick of a leader. It leaves a joint
// configuration, whoever has entered it; and a leader that is not to vote any
// longer hands its leadership over, since afterwards it could not lead.
func (p *peer) tendMembers() {
	if p.destroyed || p.appliedTerm != p.term() {
		return
	}
	switch {
	case !staysVoter(p.meta):
		if !p.triedToHandOver() {
			p.handOver()
		}
	case inJoint(p.region) && !p.changing():
		_, _, regionErr := p.proposeChange(nil)
		markLeaveByAnother.Sometimes(regionErr == nil && p.jointTerm != p.term())
	}
}

// handOver transfers the leadership to the voter with the longest log, the
// first of them if there are several.
func (p *peer) handOver() {
	best, match := uint64(0), uint64(0)
	p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if to := peerByID(p.region, id); to != nil && id != p.id && staysVoter(to) && pr.RecentActive && pr.Match > match {
			best, match = id, pr.Match
		}
	})
	// Raft forgets now and then who is active; the next tick will tell.
	if best != 0 {
		markHandedOver.Reached()
		p.handOverTo(best)
	}
}

func (p *peer) handOverTo(heir uint64) {
	p.handedOver = p.s.ticks
	p.stir()
	p.node.TransferLeader(heir)
	p.s.markDirty(p)
}

// triedToHandOver reports whether the peer has tried to hand over within the time
// for which raft goes on trying.
func (p *peer) triedToHandOver() bool {
	return p.handedOver != 0 && p.s.ticks-p.handedOver < p.s.cfg.ElectionTick
}

// pendingPeers are the members that lack entries which the log no longer has:
// they wait for a snapshot. So does one of which raft has yet to hear.
func (p *peer) pendingPeers() []*metapb.Peer {
	var follows []uint64
	p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if pr.Match >= p.log.truncatedIndex {
			follows = append(follows, id)
		}
	})
	var pending []*metapb.Peer
	for _, q := range p.region.GetPeers() {
		if q.GetId() != p.id && !slices.Contains(follows, q.GetId()) {
			pending = append(pending, q)
		}
	}
	return pending
}
