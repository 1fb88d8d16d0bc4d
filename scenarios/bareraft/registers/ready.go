package registers

import (
	"encoding/binary"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// advance does what raft wants done, until it wants nothing.
//
// The disk is durable at once, so storing and applying are done in the same
// turn and raft is driven by Ready and Advance: there is no time in which a
// write is under way, and asynchronous storage writes would only add messages.
func (r *Replica) advance() {
	for r.raw.HasReady() {
		rd := r.raw.Ready()
		r.follow(rd.SoftState, rd.HardState)
		r.restore(rd.Snapshot)
		r.store(rd.HardState, rd.Entries)
		for _, m := range rd.Messages {
			r.sendRaft(m)
		}
		for _, e := range rd.CommittedEntries {
			r.apply(e)
		}
		r.confirmed(rd.ReadStates)
		r.answerReads()
		r.raw.Advance(rd)
	}
	r.compact()
}

// follow takes note of the term and of who leads.
func (r *Replica) follow(soft *raft.SoftState, hard *raftpb.HardState) {
	if hard != nil {
		r.term = hard.GetTerm()
	}
	if soft == nil {
		return
	}
	was := r.leading
	r.lead = soft.Lead
	r.leading = soft.RaftState == raft.StateLeader
	switch {
	case r.leading && !was:
		r.cfg.Observer.Elected(r.id, r.term)
	case was && !r.leading:
		r.deposed()
	}
}

// deposed gives up what only a leader can finish. What was proposed may still
// be committed, so nobody is told anything about it.
func (r *Replica) deposed() {
	clear(r.proposals)
	markDeposed.Sometimes(len(r.reads) > 0)
	for _, w := range r.reads {
		r.refuse(w.query.from, w.query.request.id)
	}
	r.reads = r.reads[:0]
}

// restore replaces the state by a snapshot that the leader has sent.
func (r *Replica) restore(snapshot *raftpb.Snapshot) {
	if raft.IsEmptySnap(snapshot) {
		return
	}
	markRestored.Reached()
	index, term := snapshot.GetMetadata().GetIndex(), snapshot.GetMetadata().GetTerm()
	invariant.Check(index > r.applied, "registers: a snapshot at index %d comes after index %d was applied", index, r.applied)
	r.cfg.Observer.Restored(r.id, index, term)
	must(r.log.ApplySnapshot(snapshot), "write a snapshot")
	r.machine = restore(snapshot.GetData())
	r.applied, r.cut = index, index
}

// store writes to the disk.
func (r *Replica) store(hs *raftpb.HardState, entries []*raftpb.Entry) {
	if len(entries) == 0 && raft.IsEmptyHardState(hs) {
		return
	}
	r.cfg.Observer.Stored(r.id, hs, entries)
	if len(entries) > 0 {
		must(r.log.Append(entries), "append to the log")
	}
	if !raft.IsEmptyHardState(hs) {
		must(r.log.SetHardState(hs), "write the hard state")
	}
}

// apply executes a committed entry and answers if its client waits here.
func (r *Replica) apply(e *raftpb.Entry) {
	if e.GetIndex() != r.applied+1 {
		invariant.Fail("registers: index %d is applied after index %d", e.GetIndex(), r.applied)
	}
	if e.GetType() != raftpb.EntryNormal {
		invariant.Fail("registers: index %d holds a change of members", e.GetIndex())
	}
	r.cfg.Observer.Applied(r.id, e)
	r.applied = e.GetIndex()
	if len(e.GetData()) == 0 {
		return // with which a leader begins its term
	}
	q, err := parseRequest(e.GetData())
	must(err, "decode an entry of the log")
	result := r.machine.execute(&q)
	if from, ok := r.proposals[q.id]; ok {
		delete(r.proposals, q.id)
		r.reply(from, q.id, result)
	}
}

// confirmed notes with which index reads were confirmed. Confirmations come in
// the order of the reads, and one may stand for all before it.
func (r *Replica) confirmed(states []raft.ReadState) {
	for _, s := range states {
		context := binary.BigEndian.Uint64(s.RequestCtx)
		for i := range r.reads {
			if r.reads[i].context == context {
				r.reads[i].index = s.Index
			}
		}
	}
}

// answerReads answers the reads that are confirmed and whose index is applied.
func (r *Replica) answerReads() {
	n := 0
	for n < len(r.reads) && r.reads[n].index != 0 && r.reads[n].index <= r.applied {
		r.Answer(r.reads[n].query)
		n++
	}
	if n > 0 {
		r.reads = append(r.reads[:0], r.reads[n:]...)
	}
}

// compact takes a snapshot and cuts the log, if it has become long.
func (r *Replica) compact() {
	if r.applied < r.cut+2*r.cfg.LogEntries {
		return
	}
	_, err := r.log.CreateSnapshot(r.applied, nil, r.machine.snapshot())
	must(err, "take a snapshot")
	r.cut = r.applied - r.cfg.LogEntries
	must(r.log.Compact(r.cut), "compact the log")
}
