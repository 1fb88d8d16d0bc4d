package raftstore

import (
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// appender writes what raft must not forget. One batch is under way at a time;
// what comes meanwhile gathers for the next one, so that a sync serves as many
// regions and entries as possible.
type appender struct {
	s *Store
	// waiting gather for the next batch, current are being made durable.
	waiting, current []appendTask
	busy             bool
	stalled          bool // the log database takes no writes now
	batch            *engine.Batch
	erasures         []erasure
	durableFn        func()         // durable
	resumeFn         func()         // resume
	state            localStateRoom // scratch space
}

// appendTask is a MsgStorageAppend.
type appendTask struct {
	p   *peer
	msg *raftpb.Message
	// hard is the hard state as of the message. A newer one must not be written
	// with it: its commit index may refer to entries that come later.
	hard hardState
	// snapshot is what the message's snapshot consists of, nil if there is none.
	snapshot *receivedSnapshot
	// void is set if the peer was removed before the message was carried out. Then
	// nobody may learn of what it would have promised.
	void bool
}

// erasure is a range of compacted entries that may be deleted.
type erasure struct {
	p      *peer
	lo, hi uint64
}

func (a *appender) init(s *Store) {
	a.s = s
	a.batch = s.eng.RaftLog.NewBatch()
	a.durableFn = a.durable
	a.resumeFn = a.resume
}

func (a *appender) add(p *peer, m *raftpb.Message, snapshot *receivedSnapshot) {
	p.growBacklog(payload(m))
	if (m.GetSnapshot() != nil) != (snapshot != nil) {
		invariant.Fail("raftstore: %s: snapshot without its data", p)
	}
	a.waiting = append(a.waiting, appendTask{p: p, msg: m, hard: p.log.hard, snapshot: snapshot})
}

// run begins the next batch unless one is under way.
func (a *appender) run() {
	if a.busy || a.stalled || len(a.waiting) == 0 || a.s.dead {
		return
	}
	if !a.s.eng.RaftLog.Admit(a.resumeFn) {
		markAppendStalled.Reached()
		a.stalled = true
		return
	}
	a.busy = true
	a.waiting, a.current = a.current[:0], a.waiting
	snapshots := false
	for i := range a.current {
		t := &a.current[i]
		if t.snapshot != nil && !t.p.destroyed {
			t.p.beginSnapshot(t.snapshot)
			snapshots = true
		}
	}
	if snapshots {
		// The log may be reset only when its place is taken.
		a.s.env.Disk.Barrier(func() {
			a.eraseReplaced()
			a.write()
			if !a.busy && !a.s.dead {
				a.s.turn() // nothing was left to write: the next batch is due
			}
		})
		return
	}
	a.write()
}

// resume is called when the log database may take writes again.
func (a *appender) resume() {
	a.stalled = false
	if !a.s.dead {
		a.s.turn()
	}
}

// write writes the log entries and hard states of the current batch.
func (a *appender) write() {
	if a.s.dead {
		return
	}
	regions, last := 0, (*peer)(nil)
	for i := range a.current {
		t := &a.current[i]
		t.void = t.p.destroyed
		if !t.needsWrite() {
			continue
		}
		l := &t.p.log
		if t.snapshot != nil {
			l.reset(a.batch, t.snapshot.id.index, t.snapshot.id.term)
		}
		l.append(a.batch, t.msg.GetEntries())
		l.putHardState(a.batch, t.hard)
		if t.p != last {
			regions, last = regions+1, t.p
		}
	}
	if a.batch.Empty() {
		a.finish()
		return
	}
	markGroupCommit.Sometimes(regions > 1)
	a.s.slowness.begin(a.s.env.Clock.Monotonic())
	for _, e := range a.erasures {
		e.p.log.erase(a.batch, e.lo, e.hi)
	}
	a.erasures = a.erasures[:0]
	err := a.s.eng.RaftLog.Write(a.batch)
	a.batch.Reset()
	if a.s.failed(err) {
		return
	}
	a.s.env.Disk.Barrier(a.durableFn)
}

// needsWrite reports whether the responses depend on a write. A changed commit
// index is only a hint, and no promise to anybody: it goes along with the next
// write.
func (t *appendTask) needsWrite() bool {
	if t.void {
		return false
	}
	return len(t.msg.GetEntries()) > 0 || t.snapshot != nil || !t.hard.promised(t.p.log.written)
}

// durable is called when the current batch is on disk.
func (a *appender) durable() {
	if a.s.dead {
		return
	}
	a.s.slowness.end(a.s.env.Clock.Monotonic())
	a.finish()
	a.s.turn()
}

// finish gives out the responses that waited for the current batch.
func (a *appender) finish() {
	for i := range a.current {
		t := &a.current[i]
		t.p.shrinkBacklog(payload(t.msg))
		if !t.void {
			t.p.auditWritten()
		}
		for _, m := range t.msg.GetResponses() {
			switch {
			case t.void:
			case m.GetTo() != t.p.id:
				markAckedLate.Sometimes(m.GetType() == raftpb.MsgAppResp && !m.GetReject() && m.GetIndex() > t.p.log.lastIndex)
				t.p.send(m)
			case !t.p.destroyed:
				t.p.stored(m)
			}
		}
		if t.snapshot != nil && !t.p.destroyed {
			t.p.fillRegion(t.snapshot)
		}
		a.current[i] = appendTask{}
	}
	a.current = a.current[:0]
	a.busy = false
}

// stored gives raft the news that something is stable, unless it comes after a
// snapshot that is not applied yet: then it has to wait for that. Were entries
// after a snapshot reported first, raft would take its log to end at the
// snapshot.
func (p *peer) stored(m *raftpb.Message) {
	if r := p.restored; r != nil {
		markSnapshotHeld.Sometimes(len(r.held) > 0)
		r.held = append(r.held, m)
		return
	}
	p.stepLocal(m)
}

// stepLocal gives raft an answer of its own storage.
func (p *peer) stepLocal(m *raftpb.Message) {
	p.catchUp()
	if err := p.node.Step(m); err != nil {
		invariant.Fail("raftstore: %s: %s: %v", p, m.GetType(), err)
	}
	p.s.markDirty(p)
}
