package network

import "simrun/nodes/env"

// Harm counts the messages to which something happened that would not have
// happened on the healthy link: it says of a fault whether it met anybody. What
// the link's own configuration loses, copies or detours is not counted.
type Harm struct {
	Cut, Clogged                         uint64 // as in Stats
	Lost, Duplicated, Reordered, Delayed uint64 // because of a Degradation
}

func (h *Harm) add(o Harm) {
	h.Cut += o.Cut
	h.Clogged += o.Clogged
	h.Lost += o.Lost
	h.Duplicated += o.Duplicated
	h.Reordered += o.Reordered
	h.Delayed += o.Delayed
}

// Harm returns the counts of one link since New.
func (n *Network) Harm(from, to env.Addr) Harm { return n.link(from, to).harm }

// TotalHarm returns the counts of all links since New.
func (n *Network) TotalHarm() Harm {
	var sum Harm
	for _, l := range n.links {
		sum.add(l.harm)
	}
	return sum
}
