package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Auditor is told what raft does on each peer of this store, in the order in
// which it does. What raft promises holds of all peers of a region together, so
// that no store can check it; whoever sees all of them can. An auditor must
// neither change nor keep what it is shown, nor call the store.
type Auditor interface {
	// PeerStarted: this process has a peer. What its log holds follows by
	// EntryFound.
	PeerStarted(region *metapb.Region, peer uint64, st PeerStart)
	EntryFound(region, peer uint64, e *raftpb.Entry)
	// PeerAdvanced: raft has gone on.
	PeerAdvanced(region, peer uint64, a Advance)
	// Written: what raft has handed out up to here is durable: a hard state, and a
	// log that ends at an entry.
	Written(region, peer uint64, hard HardState, last LogPosition)
	// Sent: a message is about to leave for another store.
	Sent(region, peer uint64, m *raftpb.Message)
	// EntryApplied: an entry has taken effect, the same on every replica.
	EntryApplied(region, peer uint64, e *raftpb.Entry, effect Effect)
	// RegionChanged: the entry at an index, or a snapshot of that index, has made
	// the region what it is.
	RegionChanged(region *metapb.Region, peer, index uint64)
	// PeerEnded: the peer was removed and destroyed.
	PeerEnded(region, peer uint64)
	// ReadBegan is asked when a read begins. What it returns is handed to
	// ReadServed, when a view of what the peer has applied is given to the reader.
	ReadBegan(region uint64) uint64
	ReadServed(region, peer, began, applied uint64)
}

// LogPosition is the place of an entry in a log.
type LogPosition struct{ Index, Term uint64 }

// HardState is what a peer must not forget.
type HardState struct{ Term, Vote, Commit uint64 }

// Effect is what an entry has done to the data of a region.
type Effect struct {
	// Refused: it came too late for the region as it is now, and did nothing.
	Refused bool
	// Writes are the encoded writes of a command that is not one for the region
	// itself.
	Writes []byte
}

// PeerStart is with what a peer begins in a process.
type PeerStart struct {
	// Hard is its hard state, Written the part of it that is durable by itself:
	// what completes it follows from other records that are.
	Hard, Written HardState
	// Base is the entry before the first of its log, and Last the index of the
	// last.
	Base LogPosition
	Last uint64
}

// Advance is what raft has decided on one peer since it was last asked.
type Advance struct {
	HardState
	// Snapshot is where the log begins anew, zero if it does not.
	Snapshot LogPosition
	// Entries take the place of what the log has from the first of them on.
	Entries []*raftpb.Entry
	// Elected: the peer has become leader in the term.
	Elected bool
}

// auditStart shows a peer that this process has from now on.
func (p *peer) auditStart() {
	l := &p.log
	p.s.cfg.Auditor.PeerStarted(p.region, p.id, PeerStart{
		Hard: l.hard.shown(), Written: l.written.shown(),
		Base: LogPosition{l.truncatedIndex, l.truncatedTerm}, Last: l.lastIndex,
	})
}

// auditReady shows what raft has decided, before anything is done about it.
func (p *peer) auditReady(rd *raft.Ready) {
	h := p.log.hard
	if !raft.IsEmptyHardState(rd.HardState) {
		h = hardState{rd.HardState.GetTerm(), rd.HardState.GetVote(), rd.HardState.GetCommit()}
	} else if rd.SoftState == nil && len(rd.Entries) == 0 {
		return // messages only
	}
	a := Advance{HardState: h.shown(), Entries: rd.Entries}
	if meta := rd.Snapshot.GetMetadata(); meta.GetIndex() != 0 {
		a.Snapshot = LogPosition{meta.GetIndex(), meta.GetTerm()}
	}
	a.Elected = rd.SoftState != nil && rd.SoftState.RaftState == raft.StateLeader && !p.isLeader()
	p.s.cfg.Auditor.PeerAdvanced(p.regionID, p.id, a)
}

// auditWritten shows what of a peer is durable.
func (p *peer) auditWritten() {
	l := &p.log
	p.s.cfg.Auditor.Written(p.regionID, p.id, l.written.shown(), LogPosition{l.lastIndex, l.lastTerm})
}

func (a hardState) shown() HardState { return HardState{a.term, a.vote, a.commit} }

type noAuditor struct{}

func (noAuditor) PeerStarted(*metapb.Region, uint64, PeerStart)      {}
func (noAuditor) EntryFound(uint64, uint64, *raftpb.Entry)           {}
func (noAuditor) PeerAdvanced(uint64, uint64, Advance)               {}
func (noAuditor) Written(uint64, uint64, HardState, LogPosition)     {}
func (noAuditor) Sent(uint64, uint64, *raftpb.Message)               {}
func (noAuditor) EntryApplied(uint64, uint64, *raftpb.Entry, Effect) {}
func (noAuditor) RegionChanged(*metapb.Region, uint64, uint64)       {}
func (noAuditor) PeerEnded(uint64, uint64)                           {}
func (noAuditor) ReadBegan(uint64) uint64                            { return 0 }
func (noAuditor) ReadServed(region, peer, began, applied uint64)     {}
