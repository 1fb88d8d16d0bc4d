package raftstore

import "simrun/nodes/invariant"

// What a store says of the size of its regions decides which of them the placement
// driver merges. A size that is too low is dangerous: a region that counts as small
// whatever it has absorbed goes on absorbing, and what is merged is split again. So
// with Config.ExactSizes a leader reports what it has scanned, and what was written
// since: at least what is there. As long as it has not scanned, it says so, with a
// size of zero, by which PD knows that it must not merge a region either
// (server/schedule/checker/merge_checker.go).
//
// A count is over with the process, with a snapshot, which brings data that nobody
// has counted, and with a change of the range. Of two regions that become one each
// leader has measured its own, and the peer that leads the union may have measured
// neither; of one that becomes many nobody has counted the parts. Deletions make a
// count too high, and no scan is due for what has become too large: whatever has
// changed is scanned at the next look. A region of TiKV waits until a sixteenth of
// the greatest size was written (region-split-check-diff); here that would be a
// handful of entries.

//nolint:gochecknoglobals // marks register once
var (
	markMeasured      = invariant.NewMark("raftstore: region measured")
	markMeasuredAgain = invariant.NewMark("raftstore: region found to have less than what was counted")
	markUnmeasured    = invariant.NewMark("raftstore: region reported whose size is not known")
)

// reportedSize returns what a leader reports of the size of its region: zero if it
// is not known.
func (p *peer) reportedSize() (size, keys uint64) {
	if !p.s.cfg.ExactSizes {
		return p.size, p.keys
	}
	if markUnmeasured.Sometimes(!p.measured) {
		return 0, 0
	}
	return max(p.size, 1), p.keys
}

// setSize takes up what a scan has found. What was written while it went on is
// counted on top, for the scan may have passed it already.
func (p *peer) setSize(m *measure) {
	if p.s.cfg.ExactSizes && p.measured && (m.size > p.size || m.keys > p.keys) {
		invariant.Fail("raftstore: %s: holds %d entries of %d bytes, where %d of %d bytes were counted", p, m.keys, m.size, p.keys, p.size)
	}
	markMeasured.Reached()
	markMeasuredAgain.Sometimes(p.measured && m.keys < p.keys)
	p.size, p.keys, p.measured = m.size+p.grown, m.keys+p.grownKeys, true
}

// absorbSize adds the size of a region that was absorbed. Where sizes need not be
// exact, its entries count when the union is measured next: a split by their number
// is put off, no more.
func (p *peer) absorbSize(source *peer) {
	p.size += source.size
	if p.s.cfg.ExactSizes {
		p.keys += source.keys
		p.measured = false
	}
}

// divideSize is told that the region is one of as many as it was divided into.
func (p *peer) divideSize(parts int) {
	p.size /= uint64(parts)
	p.keys /= uint64(parts)
	p.measured = p.measured && !p.s.cfg.ExactSizes
}
