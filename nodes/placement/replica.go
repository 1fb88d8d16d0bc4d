package placement

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
)

// groupID is the id of the one region of the members, which holds all records.
// The members are stores of their own cluster: their ids have nothing to do
// with those that they hand out.
const groupID = 1

// groupRegion is the region of the members: all keys, a peer on each of them.
func groupRegion(members []string) *metapb.Region {
	r := &metapb.Region{Id: groupID, RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 1}}
	for i := range members {
		id := uint64(i + 1)
		r.Peers = append(r.Peers, &metapb.Peer{Id: id, StoreId: id})
	}
	return r
}

// replica is this member's part of the raft group: a raft store with one region.
type replica struct {
	store   *raftstore.Store
	members []string
	self    *metapb.Peer
	epoch   *metapb.RegionEpoch
}

// memberID returns the id of a member among all of them, 0 if it is none.
func memberID(members []string, name string) uint64 {
	return uint64(slices.Index(members, name) + 1)
}

// Prepare writes the first state to an empty disk and syncs what is there. Once
// that is durable the member may be opened.
func Prepare(e *env.Env, cfg Config, eng *engine.Engines) error {
	cfg = cfg.withDefaults(e.Name)
	if err := cfg.validate(e.Name); err != nil {
		return err
	}
	region := groupRegion(cfg.Members)
	if err := raftstore.Bootstrap(eng, memberID(cfg.Members, e.Name), []*metapb.Region{region}); err != nil {
		return fmt.Errorf("placement: %w", err)
	}
	if err := eng.RaftLog.Sync(); err != nil {
		return err
	}
	return eng.KV.Sync()
}

// reportsNever is the period of reports that nobody takes.
const reportsNever = 24 * time.Hour

// openReplica starts the raft store; cfg is complete.
func openReplica(e *env.Env, ep *rpc.Endpoint, cfg Config, eng *engine.Engines, roleChanged func(term uint64, leads bool)) (*replica, error) {
	region := groupRegion(cfg.Members)
	id := memberID(cfg.Members, e.Name)
	raft := cfg.Raft
	raft.StoreID = id
	raft.RegionHeartbeatInterval, raft.StoreHeartbeatInterval = reportsNever, reportsNever
	raft.RoleChanged = func(_, term uint64, leads bool) { roleChanged(term, leads) }
	tr := newTransport(e, ep, cfg.Members)
	store, err := raftstore.Open(e, raft, eng, tr, nobody{})
	if err != nil {
		return nil, fmt.Errorf("placement: %w", err)
	}
	tr.register(store)
	return &replica{store: store, members: cfg.Members, self: region.Peers[id-1], epoch: region.RegionEpoch}, nil
}

// leader returns the name of the member that leads as far as this one knows, ""
// if it knows of nobody, the term, and whether it is this member itself.
func (r *replica) leader() (name string, term uint64, self bool) {
	peer, term, self := r.store.Leadership(groupID)
	if peer == nil {
		return "", term, self
	}
	return r.members[peer.StoreId-1], term, self
}

// context addresses this member's own peer, as the leader of a term.
func (r *replica) context(term uint64) *kvrpcpb.Context {
	return &kvrpcpb.Context{RegionId: groupID, RegionEpoch: r.epoch, Peer: r.self, Term: term}
}

// propose replicates records in a term: they take effect only if they are
// committed as an entry of that term, so before the first entry of any later
// one. It waits until they are applied here, or certain not to be, or until
// their fate is hidden; in the latter case this member does not lead any more.
func (r *replica) propose(t env.Task, term uint64, records []Record) error {
	requests := make([]*raft_cmdpb.Request, len(records))
	for i, record := range records {
		key := []byte(record.Key)
		if record.Value == nil {
			requests[i] = &raft_cmdpb.Request{CmdType: raft_cmdpb.CmdType_Delete, Delete: &raft_cmdpb.DeleteRequest{Key: key}}
		} else {
			requests[i] = &raft_cmdpb.Request{CmdType: raft_cmdpb.CmdType_Put, Put: &raft_cmdpb.PutRequest{Key: key, Value: record.Value}}
		}
	}
	refusal, err := r.store.Propose(t, r.context(term), term, requests, -1)
	if refusal != nil {
		err = errors.New(refusal.Message)
	}
	return err
}

// view returns the applied state, if this member leads in the term and has
// applied an entry of it: everything that any earlier leader has committed is
// in it, and nothing of an earlier term can come after it.
func (r *replica) view(term uint64) (*raftstore.RegionSnapshot, error) {
	snapshot, refusal := r.store.LeaderSnapshot(r.context(term))
	if refusal != nil {
		return nil, errors.New(refusal.Message)
	}
	if snapshot.Term() != term {
		snapshot.Close()
		return nil, errNotLeader
	}
	return snapshot, nil
}

// confirm makes certain that at some instant after the call this member led in
// the term and nobody in a later one. It has a majority say so; a leader's lease
// would do.
func (r *replica) confirm(t env.Task, term uint64) error {
	snapshot, refusal := r.store.ReadSnapshot(t, r.context(term))
	if refusal != nil {
		return errors.New(refusal.Message)
	}
	confirmed := snapshot.Term()
	snapshot.Close()
	if confirmed != term {
		return errNotLeader
	}
	return nil
}
