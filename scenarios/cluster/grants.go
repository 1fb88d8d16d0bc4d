package cluster

import "simrun/nodes/invariant"

// grants compares what all members of the placement driver hand out: each number
// once, and in a later term only greater ones than in any earlier, whoever leads.
// It implements placement.Grants.
type grants struct{ timestamps, ids sequence }

// Timestamps implements placement.Grants.
func (g *grants) Timestamps(term, first, last uint64) {
	g.timestamps.take("timestamps", term, first, last)
}

// IDs implements placement.Grants.
func (g *grants) IDs(term, first, last uint64) { g.ids.take("ids", term, first, last) }

// sequence is what was handed out of one kind, by term: there are as many as
// leaders.
type sequence struct{ terms []handedOut }

// handedOut are the least and the greatest number of a term.
type handedOut struct{ term, first, last uint64 }

func (s *sequence) take(what string, term, first, last uint64) {
	var own *handedOut
	for i := range s.terms {
		other := &s.terms[i]
		switch {
		case other.term == term && other.last < first:
			own = other
			continue
		case other.term < term && other.last < first, other.term > term && other.first > last:
			continue
		}
		invariant.Fail("grants: %s from %d to %d in term %d, and from %d to %d in term %d",
			what, first, last, term, other.first, other.last, other.term)
	}
	if own == nil {
		s.terms = append(s.terms, handedOut{term, first, last})
		return
	}
	own.last = last
}
