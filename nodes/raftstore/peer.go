package raftstore

import (
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// peer is this store's replica of one region.
type peer struct {
	s        *Store
	regionID uint64
	id       uint64
	// region is as of the last applied entry, meta this peer in it. Of an
	// uninitialised peer they hold only ids.
	region *metapb.Region
	meta   *metapb.Peer
	node   *raft.RawNode
	log    logStorage

	// The state of raft as of the last Ready.
	role   raft.StateType
	leader uint64 // peer id, 0 if unknown
	// termStart is the index of the first entry of the term in which this peer is
	// leader, 0 if it is not.
	termStart uint64

	// applied is the index of the last applied entry, appliedTerm its term.
	applied, appliedTerm uint64
	// applying is the size of what waits to be applied, backlog what waits to be
	// durable in the log.
	applying int
	backlog  backlog
	// size and keys estimate the data in the region, in bytes and entries: as they
	// were measured last, or not yet, and what was written since. measured says that
	// it is so: then there is no more than that. grown and grownKeys are what was
	// written since the region was last looked at, touched whether anything has
	// changed since, be it by deletions.
	size, keys       uint64
	measured         bool
	grown, grownKeys uint64
	touched          bool

	proposals proposals
	reads     reads
	lease     lease
	merge     merge
	// promise is the instant of the monotonic clock until which the peer grants no
	// vote.
	promise time.Duration
	// offered are snapshots that raft was given in this turn to send, received are
	// those that it was given to accept.
	offered  []*outgoing
	received []*receivedSnapshot
	// outgoing is the snapshot that is offered when raft asks for one, restored the
	// one that raft has accepted and that is not applied yet. completing names the
	// one that an earlier process had begun to apply.
	outgoing   *outgoing
	restored   *receivedSnapshot
	completing snapshotID
	// compacting is the index up to which a compaction was proposed.
	compacting uint64

	// links lead to the other members, strangers are peers from which this one has
	// heard and which it does not know as members yet.
	links     []link
	strangers []*metapb.Peer
	inquiry   inquiry

	// seenConfVer is, of an uninitialised peer, the newest version of a
	// configuration of which it was a member, as messages say.
	seenConfVer uint64
	// contact is the tick at which a leader was last heard of, handedOver the one
	// at which a leader that is demoted, or of no use to a merge, has last tried to
	// hand over.
	contact, handedOver int
	// jointTerm is the term in which this process has seen the region enter its
	// last joint configuration.
	jointTerm uint64
	// restoring is the index of the last snapshot that raft has accepted.
	restoring uint64

	// told is what the placement driver was last told of the peer, and has heard.
	told report

	tick  tickCount
	sleep sleep
	// heir is the peer that was asked by order of the placement driver whether it can
	// take over, and has not answered; 0 for none.
	heir uint64

	dirty bool
	// destroyed: the peer does nothing any more. It keeps its place until that is
	// durable.
	destroyed bool
}

func (s *Store) newPeer(region *metapb.Region, meta *metapb.Peer) *peer {
	invariant.Check(meta.GetId() != 0 && meta.GetStoreId() == s.id,
		"raftstore: store %d: region %v has no peer here", s.id, region)
	p := &peer{s: s, regionID: region.GetId(), id: meta.GetId(), region: region, meta: meta, contact: s.ticks}
	p.tick.done, p.sleep.stirred = s.ticks, s.ticks
	p.log.p = p
	p.log.cache.countMax, p.log.cache.bytesMax = s.cfg.EntryCacheCount, s.cfg.EntryCacheBytes
	return p
}

// String names the peer in messages.
func (p *peer) String() string {
	if p == nil {
		return "no peer"
	}
	return fmt.Sprintf("region %d peer %d store %d", p.regionID, p.id, p.s.id)
}

// startRaft makes the raft node from the loaded log.
func (p *peer) startRaft() {
	node, err := raft.NewRawNode(&raft.Config{
		ID:                        p.id,
		ElectionTick:              p.s.cfg.ElectionTick,
		HeartbeatTick:             p.s.cfg.HeartbeatTick,
		Storage:                   &p.log,
		Applied:                   p.applied,
		AsyncStorageWrites:        true,
		MaxSizePerMsg:             p.s.cfg.MaxSizePerMsg,
		MaxInflightMsgs:           p.s.cfg.MaxInflightMsgs,
		MaxInflightBytes:          p.s.cfg.MaxInflightBytes,
		MaxUncommittedEntriesSize: p.s.cfg.MaxUncommittedBytes,
		CheckQuorum:               true,
		PreVote:                   true,
		ReadOnlyOption:            raft.ReadOnlySafe,
		DisableProposalForwarding: true,
		Logger:                    raftLogger{p.s},
	})
	invariant.Check(err == nil, "raftstore: %s: %v", p, err)
	p.node = node
	p.s.markDirty(p) // there may be committed entries to apply
}

// confState returns the members in raft's form.
func (p *peer) confState() *raftpb.ConfState {
	return confStateOf(p.region)
}

func (p *peer) isLeader() bool { return p.role == raft.StateLeader }

// term and commit are as of the last Ready.
func (p *peer) term() uint64   { return p.log.hard.term }
func (p *peer) commit() uint64 { return p.log.hard.commit }

// committedInTerm reports whether an entry of the leader's own term is
// committed: only then does it know what was committed before.
func (p *peer) committedInTerm() bool { return p.termStart != 0 && p.commit() >= p.termStart }

// member returns a peer of the region, nil if it is not known.
func (p *peer) member(id uint64) *metapb.Peer {
	if q := peerByID(p.region, id); q != nil {
		return q
	}
	for _, q := range p.strangers {
		if q.GetId() == id {
			return q
		}
	}
	return nil
}

// notLeader is the error for requests that only a leader serves.
func (p *peer) notLeader() *errorpb.Error {
	leader := peerByID(p.region, p.leader)
	if p.leader == p.id {
		leader = nil // no longer, or not yet
	}
	return errNotLeader(p.regionID, leader)
}
