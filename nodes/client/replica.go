package client

import (
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markReplicaAsked = invariant.NewMark("client: read sent to a follower")
	markReplicaLeft  = invariant.NewMark("client: read sent to the leader after a follower was asked")
)

// choosePeerFor returns the peer that a request goes to. The share of reads that
// the configuration says goes to one that is believed not to lead, each time to
// any of them. What it answers is no older than what the leader would have
// answered. Only the first attempt goes there: the leader's word is what ends the
// search for it.
func (c *Client) choosePeerFor(b *backoff, r *region, m rpc.Method) *metapb.Peer {
	others := len(r.meta.Peers) - 1
	if c.cfg.ReplicaRead == 0 || !isRead(m) || others < 1 || c.replicas.IntN(perMille) >= c.cfg.ReplicaRead {
		return r.peer()
	}
	if markReplicaLeft.Sometimes(b.replicaAsked) {
		return r.peer()
	}
	peer := r.meta.Peers[(r.at+1+c.replicas.IntN(others))%len(r.meta.Peers)]
	if peer.IsWitness || c.isSuspect(peer.StoreId, 0) {
		return r.peer()
	}
	b.replicaAsked = true
	markReplicaAsked.Reached()
	return peer
}

const perMille = 1000

// isRead reports whether a request reads data and nothing else, at one instant
// or at one timestamp, so that a follower can serve it.
func isRead(m rpc.Method) bool {
	switch m {
	case rpc.RawGet, rpc.RawBatchGet, rpc.RawScan, rpc.KvGet, rpc.KvBatchGet, rpc.KvScan:
		return true
	default:
		return false
	}
}
