package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/pingcap/kvproto/pkg/metapb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/checker/consensus"
	"simrun/nodes/raftstore"
)

// promises compares what raft does on all stores, or on all placement members, at
// the same true instant, as nobody inside the system could.
type promises struct {
	ledger *consensus.Ledger
	// messages of raft, and proposals that leaders have taken into their logs.
	messages, proposals uint64
}

// newPromises returns the promises of groups of a kind; the first that is broken
// ends the run.
func newPromises(kind string) *promises {
	return &promises{ledger: consensus.New(func(b consensus.Breach) {
		b.Message = kind + ": " + b.Message
		panic(b)
	})}
}

// Replication counts what the raft groups of a cluster have done.
type Replication struct {
	Proposals uint64 // that leaders have taken into their logs, without the empty entry of each term
	Messages  uint64 // sent to others
	Commits   uint64 // entries that were committed
}

// Replication counts the work of all regions and of the placement driver.
func (c *Cluster) Replication() Replication {
	a, b := c.regionPromises, c.placementPromises
	return Replication{
		Proposals: a.proposals + b.proposals, Messages: a.messages + b.messages,
		Commits: a.ledger.Counts().Commits + b.ledger.Counts().Commits,
	}
}

// auditor hears what one process tells of its peers.
type auditor struct {
	*promises
	node string
}

func peerOf(region, peer uint64) consensus.Peer { return consensus.Peer{Group: region, ID: peer} }

// PeerStarted implements raftstore.Auditor.
func (a *auditor) PeerStarted(region *metapb.Region, peer uint64, st raftstore.PeerStart) {
	p := peerOf(region.Id, peer)
	a.ledger.Started(p, a.node, consensus.Start{
		Hard: consensus.HardState(st.Hard), Written: consensus.HardState(st.Written),
		Base: consensus.Position(st.Base), Last: st.Last,
	})
	if len(region.Peers) > 0 {
		a.configured(region, peer, 0)
	}
}

// EntryFound implements raftstore.Auditor.
func (a *auditor) EntryFound(region, peer uint64, e *raftpb.Entry) {
	a.ledger.Found(peerOf(region, peer), EntryOf(e))
}

// PeerAdvanced implements raftstore.Auditor.
func (a *auditor) PeerAdvanced(region, peer uint64, adv raftstore.Advance) {
	p, l := peerOf(region, peer), a.ledger
	l.Promised(p, adv.Term, adv.Vote)
	if adv.Snapshot.Index != 0 {
		l.Restored(p, consensus.Position(adv.Snapshot))
	}
	leads := adv.Elected || len(adv.Entries) > 0 && l.Leads(p)
	for _, e := range adv.Entries {
		l.Appended(p, EntryOf(e))
		if leads && len(e.GetData()) > 0 {
			a.proposals++
		}
	}
	l.Committed(p, adv.Commit)
	if adv.Elected {
		l.Elected(p, adv.Term)
	}
}

// Written implements raftstore.Auditor.
func (a *auditor) Written(region, peer uint64, hard raftstore.HardState, last raftstore.LogPosition) {
	a.ledger.Durable(peerOf(region, peer), consensus.HardState(hard), consensus.Position(last))
}

// Sent implements raftstore.Auditor: votes and acknowledgements are what others
// rely on. Who asks for votes says that it has given its own to itself.
func (a *auditor) Sent(region, peer uint64, m *raftpb.Message) {
	a.messages++
	if m.GetReject() {
		return
	}
	switch m.GetType() {
	case raftpb.MsgVoteResp:
		a.ledger.Voted(peerOf(region, peer), m.GetTerm(), m.GetTo())
	case raftpb.MsgVote:
		a.ledger.Voted(peerOf(region, peer), m.GetTerm(), peer)
	case raftpb.MsgAppResp:
		a.ledger.Acknowledged(peerOf(region, peer), m.GetTerm(), m.GetIndex())
	default:
	}
}

// EntryApplied implements raftstore.Auditor.
func (a *auditor) EntryApplied(region, peer uint64, e *raftpb.Entry, effect raftstore.Effect) {
	digest := xxhash.Sum64(effect.Writes)
	if effect.Refused {
		digest = consensus.NoEffect
	}
	a.ledger.Applied(peerOf(region, peer), EntryOf(e), digest)
}

// RegionChanged implements raftstore.Auditor.
func (a *auditor) RegionChanged(region *metapb.Region, peer, index uint64) {
	a.configured(region, peer, index)
}

// PeerEnded implements raftstore.Auditor.
func (a *auditor) PeerEnded(region, peer uint64) { a.ledger.Removed(peerOf(region, peer)) }

// ReadBegan implements raftstore.Auditor.
func (a *auditor) ReadBegan(region uint64) uint64 { return a.ledger.ReadBegan(region) }

// ReadServed implements raftstore.Auditor.
func (a *auditor) ReadServed(region, peer, began, applied uint64) {
	a.ledger.ReadServed(peerOf(region, peer), began, applied)
}

func (a *auditor) configured(r *metapb.Region, peer, index uint64) {
	epoch := consensus.Epoch{Members: r.GetRegionEpoch().GetConfVer(), Version: r.GetRegionEpoch().GetVersion()}
	a.ledger.Configured(peerOf(r.Id, peer), index, epoch, describeRegion(r))
}

// describeRegion tells all that replicas of a region have to agree on.
func describeRegion(r *metapb.Region) string {
	members := make([]string, len(r.Peers))
	for i, p := range r.Peers {
		members[i] = fmt.Sprintf("%d/%d/%v", p.Id, p.StoreId, p.Role)
	}
	slices.Sort(members)
	return fmt.Sprintf("[%x, %x) epoch %d/%d of %s",
		r.StartKey, r.EndKey, r.GetRegionEpoch().GetConfVer(), r.GetRegionEpoch().GetVersion(), strings.Join(members, " "))
}

// EntryOf is an entry as the ledger takes it.
func EntryOf(e *raftpb.Entry) consensus.Entry {
	return consensus.Entry{Index: e.GetIndex(), Term: e.GetTerm(), Digest: xxhash.Sum64(e.GetData()) + uint64(e.GetType())}
}
