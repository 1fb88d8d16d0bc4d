package network

import (
	"math/bits"
	"time"

	"simrun/nodes/env"
	"simrun/sim/stream"
)

// perMille is certainty.
const perMille = 1000

// lane is the purpose of a draw. A message has one draw in each lane.
type lane uint64

const (
	laneLoss lane = iota
	laneJitter
	laneReorder
	laneReorderDetour
	laneDuplicate
	laneDuplicateDetour
	laneCount // not a lane; draws of message i of an instant begin at i*laneCount
)

// link is one direction between two addresses.
type link struct {
	net      *Network
	from, to env.Addr
	key      uint64 // of (seed, "network", from, to)

	config   LinkConfig
	degraded Degradation // sum of what faults have put on this link alone
	aimed    aimed       // what they have put on it for messages of one kind

	// What config, degraded and net.everywhere come to, by refresh.
	latency                  int64 // ns
	loss, duplicate, reorder int   // per mille, 0 to 1000

	cuts, clogs int // the link is whole, or runs freely, at zero

	// held are the packets that arrived while the link was clogged. While it
	// is not empty, every later arrival joins it: nobody overtakes.
	held      packetQueue
	releasing bool // a release is posted and has not run

	busyUntil   int64  // the transmitter is busy until then, if there is a Bandwidth
	lastArrival int64  // of the packets in order; the next one comes later
	sent        uint64 // number of originals sent
	newest      uint64 // highest number of an original that was delivered

	harm    Harm
	delayed bool // a degradation adds latency

	instant int64  // of the latest Send
	ordinal uint64 // of the latest message among those of the instant
}

func newLink(n *Network, from, to env.Addr) *link {
	l := &link{
		net: n, from: from, to: to,
		key:         stream.Key(n.seed, "network", uint64(from), uint64(to)),
		lastArrival: -1,
		instant:     -1,
	}
	config := n.config.Default
	if from == to {
		config = LinkConfig{}
	}
	l.configure(config)
	return l
}

func (l *link) configure(config LinkConfig) {
	if config.Detour == 0 {
		config.Detour = DefaultDetour
	}
	l.config = config
	l.refresh()
}

// refresh computes what is in force from the configuration and the
// degradations. The latency's draw is keyed by the link alone: it is the same
// whenever and however often it is taken.
func (l *link) refresh() {
	d := l.degraded.plus(l.net.everywhere)
	if l.from == l.to {
		d = Degradation{}
	}
	spread := uint64(l.config.LatencyMax-l.config.LatencyMin) + 1
	l.latency = int64(l.config.LatencyMin) + int64(stream.Scale(stream.At(l.key, 0), spread)) + int64(d.Latency)
	l.delayed = d.Latency > 0
	l.loss = min(l.config.Loss+d.Loss, perMille)
	l.duplicate = min(l.config.Duplicate+d.Duplicate, perMille)
	l.reorder = min(l.config.Reorder+d.Reorder, perMille)
}

// send decides everything about one message, its copy included. Which draws
// are looked at depends on the rates; their values do not.
func (l *link) send(payload []byte) {
	n := l.net
	now := n.loop.Now()
	draws := l.nextDraws(now)
	extra := l.aimedAt(payload)
	loss, duplicate, reorder := min(l.loss+extra.Loss, perMille), min(l.duplicate+extra.Duplicate, perMille), min(l.reorder+extra.Reorder, perMille)
	l.sent++
	n.stats.Sent++
	n.stats.Bytes += uint64(len(payload))

	switch {
	case l.cuts > 0:
		l.cut()
		return
	case draws.chance(laneLoss, loss):
		n.stats.Lost++
		if !draws.chance(laneLoss, l.config.Loss) {
			l.harm.Lost++
		}
		return
	}
	departure, ok := l.transmit(now, len(payload))
	if !ok {
		n.stats.Overflowed++
		return
	}
	arrival := departure + l.latency + int64(extra.Latency) + draws.below(laneJitter, int64(l.config.Jitter)+1)
	p := n.newPacket(l, payload)
	p.number = l.sent
	if l.delayed || extra.Latency > 0 {
		l.harm.Delayed++
	}
	switch {
	case draws.chance(laneReorder, reorder):
		if !draws.chance(laneReorder, l.config.Reorder) {
			l.harm.Reordered++
		}
		n.loop.Post(arrival+draws.detour(laneReorderDetour, l.config.Detour), p)
	case extra.Latency > 0:
		n.loop.Post(arrival, p)
	default:
		n.loop.Post(l.inOrder(arrival), p)
	}
	if draws.chance(laneDuplicate, duplicate) {
		if !draws.chance(laneDuplicate, l.config.Duplicate) {
			l.harm.Duplicated++
		}
		n.stats.Duplicated++
		n.loop.Post(arrival+draws.detour(laneDuplicateDetour, l.config.Detour), n.newPacket(l, payload))
	}
}

// cut counts a packet that is lost to a cut.
func (l *link) cut() {
	l.net.stats.Cut++
	l.harm.Cut++
}

// transmit queues size bytes on the link and returns the instant at which the
// last one has left, or false if the queue is too long.
func (l *link) transmit(now int64, size int) (departure int64, ok bool) {
	if l.config.Bandwidth == 0 {
		return now, true
	}
	start := max(now, l.busyUntil)
	if l.config.QueueMax > 0 && start-now > int64(l.config.QueueMax) {
		return 0, false
	}
	l.busyUntil = start + transmission(size, l.config.Bandwidth)
	return l.busyUntil, true
}

// transmission is the time that size bytes take, rounded up. The product is
// taken in 128 bits: gigabytes times nanoseconds exceed 64.
func transmission(size int, bandwidth int64) int64 {
	hi, lo := bits.Mul64(uint64(size), uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(bandwidth)-1, 0)
	quotient, _ := bits.Div64(hi+carry, lo, uint64(bandwidth))
	return int64(quotient)
}

// inOrder moves an arrival behind the one before it. A difference of 1 ns
// makes the order independent of how the loop orders simultaneous events.
func (l *link) inOrder(arrival int64) int64 {
	if l.config.Unordered {
		return arrival
	}
	l.lastArrival = max(arrival, l.lastArrival+1)
	return l.lastArrival
}

// arrive ends the flight of a packet at its destination.
func (l *link) arrive(p *packet) {
	n := l.net
	payload, number := p.payload, p.number
	n.freePacket(p) // before deliver, which may send and reuse the record
	if l.cuts > 0 {
		l.cut()
		return
	}
	if number != 0 {
		if number < l.newest {
			n.stats.Reordered++
		}
		l.newest = max(l.newest, number)
	}
	n.stats.Delivered++
	n.deliver(l.from, l.to, payload)
}

// release posts the delivery of what the link holds.
func (l *link) release() {
	if l.held.empty() || l.releasing {
		return
	}
	l.releasing = true
	l.net.loop.Post(l.net.loop.Now(), (*releaseEvent)(l))
}

// draws are the draws of one message.
type draws struct{ key, first uint64 }

// nextDraws returns the draws of the message that is being sent.
func (l *link) nextDraws(now int64) draws {
	if now != l.instant {
		l.instant, l.ordinal = now, 0
	} else {
		l.ordinal++
	}
	// The instant is shifted so that draw 0 of the link's key, its latency, is
	// not the key of a message.
	return draws{stream.At(l.key, uint64(now)+1), l.ordinal * uint64(laneCount)}
}

func (d draws) at(purpose lane) uint64 { return stream.At(d.key, d.first+uint64(purpose)) }

// chance is true with a chance of n per mille.
func (d draws) chance(purpose lane, n int) bool {
	return n > 0 && stream.Scale(d.at(purpose), perMille) < uint64(n)
}

// below returns a number in [0, n).
func (d draws) below(purpose lane, n int64) int64 {
	if n <= 1 {
		return 0
	}
	return int64(stream.Scale(d.at(purpose), uint64(n)))
}

// octaves is how many times the range of a detour is halved at most.
const octaves = 8

// detour returns a delay of at least 1 ns and at most limit. The low bits of
// the draw choose the magnitude, the draw as a whole the value.
func (d draws) detour(purpose lane, limit time.Duration) int64 {
	x := d.at(purpose)
	return 1 + int64(stream.Scale(x, max(uint64(limit)>>(x%octaves), 1)))
}
