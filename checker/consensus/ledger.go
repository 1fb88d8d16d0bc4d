package consensus

import (
	"fmt"
	"math"

	"simrun/checker/verdict"
)

// Peer names a replica of a group. No two peers of one group have one id, over
// the whole run.
type Peer struct{ Group, ID uint64 }

// HardState is what a peer must not forget.
type HardState struct{ Term, Vote, Commit uint64 }

// Entry is an entry of a log. Digest stands for what it holds.
type Entry struct{ Index, Term, Digest uint64 }

// Breach is a promise that was broken.
type Breach struct {
	Anomaly verdict.Anomaly
	Message string
}

// Error makes a Breach what a run can end with.
func (b Breach) Error() string { return fmt.Sprintf("%s: %s", b.Anomaly, b.Message) }

// Ledger sees what all peers of all groups do.
type Ledger struct {
	report func(Breach)
	groups map[uint64]*group
	// owners is whose a peer's id is: ids are unique over all groups if the
	// system gives them so.
	owners map[uint64]owner
	unique bool
	counts Counts
}

// Counts is what a Ledger has checked.
type Counts struct {
	Groups    uint64
	Elections uint64
	Entries   uint64 // appended, on all peers
	Commits   uint64 // entries that were committed, each once
	Reads     uint64
}

type owner struct {
	group uint64
	node  string
}

const noCut = math.MaxUint64

// group is what is known of one group.
type group struct {
	id    uint64
	peers map[uint64]*peer
	// leaders is who has led in a term.
	leaders map[uint64]*peer
	// entries holds, by index, the first entry that any peer has had there. Other
	// ones that were at the same index stand in variants.
	entries  []record
	variants map[Position]record
	// committed holds, by index, what was committed there, as far as any peer
	// knows; commit is the last index.
	committed []commit
	commit    uint64
	// configs is what the entry of an index has made of the group, epochs what the
	// group is in an epoch.
	configs map[uint64]string
	epochs  map[Epoch]string
}

// record is an entry as the ledger keeps it.
type record struct {
	term     uint64 // 0: none is known
	previous uint64 // the term of the entry before it
	digest   uint64
}

// commit is a committed entry.
type commit struct {
	term uint64 // of the entry; 0: none is known
	// by is a term in or before which it was committed: that of the peer that was
	// the first to say so.
	by uint64
	// effect is what it did to the first peer that applied it, if one has.
	effect  uint64
	applied bool
}

// peer is what is known of one peer.
type peer struct {
	Peer
	node string
	// hard and log are as raft has them, durable and stored as the disk does:
	// stored is the last entry there, of term 0 if the process has only found it.
	hard, durable HardState
	log           log
	stored        Position
	// cut is the index behind which a write may be under way that replaces
	// entries, noCut if there is none.
	cut uint64
	// before is the log that the last process had, and floor up to where it was on
	// disk: what a new process must find.
	before log
	floor  uint64
	led    uint64            // the last term in which it was elected
	votes  map[uint64]uint64 // by term, those that may be known to anybody
	end    string            // why it must not come back; "" if it may
}

// seen reports whether a process has ever had the peer.
func (p *peer) seen() bool { return p.node != "" }

// New returns a ledger that calls report for each promise that is broken. What it
// says of a peer after that is not to be trusted.
func New(report func(Breach)) *Ledger {
	return &Ledger{report: report, groups: map[uint64]*group{}, owners: map[uint64]owner{}}
}

// UniqueIDs makes the ledger check that peers of different groups have different
// ids.
func (l *Ledger) UniqueIDs() { l.unique = true }

// Counts returns what was checked so far.
func (l *Ledger) Counts() Counts {
	c := l.counts
	c.Groups = uint64(len(l.groups))
	return c
}

func (l *Ledger) fail(what verdict.Anomaly, p *peer, format string, args ...any) {
	l.report(Breach{what, fmt.Sprintf("peer %d of group %d on %s %s", p.ID, p.Group, p.node, fmt.Sprintf(format, args...))})
}

func (l *Ledger) group(id uint64) *group {
	g := l.groups[id]
	if g == nil {
		g = &group{
			id: id, peers: map[uint64]*peer{}, leaders: map[uint64]*peer{},
			variants: map[Position]record{}, configs: map[uint64]string{}, epochs: map[Epoch]string{},
		}
		l.groups[id] = g
	}
	return g
}

// find returns a peer and its group.
func (l *Ledger) find(name Peer) (*group, *peer) {
	g := l.group(name.Group)
	p := g.peers[name.ID]
	if p == nil {
		p = &peer{Peer: name, cut: noCut, votes: map[uint64]uint64{}}
		g.peers[name.ID] = p
	}
	return g, p
}
