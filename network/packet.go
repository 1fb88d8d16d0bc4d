package network

// packet is one message or copy on its way: an event of the loop, pooled.
type packet struct {
	link    *link
	payload []byte
	number  uint64  // of the original on its link, from 1; zero for a copy
	next    *packet // in the pool or in a link's queue
}

// Fire is the packet's arrival.
func (p *packet) Fire() {
	l := p.link
	if l.clogs > 0 || !l.held.empty() {
		l.net.stats.Clogged++
		l.harm.Clogged++
		l.held.push(p)
		return
	}
	l.arrive(p)
}

// releaseEvent is the link as the event that delivers what it holds. A link
// has at most one posted.
type releaseEvent link

// Fire delivers the held packets in order, until the link is clogged again.
func (e *releaseEvent) Fire() {
	l := (*link)(e)
	l.releasing = false
	for l.clogs == 0 && !l.held.empty() {
		l.arrive(l.held.pop())
	}
}

// packetQueue is first in, first out, chained through the packets.
type packetQueue struct{ head, tail *packet }

func (q *packetQueue) empty() bool { return q.head == nil }

func (q *packetQueue) push(p *packet) {
	p.next = nil
	if q.tail == nil {
		q.head = p
	} else {
		q.tail.next = p
	}
	q.tail = p
}

func (q *packetQueue) pop() *packet {
	p := q.head
	q.head = p.next
	if q.head == nil {
		q.tail = nil
	}
	p.next = nil
	return p
}
