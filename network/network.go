package network

import (
	"simrun/nodes/env"
)

// Loop is the part of the event loop that the network needs.
type Loop interface {
	// Now is the virtual time in nanoseconds since the start.
	Now() int64
	// Post runs e.Fire at that instant, which is not before Now.
	Post(at int64, e interface{ Fire() })
}

// Network is a set of links. Like everything under the loop it is used by one
// thread of control at a time.
type Network struct {
	loop    Loop
	seed    uint64
	deliver func(from, to env.Addr, payload []byte)
	config  Config

	// rows[from][to] is the link, or nil before its first use.
	rows [][]*link
	// links holds the same in order of creation, for walks over all.
	links []*link
	// everywhere is the sum of the degradations that lie on all links, those
	// included that do not exist yet.
	everywhere Degradation
	// aimed are those of them that are for one kind of messages.
	aimed aimed

	free     *packet // records of delivered packets, for reuse
	inFlight uint64  // packets that were posted or are held
	stats    Stats
}

// addrMax bounds addresses: the table of links is indexed by them.
const addrMax = 1 << 16

// New returns a network without links: they come into being when they are
// first used. deliver is called from the loop, once for every packet that
// arrives; it may send. The error says which field of the configuration is out
// of range.
func New(loop Loop, seed uint64, deliver func(from, to env.Addr, payload []byte), config Config) (*Network, error) {
	if err := config.Default.Validate(); err != nil {
		return nil, err
	}
	return &Network{loop: loop, seed: seed, deliver: deliver, config: config}, nil
}

// Send hands payload to the link between the two addresses. The network owns
// it from then on; a copy shares it.
func (n *Network) Send(from, to env.Addr, payload []byte) {
	n.link(from, to).send(payload)
}

// SetLink replaces the configuration of one link. Packets in flight keep the
// arrival that they drew.
func (n *Network) SetLink(from, to env.Addr, config LinkConfig) error {
	if err := config.Validate(); err != nil {
		return err
	}
	n.link(from, to).configure(config)
	return nil
}

// Cut stops everything from one address to another, what is in flight
// included, and reports whether the link was whole before. Cuts are counted:
// each needs a Heal of its own.
func (n *Network) Cut(from, to env.Addr) bool {
	l := n.link(from, to)
	l.cuts++
	return l.cuts == 1
}

// Heal takes one Cut back and reports whether the link is whole now. On a link
// that is not cut it does nothing, so that it may come after HealAll.
func (n *Network) Heal(from, to env.Addr) bool {
	l := n.link(from, to)
	l.cuts = max(l.cuts-1, 0)
	return l.cuts == 0
}

// Clog makes a link hold what arrives, and reports whether it ran freely
// before. Clogs are counted as cuts are.
func (n *Network) Clog(from, to env.Addr) bool {
	l := n.link(from, to)
	l.clogs++
	return l.clogs == 1
}

// Unclog takes one Clog back. A link that runs freely then delivers what it held, in
// the order of arrival, in the same instant.
func (n *Network) Unclog(from, to env.Addr) {
	l := n.link(from, to)
	l.clogs = max(l.clogs-1, 0)
	if l.clogs == 0 {
		l.release()
	}
}

// Degrade makes all links worse until Restore takes the same value back.
func (n *Network) Degrade(d Degradation) {
	if !n.aimed.add(d) {
		n.setEverywhere(n.everywhere.plus(d))
	}
}

// Restore takes one Degrade back.
func (n *Network) Restore(d Degradation) {
	if !n.aimed.remove(d) {
		n.setEverywhere(n.everywhere.minus(d))
	}
}

// DegradeLink makes one link worse until RestoreLink takes the same value back.
func (n *Network) DegradeLink(from, to env.Addr, d Degradation) {
	l := n.link(from, to)
	if !l.aimed.add(d) {
		l.degraded = l.degraded.plus(d)
		l.refresh()
	}
}

// RestoreLink takes one DegradeLink back.
func (n *Network) RestoreLink(from, to env.Addr, d Degradation) {
	l := n.link(from, to)
	if !l.aimed.remove(d) {
		l.degraded = l.degraded.minus(d)
		l.refresh()
	}
}

// HealAll ends every cut, clog and degradation. What the links held is
// delivered. Configurations stay: they are the network's nature, not a fault.
func (n *Network) HealAll() {
	n.everywhere, n.aimed = Degradation{}, nil
	for _, l := range n.links {
		l.cuts, l.clogs, l.degraded, l.aimed = 0, 0, Degradation{}, nil
		l.refresh()
		l.release()
	}
}

// Stats returns the counts since New.
func (n *Network) Stats() Stats { return n.stats }

// InFlight returns the number of packets that are under way or held.
func (n *Network) InFlight() uint64 { return n.inFlight }

func (n *Network) setEverywhere(d Degradation) {
	n.everywhere = d
	for _, l := range n.links {
		l.refresh()
	}
}

// link returns the link between two addresses and creates it if need be.
func (n *Network) link(from, to env.Addr) *link {
	if int(from) < len(n.rows) {
		if row := n.rows[from]; int(to) < len(row) && row[to] != nil {
			return row[to]
		}
	}
	return n.addLink(from, to)
}

func (n *Network) addLink(from, to env.Addr) *link {
	if from == 0 || to == 0 || from >= addrMax || to >= addrMax {
		panic("network: an address is zero or above 65535: addresses are small numbers that begin with 1")
	}
	for int(from) >= len(n.rows) {
		n.rows = append(n.rows, nil)
	}
	for int(to) >= len(n.rows[from]) {
		n.rows[from] = append(n.rows[from], nil)
	}
	l := newLink(n, from, to)
	n.rows[from][to] = l
	n.links = append(n.links, l)
	return l
}

// newPacket takes a record from the pool.
func (n *Network) newPacket(l *link, payload []byte) *packet {
	p := n.free
	if p == nil {
		p = new(packet)
	} else {
		n.free = p.next
	}
	*p = packet{link: l, payload: payload}
	n.inFlight++
	return p
}

// freePacket returns a record that is neither posted nor held any more.
func (n *Network) freePacket(p *packet) {
	*p = packet{next: n.free}
	n.free = p
	n.inFlight--
}
