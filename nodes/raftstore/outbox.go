package raftstore

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"
	"go.etcd.io/raft/v3/raftpb"
)

// outbox gathers the messages of a turn: one datagram for each store, whatever
// the number of regions.
type outbox struct {
	s *Store
	// batches are in the order in which stores were first written to.
	batches []*datagram
}

type datagram struct {
	store uint64
	buf   []byte
}

// link is the way from a peer to another member of its region.
type link struct {
	to       *metapb.Peer
	header   []byte // of every message
	datagram *datagram
}

// datagramMax is the size from which on a datagram is sent before the end of
// the turn.
const datagramMax = 1 << 20

func (o *outbox) init(s *Store) { o.s = s }

func (o *outbox) add(p *peer, m *raftpb.Message) {
	l := p.linkTo(m.GetTo())
	if l == nil {
		return // not a member any more, or not known yet
	}
	o.s.cfg.Auditor.Sent(p.regionID, p.id, m)
	var startKey, endKey []byte
	if isInitial(m) {
		startKey, endKey = p.region.GetStartKey(), p.region.GetEndKey()
	}
	l.datagram.buf = appendEnvelope(l.datagram.buf, l.header, m, startKey, endKey)
	if len(l.datagram.buf) >= datagramMax {
		o.send(l.datagram)
	}
	o.s.scheduleTurn() // for flush, should this not be a turn
}

// sendExtra sends a message that is none of raft's to another member.
func (p *peer) sendExtra(to uint64, t raft_serverpb.ExtraMessageType, index uint64) {
	l := p.linkTo(to)
	if l == nil {
		return
	}
	l.datagram.buf = appendExtra(l.datagram.buf, l.header, t, index)
	if len(l.datagram.buf) >= datagramMax {
		p.s.outbox.send(l.datagram)
	}
	p.s.scheduleTurn()
}

// isInitial reports whether a message may be the first that a peer gets from
// its region. Such messages tell the range, so that the receiver can see whether
// it has to wait for a split.
func isInitial(m *raftpb.Message) bool {
	switch m.GetType() {
	case raftpb.MsgVote, raftpb.MsgPreVote:
		return true
	case raftpb.MsgHeartbeat:
		return m.GetCommit() == 0
	default:
		return false
	}
}

func (o *outbox) flush() {
	for _, d := range o.batches {
		if len(d.buf) > 0 {
			o.send(d)
		}
	}
}

func (o *outbox) send(d *datagram) {
	if !o.s.dead {
		o.s.transport.Send(d.store, d.buf)
	}
	d.buf = d.buf[:0]
}

func (o *outbox) to(store uint64) *datagram {
	for _, d := range o.batches {
		if d.store == store {
			return d
		}
	}
	d := &datagram{store: store}
	o.batches = append(o.batches, d)
	return d
}

// linkTo returns the link to a member, nil if it is not known where it is.
func (p *peer) linkTo(id uint64) *link {
	for i := range p.links {
		if p.links[i].to.GetId() == id {
			return &p.links[i]
		}
	}
	to := p.member(id)
	if to == nil {
		return nil
	}
	p.links = append(p.links, link{to, appendHeader(nil, p, to), p.s.outbox.to(to.GetStoreId())})
	return &p.links[len(p.links)-1]
}
