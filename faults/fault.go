package faults

import (
	"fmt"
	"slices"
	"time"
)

// TimeMax bounds At, For and Within: a day of virtual time.
const TimeMax = 24 * time.Hour

// Fault is one line of a schedule. Which fields a kind uses is said with each
// field; the others must be zero.
type Fault struct {
	// At is the instant, counted from the start of the schedule.
	At time.Duration
	// For is how long the fault lasts from the moment at which it takes effect.
	// Zero lasts until the calm. Momentary kinds do not use it.
	For time.Duration
	// Kind is what happens.
	Kind Kind

	// Targets are the nodes that it happens to; for Partition, Clog and Network
	// the nodes on one side of the links. Network uses none to mean all links.
	// Split, TransferLeader and MergeRegions use none; AddPeer, RemovePeer and MovePeer
	// use one, the store that gets or loses the peer; Join, Drain and Destroy use the
	// stores that come and go.
	Targets []Target
	// Peers are the nodes on the other side (Partition, Clog, Network), or the
	// store to which a peer moves (MovePeer).
	Peers []Target
	// Directed restricts a fault between Targets and Peers to the links from
	// Targets to Peers (Partition, Clog, Network).
	Directed bool

	// Degradation is what happens to the links (Network); at least one of its
	// fields is not zero.
	Degradation Degradation

	// Op counts disk operations from At on; the node crashes at that one
	// (PowerLoss, Kill). Zero crashes it at once.
	Op int
	// Within is how long an armed crash or error waits for its operation; after
	// that it no longer happens. Zero waits until the calm. Only with Op or Nth; or
	// (Restart) how long a node may take to hand its leaders over before it is taken
	// down in any case. Then zero leaves it no time for that.
	Within time.Duration

	// Jump is how far the wall clock moves (ClockJump); not zero.
	Jump time.Duration
	// Drift is by how many parts per million the clocks run fast, or slow if
	// negative (ClockDrift); not zero.
	Drift int
	// Factor is how many times longer disk operations take (DiskSlow).
	Factor int
	// Access is what fails (DiskError), and Nth is which one, counted from At
	// on, beginning with 1: of all writes and syncs of the disk, or of the reads
	// of one table, which the disk chooses.
	Access Access
	Nth    int
	// Regardless empties a disk even if data is lost by that which no copy is left
	// of (Wipe).
	Regardless bool
	// Key is the key to split at (Split), or a key of the region whose leader
	// is to move (TransferLeader) or whose peers are (AddPeer, RemovePeer,
	// MovePeer), or which is to go into a neighbour (MergeRegions).
	Key string
}

// Degradation is what a Network fault adds to links.
type Degradation struct {
	// Loss, Duplicate and Reorder are chances per message, per mille.
	Loss, Duplicate, Reorder int
	// Latency is added to every message.
	Latency time.Duration
	// Of restricts it to messages of one kind, by a name of the system's protocol;
	// empty is all. They are delayed each for itself: what is behind one passes it.
	Of string
}

// Access is a direction of disk access.
type Access uint8

// The directions. The zero value is none.
const (
	_         Access = iota
	Read             // of a table
	Write            // of any file's contents, or a sync of it or of a directory
	accessEnd        // not an access
)

func (a Access) String() string {
	switch a {
	case Read:
		return "read"
	case Write:
		return "write"
	case accessEnd:
	}
	return fmt.Sprintf("Access(%d)", uint8(a))
}

// Equal reports whether two faults are the same.
func (f Fault) Equal(g Fault) bool {
	if !slices.Equal(f.Targets, g.Targets) || !slices.Equal(f.Peers, g.Peers) {
		return false
	}
	f.Targets, f.Peers, g.Targets, g.Peers = nil, nil, nil, nil
	return f.same(g)
}

// same compares all but the lists.
func (f Fault) same(g Fault) bool {
	return f.At == g.At && f.For == g.For && f.Kind == g.Kind && f.Directed == g.Directed &&
		f.Degradation == g.Degradation && f.Op == g.Op && f.Within == g.Within &&
		f.Jump == g.Jump && f.Drift == g.Drift && f.Factor == g.Factor &&
		f.Access == g.Access && f.Nth == g.Nth && f.Regardless == g.Regardless && f.Key == g.Key
}

// Validate reports whether the fault can be written down: the text form is the
// definition of what a fault may be.
func (f Fault) Validate() error {
	text := f.String()
	parsed, err := Parse(text)
	if err != nil {
		return err
	}
	if !parsed.Equal(f) {
		return fmt.Errorf("faults: %q sets fields that %v does not use, or leaves out ones that it needs", text, f.Kind)
	}
	return nil
}
