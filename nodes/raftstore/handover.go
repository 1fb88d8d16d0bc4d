package raftstore

import (
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// A leader that hands over takes no proposals until that has come about, or an
// election timeout has passed. The placement driver knows stores by their own
// heartbeats, and one that hears nobody sends them like any other: it has fewer
// leaders than all others before long, so that it is offered one region after the
// other, and each offer would be an outage of the region. So by order of the
// placement driver a leader hands over only to a peer that has said, in this term and
// since the order, that it hears the leader (TiKV, pre_transfer_leader in
// components/raftstore/src/store/peer.rs: MsgTransferLeader goes to the follower and
// back before raft is told). Until then the region is served.

//nolint:gochecknoglobals // marks register once
var (
	markHeirAnswered = invariant.NewMark("raftstore: peer that is to take over says that it is there")
	markHeirSilent   = invariant.NewMark("raftstore: peer that is to take over has not answered, and is asked again")
)

// orderTransfer begins to hand the region over as soon as the peer says that it is
// there. If it does not, the placement driver will give another order.
func (p *peer) orderTransfer(toPeer uint64) *errorpb.Error {
	if refusal := p.refusesHeir(toPeer); refusal != nil || toPeer == p.id {
		return refusal
	}
	markHeirSilent.Sometimes(p.heir == toPeer)
	p.heir = toPeer
	p.sendTransferLeader(toPeer)
	return nil
}

// refusesHeir says why a leader cannot hand over to a peer.
func (p *peer) refusesHeir(id uint64) *errorpb.Error {
	to := peerByID(p.region, id)
	switch {
	case to == nil:
		return errMismatchPeer(id, p.id)
	case !staysVoter(to):
		return errStaleCommand("the peer is no voter, or will not be")
	}
	return nil
}

// onTransferLeader is asked by the leader whether the peer is there, or told by the
// peer that it is. A peer that sleeps goes on sleeping: raft wakes it.
func (p *peer) onTransferLeader(from *metapb.Peer, m *raftpb.Message) {
	switch {
	case m.GetTerm() != p.term():
	case p.isLeader() && p.heir == from.GetId():
		p.heir = 0
		markHeirAnswered.Reached()
		markOrderTransfer.Sometimes(p.s.TransferLeader(p.regionID, from.GetId()) == nil)
	case !p.isLeader() && p.leader == from.GetId():
		p.sendTransferLeader(from.GetId())
	}
}

func (p *peer) sendTransferLeader(to uint64) {
	term := p.term()
	p.s.outbox.add(p, &raftpb.Message{Type: raftpb.MsgTransferLeader.Enum(), From: &p.id, To: &to, Term: &term})
}
