package raftstore

import (
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
)

// A disk that is slow must cost time, not memory. What waits for it lies in four
// places, each with a bound that follows from the configuration:
//
//   - proposals of the turn under way: as many bytes as may be uncommitted, or as fit
//     into an append message if that is more, or a single one (see enqueue);
//   - what a leader has to write: MaxUncommittedBytes. Raft refuses more, but it
//     knows only what was proposed in its term: it counts entries of earlier terms
//     that are applied meanwhile against the new ones, and so too few remain. The
//     bytes that wait for the leader's own disk are counted here instead (see
//     stepProposals);
//   - what a follower has to write: a window, MaxInflightBytes. That is for its leader
//     to respect, but it is each leader's own: one that is elected while the disk of a
//     follower stands still knows nothing of what its predecessors have sent. So a
//     follower takes no more than that either (see admits);
//   - what is committed and not applied: MaxSizePerMsg, at which raft stops to hand
//     out entries; what a target keeps for the source of a merge is a part of that.
//
// The bounds are soft, as those of raft are: what comes last may go beyond, be it
// one message or one entry. Snapshots have bounds of their own, the number of those
// that are received at a time, and lie in files.

// Rare branches of flow control.
//
//nolint:gochecknoglobals // marks register once
var (
	markWindowFull     = invariant.NewMark("raftstore: entries withheld from a follower, its window is full")
	markTurnFull       = invariant.NewMark("raftstore: proposal refused, too much is proposed at once")
	markAppendRefused  = invariant.NewMark("raftstore: append message refused, too much waits for the disk")
	markMessageRefused = invariant.NewMark("raftstore: message refused, too many answers wait for the disk")
)

// backlog is what a peer has handed to the append path and is not durable yet.
type backlog struct {
	// bytes are those of the entries' data, tasks the messages of raft's storage.
	bytes, tasks int
	// stepped are the bytes of the entries that came from a leader since the last
	// Ready, latest those of the last message, which is known by its probe.
	stepped, latest int
	probe           probe
}

// probe is what tells one append message from another: a leader's log only grows, so
// the rest follows.
type probe struct {
	term, index uint64
	entries     int
}

// tasksSlack is how many answers may wait for a disk beyond those that a full
// window is owed: to probes, one a heartbeat, and to candidates.
const tasksSlack = 64

// tasksMax bounds the tasks of a peer that wait for the disk: a leader sends each
// message of its window and, once it is committed, its commit index; as many again
// may be duplicates.
func (c *Config) tasksMax() int { return 4*c.MaxInflightMsgs + tasksSlack }

// turnBytesMax bounds what is proposed to a region in one turn, if it is more than
// one command.
func (c *Config) turnBytesMax() int {
	return int(max(c.MaxUncommittedBytes, c.MaxSizePerMsg))
}

// admits reports whether a peer can take what a message has it write. If not, the
// message is lost: the sender asks again, no sooner than a heartbeat later. What
// needs no disk passes, for leaders must be heard.
func (p *peer) admits(m *raftpb.Message) bool {
	b := &p.backlog
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgVote, raftpb.MsgPreVote:
	default:
		return true
	}
	if markMessageRefused.Sometimes(b.tasks >= p.s.cfg.tasksMax()) {
		return false
	}
	size := payload(m)
	pr := probe{m.GetTerm(), m.GetIndex(), len(m.GetEntries())}
	if size == 0 || b.stepped > 0 && b.probe == pr {
		return true // as many copies as a link has held back say nothing new
	}
	if markAppendRefused.Sometimes(uint64(b.bytes+b.stepped) >= p.s.cfg.MaxInflightBytes) {
		return false
	}
	b.stepped, b.latest, b.probe = b.stepped+size, size, pr
	return true
}

// withholds reports whether a message to a follower carries nothing although there
// is something to send: its window is full, and it is only asked whether it is
// still there. What the log database has was in the log when raft decided.
func (p *peer) withholds(m *raftpb.Message) bool {
	return m.GetType() == raftpb.MsgApp && len(m.GetEntries()) == 0 && m.GetIndex() < p.log.lastIndex
}

// growBacklog counts a task that begins to wait for the disk, and checks the bounds.
func (p *peer) growBacklog(size int) {
	b, cfg := &p.backlog, &p.s.cfg
	before := b.bytes
	b.bytes += size
	b.tasks++
	if most := p.backlogMax(before); size > 0 && b.bytes > most {
		if p.isLeader() {
			invariant.Fail("raftstore: %s: %d bytes wait for the leader's own disk, %d may", p, b.bytes, most)
		}
		invariant.Fail("raftstore: %s: %d bytes wait for the disk of a follower, %d may", p, b.bytes, most)
	}
	cfg.Backlogs.Append.grow(size)
}

// backlogMax is how many bytes may wait for the disk once a task has joined those before
// it.
func (p *peer) backlogMax(before int) int {
	cfg := &p.s.cfg
	switch {
	case p.isLeader() && before == 0:
		return max(cfg.turnBytesMax(), cfg.EntrySizeMax) + payloadSlack
	case p.isLeader():
		return int(cfg.MaxUncommittedBytes)
	case p.merge.catchingUp: // the entries come from a command that the store has taken
		return int(cfg.MaxInflightBytes) + p.backlog.latest + cfg.EntrySizeMax
	default:
		return int(cfg.MaxInflightBytes) + p.backlog.latest
	}
}

// overloads reports whether a leader's own disk has no room for proposals of that size.
func (p *peer) overloads(size int) bool {
	b := &p.backlog
	return b.bytes > 0 && uint64(b.bytes+size) > p.s.cfg.MaxUncommittedBytes
}

// shrinkBacklog takes leave of a task.
func (p *peer) shrinkBacklog(size int) {
	p.backlog.bytes -= size
	p.backlog.tasks--
	p.s.cfg.Backlogs.Append.shrink(size)
}

// Backlogs are the bytes of entries that wait on a store, all its regions together:
// to be durable in the log, and to be applied.
type Backlogs struct{ Append, Apply Backlog }

// begin forgets what has waited in an earlier process.
func (b *Backlogs) begin() { b.Append.Bytes, b.Apply.Bytes = 0, 0 }

// Backlog is how much waits in one place.
type Backlog struct {
	Bytes int
	Peak  int // the most so far
}

func (b *Backlog) grow(size int) {
	b.Bytes += size
	b.Peak = max(b.Peak, b.Bytes)
}

func (b *Backlog) shrink(size int) {
	b.Bytes -= size
	invariant.Check(b.Bytes >= 0, "raftstore: less than nothing waits")
}
