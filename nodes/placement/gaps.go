package placement

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var markStaleGap = invariant.NewMark("placement: region older than one that was known of a gap rejected")

// gap is a range of which a region was known that has another one now, while
// those that have taken its place there have not reported themselves: of the
// parts of a split the first report leaves such a gap. Whoever gets the range is
// of a higher version. Without that the gap would be open to the late report of a
// region that was merged long ago. Gaps overlap neither regions nor each other.
type gap struct {
	start, end []byte // an empty end is the end of the key space
	version    uint64 // of the region that was known
}

func (g gap) region() *metapb.Region {
	return &metapb.Region{StartKey: g.start, EndKey: g.end, RegionEpoch: &metapb.RegionEpoch{Version: g.version}}
}

// without returns what is left of the gap outside of a range.
func (g gap) without(start, end []byte) (left []gap) {
	if !before(start, g.end) || !before(g.start, end) {
		return []gap{g}
	}
	if bytes.Compare(g.start, start) < 0 {
		left = append(left, gap{g.start, start, g.version})
	}
	if len(end) > 0 && before(end, g.end) {
		left = append(left, gap{end, g.end, g.version})
	}
	return left
}

// before reports whether a key lies before the end of a range.
func before(key, end []byte) bool { return len(end) == 0 || bytes.Compare(key, end) < 0 }

// newerGap returns a gap that a region overlaps and is too old for, nil if there
// is none.
func (d *regionDirectory) newerGap(r *regionInfo) *gap {
	for i, g := range d.gaps {
		if g.version > r.version() && before(g.start, r.end()) && before(r.start(), g.end) {
			return &d.gaps[i]
		}
	}
	return nil
}

// cover notes that a region takes the place of others, and of gaps.
func (d *regionDirectory) cover(r *regionInfo, others []*regionInfo) {
	gaps := d.gaps
	d.gaps = nil
	for _, other := range others {
		gaps = append(gaps, gap{other.start(), other.end(), other.version()})
	}
	for _, g := range gaps {
		d.gaps = append(d.gaps, g.without(r.start(), r.end())...)
	}
}
