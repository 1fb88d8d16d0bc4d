package raftstore

import (
	"fmt"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/engine"
)

// RegionInfo is what a store knows about one of its peers.
type RegionInfo struct {
	Region *metapb.Region
	Peer   uint64
	// Leader is the id of the peer that this one takes for the leader, 0 if it
	// knows of none.
	Leader   uint64
	IsLeader bool
	Term     uint64
	Commit   uint64
	// Applied is the index of the last applied entry, AppliedTerm its term.
	Applied     uint64
	AppliedTerm uint64
	// Applying: a snapshot at that index is being applied.
	Applying bool
	// First and Last are the indexes of the log's entries.
	First, Last uint64
	// Merging: the region is to be merged into another one, the region of id Into.
	Merging bool
	Into    uint64
	// Undecided is the number of proposals of this process whose fate is open.
	Undecided int
}

// Regions describes all peers of the store, in the order of region ids.
func (s *Store) Regions() []RegionInfo {
	infos := make([]RegionInfo, 0, len(s.peers))
	for _, p := range s.peers {
		if !p.destroyed {
			infos = append(infos, p.info())
		}
	}
	return infos
}

// Region describes the store's peer of one region; false if it has none.
func (s *Store) Region(id uint64) (RegionInfo, bool) {
	p := s.byRegion[id]
	if p == nil || p.destroyed {
		return RegionInfo{}, false
	}
	return p.info(), true
}

func (p *peer) info() RegionInfo {
	return RegionInfo{
		Region: p.region, Peer: p.id, Leader: p.leader, IsLeader: p.isLeader(),
		Term: p.term(), Commit: p.commit(), Applied: p.applied, AppliedTerm: p.appliedTerm, Applying: p.restored != nil,
		First: p.log.truncatedIndex + 1, Last: p.log.lastIndex,
		Merging: p.merging(), Into: p.merge.state.GetTarget().GetId(),
		Undecided: len(p.proposals.queued) + len(p.proposals.logged),
	}
}

// Changing reports whether the log of a peer has a change of members that the peer has
// yet to apply, or entries that are not in memory and may be one.
func (s *Store) Changing() bool {
	return slices.ContainsFunc(s.peers, func(p *peer) bool { return !p.destroyed && p.mayChange() })
}

func (p *peer) mayChange() bool {
	for index := p.applied + 1; index <= p.log.lastIndex; index++ {
		if e := p.log.cache.get(index); e == nil || e.GetType() != raftpb.EntryNormal {
			return true
		}
	}
	return false
}

// SnapshotTraffic counts the snapshots that the store is making or sending, and
// those that it is receiving or applying.
func (s *Store) SnapshotTraffic() (outgoing, incoming int) {
	incoming = s.receiver.live()
	for _, p := range s.peers {
		if p.restored != nil {
			incoming++
		}
	}
	return s.sending, incoming
}

// String describes the peer in one line.
func (r RegionInfo) String() string {
	leader := "none"
	switch {
	case r.IsLeader:
		leader = "self"
	case r.Leader != 0:
		leader = fmt.Sprint(r.Leader)
	}
	epoch := r.Region.GetRegionEpoch()
	return fmt.Sprintf("region=%d peer=%d range=[%q,%q) epoch=%d/%d leader=%s term=%d log=%d..%d commit=%d applied=%d",
		r.Region.GetId(), r.Peer, r.Region.GetStartKey(), r.Region.GetEndKey(), epoch.GetConfVer(), epoch.GetVersion(),
		leader, r.Term, r.First, r.Last, r.Commit, r.Applied)
}

// ApplyingRegions returns the regions that the databases of a store record as
// being restored from a snapshot, in order.
func ApplyingRegions(eng *engine.Engines) ([]uint64, error) {
	states, err := regionStates(eng)
	if err != nil {
		return nil, err
	}
	var regions []uint64
	for _, state := range states {
		if state.GetState() == raft_serverpb.PeerState_Applying {
			regions = append(regions, state.GetRegion().GetId())
		}
	}
	return regions, nil
}

// DumpLog reads the raft log of a region from the databases of a store that may
// or may not be running. Each write of an entry has a line, which begins with the
// region and the entry's index:
//
//	4_6 term=6 NOOP
//	4_7 term=6 PUT default key="k1" value="v1"
//	4_8 term=6 SPLIT key="m" region=10 peers=11,12,13 epoch=1/1
func DumpLog(eng *engine.Engines, region uint64) ([]string, error) {
	apply, err := load[raft_serverpb.RaftApplyState](eng.KV, applyStateKey(nil, region))
	if err != nil {
		return nil, err
	}
	it, err := eng.RaftLog.NewIter(engine.Raft, engine.IterOptions{
		Lower: logKey(nil, region, apply.GetTruncatedState().GetIndex()+1), Upper: hardStateKey(nil, region),
	})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var lines []string
	for ok := it.First(); ok; ok = it.Next() {
		e, err := decodeEntry(it.Value())
		if err != nil {
			return nil, fmt.Errorf("raftstore: entry %d of region %d: %w", logIndex(it.Key()), region, err)
		}
		head := fmt.Sprintf("%d_%d term=%d ", region, e.GetIndex(), e.GetTerm())
		for _, text := range describeEntry(e) {
			lines = append(lines, head+text)
		}
	}
	return lines, it.Error()
}

// describeEntry returns a text for each write of an entry.
func describeEntry(e *raftpb.Entry) []string {
	if len(e.GetData()) == 0 {
		return []string{"NOOP"}
	}
	data := e.GetData()
	if e.GetType() == raftpb.EntryConfChangeV2 {
		cc, err := decodeConfChange(e)
		if err != nil {
			return []string{fmt.Sprintf("DAMAGED %d bytes: %v", len(data), err)}
		}
		data = cc.GetContext()
	}
	cmd := &raft_cmdpb.RaftCmdRequest{}
	if err := cmd.Unmarshal(data); err != nil {
		return []string{fmt.Sprintf("DAMAGED %d bytes: %v", len(e.GetData()), err)}
	}
	if admin := cmd.GetAdminRequest(); admin != nil {
		return describeAdmin(cmd.GetHeader().GetRegionEpoch(), admin)
	}
	var texts []string
	for _, req := range cmd.GetRequests() {
		texts = append(texts, describeRequest(req))
	}
	if texts == nil {
		texts = []string{"EMPTY"}
	}
	return texts
}

func describeRequest(req *raft_cmdpb.Request) string {
	switch req.GetCmdType() {
	case raft_cmdpb.CmdType_Put:
		return fmt.Sprintf("PUT %s key=%q value=%s", family(req.GetPut().GetCf()), req.GetPut().GetKey(), abridged(req.GetPut().GetValue()))
	case raft_cmdpb.CmdType_Delete:
		return fmt.Sprintf("DELETE %s key=%q", family(req.GetDelete().GetCf()), req.GetDelete().GetKey())
	case raft_cmdpb.CmdType_DeleteRange:
		d := req.GetDeleteRange()
		return fmt.Sprintf("DELETE_RANGE %s start=%q end=%q", family(d.GetCf()), d.GetStartKey(), d.GetEndKey())
	default:
		return req.GetCmdType().String()
	}
}

func describeAdmin(epoch *metapb.RegionEpoch, admin *raft_cmdpb.AdminRequest) []string {
	switch admin.GetCmdType() {
	case raft_cmdpb.AdminCmdType_CompactLog:
		c := admin.GetCompactLog()
		return []string{fmt.Sprintf("COMPACT index=%d term=%d", c.GetCompactIndex(), c.GetCompactTerm())}
	case raft_cmdpb.AdminCmdType_BatchSplit:
		var texts []string
		for _, req := range admin.GetSplits().GetRequests() {
			text := fmt.Sprintf("SPLIT key=%q region=%d peers=", req.GetSplitKey(), req.GetNewRegionId())
			for i, id := range req.GetNewPeerIds() {
				if i > 0 {
					text += ","
				}
				text += fmt.Sprint(id)
			}
			texts = append(texts, text+fmt.Sprintf(" epoch=%d/%d", epoch.GetConfVer(), epoch.GetVersion()))
		}
		return texts
	case raft_cmdpb.AdminCmdType_PrepareMerge, raft_cmdpb.AdminCmdType_CommitMerge, raft_cmdpb.AdminCmdType_RollbackMerge:
		return []string{describeMerge(admin) + fmt.Sprintf(" epoch=%d/%d", epoch.GetConfVer(), epoch.GetVersion())}
	case raft_cmdpb.AdminCmdType_ChangePeer, raft_cmdpb.AdminCmdType_ChangePeerV2:
		return describeChange(epoch, admin)
	default:
		return []string{admin.GetCmdType().String()}
	}
}

func describeChange(epoch *metapb.RegionEpoch, admin *raft_cmdpb.AdminRequest) []string {
	changes, _ := changesOf(admin)
	kind := "CHANGE"
	switch len(changes) {
	case 0:
		return []string{fmt.Sprintf("LEAVE_JOINT epoch=%d/%d", epoch.GetConfVer(), epoch.GetVersion())}
	case 1:
	default:
		kind = "ENTER_JOINT"
	}
	var texts []string
	for _, c := range changes {
		texts = append(texts, fmt.Sprintf("%s %s peer=%d store=%d epoch=%d/%d", kind, c.GetChangeType(),
			c.GetPeer().GetId(), c.GetPeer().GetStoreId(), epoch.GetConfVer(), epoch.GetVersion()))
	}
	return texts
}

func describeMerge(admin *raft_cmdpb.AdminRequest) string {
	switch admin.GetCmdType() {
	case raft_cmdpb.AdminCmdType_PrepareMerge:
		m := admin.GetPrepareMerge()
		return fmt.Sprintf("PREPARE_MERGE into=%d from=%d", m.GetTarget().GetId(), m.GetMinIndex())
	case raft_cmdpb.AdminCmdType_CommitMerge:
		m := admin.GetCommitMerge()
		return fmt.Sprintf("COMMIT_MERGE source=%d commit=%d entries=%d", m.GetSource().GetId(), m.GetCommit(), len(m.GetEntries()))
	default:
		return fmt.Sprintf("ROLLBACK_MERGE commit=%d", admin.GetRollbackMerge().GetCommit())
	}
}

// family names the column family of a command; the empty name is the default.
func family(name string) string {
	if name == "" {
		return engine.Default.String()
	}
	return name
}

// abridged quotes a value, of a long one the beginning.
func abridged(value []byte) string {
	const valueMax = 64
	if len(value) <= valueMax {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q... (%d bytes)", value[:valueMax], len(value))
}
