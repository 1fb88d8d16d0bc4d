package raftstore

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// proposal is a command of this process whose fate is not known yet.
type proposal struct {
	data []byte // the encoded command
	// uuid is in the command as well, to recognise it.
	uuid [16]byte
	// confChange: it changes the members of the region.
	confChange bool
	// term is that in which it was proposed, index its place in the log.
	term, index uint64
	// proposed is when it was, on the monotonic clock; see lease.
	proposed time.Duration
	// reshapes: it changes which keys the region holds.
	reshapes bool
	// admin: it is administrative, and so is the command of a merge that it may be:
	// one that absorbs the region of that id, or one that rolls back.
	admin     bool
	absorbs   uint64
	rollsBack bool
	// size is that of its entry.
	size   int
	result env.Future[*errorpb.Error]
}

// proposals are those of one peer.
type proposals struct {
	// queued are to be proposed in the next turn, logged were. queuedBytes is the
	// size of the commands that are queued.
	queued      []*proposal
	queuedBytes int
	// logged are in the order in which they were proposed; see decide.
	logged []*proposal
}

// Propose replicates reqs as one atomic entry and returns once it is applied on
// this store. It is proposed only if the peer is leader in the given term; zero
// stands for any term.
//
// A region error means that the command has not been and never will be
// applied. ErrUnknownOutcome means that it may be: either limit has run out, in
// which case it may still be applied at any time, or a snapshot hides its fate,
// in which case the applied state is already past it. A negative limit waits for
// as long as it takes; who holds latches for the command has to.
func (s *Store) Propose(
	t env.Task, ctx *kvrpcpb.Context, term uint64, reqs []*raft_cmdpb.Request, limit time.Duration,
) (*errorpb.Error, error) {
	p, regionErr := s.leaderPeer(ctx)
	if regionErr != nil {
		return regionErr, nil
	}
	if term != 0 && term != p.term() {
		return errStaleCommand("the term has changed"), nil
	}
	if regionErr = p.refuseProposal(); regionErr != nil {
		return regionErr, nil
	}
	if regionErr = s.congested(); regionErr != nil {
		return regionErr, nil
	}
	if regionErr = checkKeys(p.region, reqs); regionErr != nil {
		return regionErr, nil
	}
	for _, req := range reqs {
		if regionErr = checkFamily(req); regionErr != nil {
			return regionErr, nil
		}
	}
	proposal, regionErr := p.enqueue(ctx.GetRegionEpoch(), &raft_cmdpb.RaftCmdRequest{Requests: reqs})
	if regionErr != nil {
		return regionErr, nil
	}
	return proposal.await(t, limit)
}

// congested refuses writes while one of the databases lags so far behind that
// they would only pile up: the client waits instead of the store. It does not
// bind what the store proposes for itself.
func (s *Store) congested() *errorpb.Error {
	for _, db := range []*engine.DB{s.eng.KV, s.eng.RaftLog} {
		if delay, stopped := db.Delay(); stopped || delay > s.cfg.StallDelayMax {
			markStoreBusy.Reached()
			return errServerIsBusy("writes are stalled")
		}
	}
	return nil
}

// await waits for the proposal's fate.
func (pr *proposal) await(t env.Task, limit time.Duration) (*errorpb.Error, error) {
	regionErr, err := pr.result.Await(t, limit)
	if err == env.ErrTimeout { //nolint:errorlint // Await returns it unwrapped
		markDeadline.Reached()
		err = ErrUnknownOutcome
	}
	return regionErr, err
}

func checkFamily(req *raft_cmdpb.Request) *errorpb.Error {
	name := req.GetPut().GetCf() + req.GetDelete().GetCf() + req.GetDeleteRange().GetCf() // one at most is set
	if _, ok := dataFamily(name); !ok {
		return errStaleCommand("no column family " + name)
	}
	return nil
}

// leaderPeer returns the peer that is to serve a request, checking everything
// about the request that can be checked without its content.
func (s *Store) leaderPeer(ctx *kvrpcpb.Context) (*peer, *errorpb.Error) {
	p, regionErr := s.memberPeer(ctx)
	if regionErr != nil {
		return nil, regionErr
	}
	if !p.isLeader() {
		p.requested()
		return nil, p.notLeader()
	}
	if term := ctx.GetTerm(); term != 0 && term < p.term() {
		return nil, errStaleCommand("the term has changed")
	}
	if regionErr := checkVersion(p.region, ctx.GetRegionEpoch()); regionErr != nil {
		markEpochAtPropose.Reached()
		return nil, regionErr
	}
	if regionErr := p.refuseMerging(); regionErr != nil {
		return nil, regionErr
	}
	return p, nil
}

// memberPeer returns the peer that a request is addressed to.
func (s *Store) memberPeer(ctx *kvrpcpb.Context) (*peer, *errorpb.Error) {
	if store := ctx.GetPeer().GetStoreId(); store != s.id {
		return nil, errStoreNotMatch(store, s.id)
	}
	p := s.byRegion[ctx.GetRegionId()]
	if p == nil || p.destroyed || !initialised(p.region) {
		return nil, errRegionNotFound(ctx.GetRegionId())
	}
	if id := ctx.GetPeer().GetId(); id != p.id {
		return nil, errMismatchPeer(id, p.id)
	}
	return p, nil
}

// name returns a name that no other process gives, nor this one again from the same
// counter.
func (s *Store) name(counter *uint64) (name [16]byte) {
	*counter++
	binary.BigEndian.PutUint64(name[:8], s.boot)
	binary.BigEndian.PutUint64(name[8:], *counter)
	return name
}

// enqueue completes a command and queues it for the next turn.
func (p *peer) enqueue(epoch *metapb.RegionEpoch, cmd *raft_cmdpb.RaftCmdRequest) (*proposal, *errorpb.Error) {
	s := p.s
	if len(p.proposals.queued)+len(p.proposals.logged) >= s.cfg.PendingProposalsMax {
		return nil, errServerIsBusy("too many undecided proposals")
	}
	pr := &proposal{uuid: s.name(&s.nextProposal), term: p.term(), admin: cmd.AdminRequest != nil}
	cmd.Header = &raft_cmdpb.RaftRequestHeader{
		RegionId: p.regionID, Peer: p.meta, RegionEpoch: epoch, Term: pr.term, Uuid: pr.uuid[:],
	}
	size := cmd.Size()
	if size > s.cfg.EntrySizeMax {
		return nil, errEntryTooLarge(p.regionID, size)
	}
	// Raft takes any number of bytes at once when nothing is uncommitted.
	if queued := p.proposals.queuedBytes; markTurnFull.Sometimes(queued > 0 && queued+size > s.cfg.turnBytesMax()) {
		return nil, errServerIsBusy("too much is proposed at once")
	}
	pr.data = marshal(cmd)
	pr.size = len(pr.data)
	p.proposals.queued = append(p.proposals.queued, pr)
	p.proposals.queuedBytes += pr.size
	markWokenByProposal.Sometimes(p.asleep())
	p.stir()
	s.markDirty(p)
	return pr, nil
}

// proposeAdmin queues an administrative command.
func (p *peer) proposeAdmin(admin *raft_cmdpb.AdminRequest) (*proposal, *errorpb.Error) {
	return p.enqueue(p.region.GetRegionEpoch(), &raft_cmdpb.RaftCmdRequest{AdminRequest: admin})
}

// stepProposals hands the queued proposals to raft, as one message, and
// returns those that are in its log now. Nothing happens between this and the
// Ready that contains them.
func (p *peer) stepProposals() []*proposal {
	queued := p.proposals.queued
	if len(queued) == 0 {
		return nil
	}
	bytes := p.proposals.queuedBytes
	p.proposals.queued, p.proposals.queuedBytes = nil, 0
	message := &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: &p.id, Entries: make([]*raftpb.Entry, len(queued))}
	now := p.s.env.Clock.Monotonic()
	for i, pr := range queued {
		pr.proposed = now
		message.Entries[i] = &raftpb.Entry{Data: pr.data}
		if pr.confChange {
			message.Entries[i].Type = raftpb.EntryConfChangeV2.Enum()
		}
	}
	// Raft drops proposals if it is not leader any more, if it is handing its
	// leadership over, or if too much is uncommitted: all of them or none.
	if !p.isLeader() || p.term() != queued[0].term || p.overloads(bytes) || p.node.Step(message) != nil {
		markProposalDropped.Reached()
		p.compacting = 0
		p.lease.preparing = false
		for _, pr := range queued {
			pr.result.Resolve(p.dropped(), nil)
		}
		return nil
	}
	return queued
}

// dropped is the error for a proposal that raft has dropped.
func (p *peer) dropped() *errorpb.Error {
	status := p.node.BasicStatus()
	switch {
	case !p.isLeader() || status.RaftState != raft.StateLeader:
		return p.notLeader()
	case status.LeadTransferee != raft.None:
		return errServerIsBusy("the leader is handing over")
	default:
		markUncommittedFull.Reached()
		return errServerIsBusy("too much is uncommitted")
	}
}

// numberProposals learns the places of the new proposals from the entries that
// raft wants to have written: they are the last ones.
func (p *peer) numberProposals(entries []*raftpb.Entry, proposed []*proposal) {
	if len(proposed) == 0 {
		return
	}
	if len(entries) < len(proposed) {
		invariant.Fail("raftstore: %s: %d proposals but %d entries", p, len(proposed), len(entries))
	}
	entries = entries[len(entries)-len(proposed):]
	for i, pr := range proposed {
		pr.index = entries[i].GetIndex()
		if pr.confChange && entries[i].GetType() != raftpb.EntryConfChangeV2 {
			// Raft does not know yet that all before is applied, and has put an empty
			// entry in its place.
			markChangeDropped.Reached()
			pr.result.Resolve(errServerIsBusy("another change of members is under way"), nil)
			continue
		}
		p.proposals.logged = append(p.proposals.logged, pr)
		if entries[i].GetTerm() != pr.term || len(entries[i].GetData()) != len(pr.data) {
			invariant.Fail("raftstore: %s: entry %d is not the proposed one", p, pr.index)
		}
		pr.data = nil
		if pr.reshapes {
			p.lease.reshaping = pr.index
			if pr.absorbs != 0 {
				p.lease.absorbing = pr.index
			}
		}
	}
}

// decide returns the proposal that is applied by e: the one at that place in
// that term. It also decides those that can no longer be applied.
//
// The proposals are in the order of their terms, and of their places within a
// term. But a later term may begin at an earlier place.
func (ps *proposals) decide(a *applier, e *raftpb.Entry) *proposal {
	// Terms never decrease along a log.
	for len(ps.logged) > 0 && ps.logged[0].term < e.GetTerm() {
		ps.overwritten(a)
	}
	var applied *proposal
	if len(ps.logged) > 0 && ps.logged[0].term == e.GetTerm() && ps.logged[0].index == e.GetIndex() {
		applied = ps.pop()
	}
	for len(ps.logged) > 0 && ps.logged[0].index <= e.GetIndex() {
		ps.overwritten(a)
	}
	return applied
}

func (ps *proposals) pop() *proposal {
	pr := ps.logged[0]
	ps.logged[0] = nil
	ps.logged = ps.logged[1:]
	return pr
}

func (ps *proposals) overwritten(a *applier) {
	markOverwritten.Reached()
	a.results = append(a.results, applyResult{ps.pop(), errStaleCommand("another leader's entry took its place")})
}

// hidden gives up the proposals at or before a snapshot: the entries that were
// applied there are not known. Those behind it in an earlier term than the
// snapshot's are decided: terms never decrease along a log.
func (ps *proposals) hidden(index, term uint64) {
	ps.logged = slices.DeleteFunc(ps.logged, func(pr *proposal) bool {
		switch {
		case pr.index <= index:
			markFateUnknown.Reached()
			pr.result.Resolve(nil, ErrUnknownOutcome)
		case pr.term < term:
			markOverwritten.Reached()
			pr.result.Resolve(errStaleCommand("a snapshot took its place"), nil)
		default:
			return false
		}
		return true
	})
}
