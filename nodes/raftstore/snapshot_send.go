package raftstore

import (
	"errors"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// snapshotTries is how often in a row a sender gets no further until it gives
// up, and tells raft so.
const snapshotTries = 4

var errSnapshotVoid = errors.New("the peer leads no more, or the receiver was removed")

// sendSnapshot starts to send the snapshot of a MsgSnap.
func (p *peer) sendSnapshot(m *raftpb.Message) {
	s := p.s
	o := p.takeOffered(m.GetSnapshot().GetMetadata().GetIndex())
	to := peerByID(p.region, m.GetTo())
	if markSnapshotRemoved.Sometimes(to == nil) {
		return // it was removed since raft has asked for the snapshot
	}
	out := &snapshotStream{
		s: s, p: p, snapshot: o, term: m.GetTerm(), to: m.GetTo(), store: to.GetStoreId(), message: p.snapshotMessage(m, to),
	}
	s.sending++
	o.sends++
	s.env.Sched.Go("send snapshot", func(t env.Task) {
		err := out.send(t)
		s.sending--
		o.sends--
		o.used = s.env.Clock.Monotonic()
		p.snapshotSent(out, err)
	})
}

// snapshotSent tells raft what became of a snapshot, so that it goes on.
func (p *peer) snapshotSent(out *snapshotStream, err error) {
	if p.destroyed || p.s.dead {
		return
	}
	p.stir()
	p.catchUp()
	status := raft.SnapshotFinish
	if err != nil {
		markSnapshotFailed.Reached()
		status = raft.SnapshotFailure
		p.node.ReportUnreachable(out.to)
		p.s.logf("region %d: snapshot at %d to peer %d: %v", p.regionID, out.snapshot.id.index, out.to, err)
	} else {
		markSnapshotSent.Reached()
		p.s.cfg.Observer.SnapshotMoved(p.regionID, SnapshotSent)
	}
	p.node.ReportSnapshot(out.to, status)
	p.s.markDirty(p)
}

// snapshotStream sends one snapshot to one peer. The receiver says where to go
// on: at the beginning, or after what it has from an earlier stream.
type snapshotStream struct {
	s         *Store
	p         *peer
	snapshot  *outgoing
	term      uint64 // in which it was sent
	to, store uint64
	message   *raft_serverpb.RaftMessage
	f         vfs.File
	tries     int // in a row without progress
}

// send asks the receiver what it has and sends what is missing. A lost chunk or
// answer makes it ask again, a busy receiver makes it wait before.
func (o *snapshotStream) send(t env.Task) error {
	id := o.snapshot.id
	var err error
	if o.f, err = o.s.snaps.read(id.name(outgoingFile)); err != nil {
		invariant.Check(o.s.dead || !errors.Is(err, fs.ErrNotExist), "raftstore: %s: the snapshot to be sent is gone: %v", o.p, err)
		return o.unreadable(err)
	}
	defer o.f.Close() //nolint:errcheck // it was read only
	var frame []byte
	for at := uint64(0); ; {
		chunk := &raft_serverpb.SnapshotChunk{Message: o.message, Data: chunkData(at, frame)}
		answer, err := o.s.transport.SendSnapshotChunk(t, o.store, chunk)
		if o.void() {
			markSnapshotVoid.Reached()
			return errSnapshotVoid
		}
		if err != nil || answer.Refusal != nil {
			if err = o.backOff(t, err, answer); err != nil {
				return err
			}
			frame = nil
			continue
		}
		if answer.Next >= id.size {
			return nil
		}
		if frame == nil && answer.Next > 0 {
			markSnapshotResumed.Reached()
			o.s.cfg.Observer.SnapshotMoved(id.region, SnapshotResumed)
		}
		if answer.Next > at {
			o.tries = 0
		}
		at = answer.Next
		if frame, err = readFrame(o.f, at, id.size); err != nil {
			return o.unreadable(err)
		}
		if wait := o.s.throttle.reserve(o.s.env.Clock.Monotonic(), len(frame)); wait > 0 {
			markSnapshotThrottled.Reached()
			t.Sleep(wait)
		}
	}
}

// unreadable ends a stream whose file cannot be read: it is not offered again, so
// that another is made.
func (o *snapshotStream) unreadable(err error) error {
	markSnapshotUnreadable.Reached()
	o.snapshot.stale = true
	return err
}

// backOff decides what follows on a chunk that was not taken, or not answered:
// another attempt, or an error.
func (o *snapshotStream) backOff(t env.Task, err error, answer *SnapshotAnswer) error {
	o.tries++
	if err != nil {
		if o.tries < snapshotTries {
			markSnapshotBroken.Reached()
			return nil
		}
		return err
	}
	if answer.Refusal.GetServerIsBusy() == nil || o.tries >= snapshotTries {
		return errors.New("refused: " + answer.Refusal.GetMessage())
	}
	markSnapshotBackedOff.Reached()
	t.Sleep(o.s.cfg.TickInterval << o.tries)
	return nil
}

// void reports whether the snapshot need not be sent any more.
func (o *snapshotStream) void() bool {
	p := o.p
	return o.s.dead || p.destroyed || !p.isLeader() || p.term() != o.term || peerByID(p.region, o.to) == nil
}

// throttle bounds the bytes that a store sends a second, over all its snapshots,
// so that they do not take the network from those who are served.
type throttle struct {
	rate int           // bytes a second
	free time.Duration // when all that was reserved is sent
}

// reserve returns how long to wait before n bytes may be sent.
func (l *throttle) reserve(now time.Duration, n int) (wait time.Duration) {
	wait = max(l.free-now, 0)
	l.free = now + wait + time.Duration(int64(n)*int64(time.Second)/int64(l.rate))
	return wait
}
