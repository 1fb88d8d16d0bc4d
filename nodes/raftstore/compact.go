package raftstore

import (
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"simrun/nodes/invariant"
)

// maybeCompact proposes to compact the log once it has grown enough. It is
// called after each apply: a log that does not grow needs no attention.
func (p *peer) maybeCompact() {
	length := p.applied - p.log.truncatedIndex
	if p.lease.preparing || p.merging() || !p.isLeader() || length <= p.s.cfg.LogGCThreshold || p.compacting > p.log.truncatedIndex {
		return
	}
	index := p.compactIndex(length)
	if index <= p.log.truncatedIndex || index-p.log.truncatedIndex < p.s.cfg.LogGCThreshold/2 {
		return
	}
	term, err := p.log.Term(index)
	if err != nil {
		return // the process has ended
	}
	_, regionErr := p.proposeAdmin(&raft_cmdpb.AdminRequest{
		CmdType:    raft_cmdpb.AdminCmdType_CompactLog,
		CompactLog: &raft_cmdpb.CompactLogRequest{CompactIndex: index, CompactTerm: term},
	})
	if regionErr == nil {
		p.compacting = index
	}
}

// compactIndex returns up to where the log may go: what all followers have, or
// will have from the snapshot on its way to them. If the log gets too long,
// slow followers are left behind, but not those that are receiving a snapshot.
func (p *peer) compactIndex(length uint64) uint64 {
	index := p.applied
	p.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if id != p.id {
			index = min(index, max(pr.Match, pr.PendingSnapshot))
		}
	})
	if length > p.s.cfg.LogGCCountLimit {
		if half := p.log.truncatedIndex + length/2; half > index {
			markSlowFollower.Reached()
			index = half
		}
	}
	return p.pins(index)
}

// applyCompactLog moves the beginning of the log. The entries are deleted
// later.
func (p *peer) applyCompactLog(e *raftpb.Entry, req *raft_cmdpb.CompactLogRequest) {
	index, term := req.GetCompactIndex(), req.GetCompactTerm()
	if p.compacting <= index {
		p.compacting = 0
	}
	if index <= p.log.truncatedIndex {
		return // proposed twice, by two leaders
	}
	if markMergeKeepsLog.Sometimes(p.merging()) {
		return // the target may need the entries for peers that lag
	}
	invariant.Check(index < e.GetIndex() && index <= p.applied, "raftstore: %s: entry %d compacts up to %d", p, e.GetIndex(), index)
	have, err := p.log.Term(index)
	invariant.Check(err != nil || have == term, "raftstore: %s: compaction says term %d of entry %d, log says %d", p, term, index, have)
	p.log.compact(index, term)
	markCompacted.Reached()
}

// logGC deletes compacted log entries. They are the only way to restore the
// unsynced writes of the key-value database, so that is synced first.
type logGC struct {
	s       *Store
	waiting []erasure
	busy    bool
}

func (g *logGC) add(e erasure) {
	g.waiting = append(g.waiting, e)
	if !g.busy {
		g.busy = true
		g.s.env.Sched.After(0, g.sync)
	}
}

func (g *logGC) sync() {
	if g.s.dead {
		return
	}
	ready := g.waiting
	g.waiting = nil
	if g.s.failed(g.s.eng.KV.Sync()) {
		return
	}
	g.s.env.Disk.Barrier(func() {
		// The entries go with the next append: nobody waits for this.
		g.s.appender.erasures = append(g.s.appender.erasures, ready...)
		g.busy = len(g.waiting) > 0
		if g.busy {
			g.sync()
		}
	})
}
