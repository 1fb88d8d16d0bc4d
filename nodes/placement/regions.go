package placement

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markStale        = invariant.NewMark("placement: report of a region rejected as stale")
	markStaleOverlap = invariant.NewMark("placement: region older than one that it overlaps rejected")
	markStaleEpoch   = invariant.NewMark("placement: region of an older epoch rejected")
	markStaleTerm    = invariant.NewMark("placement: region of an older term rejected")
	markAwaken       = invariant.NewMark("placement: stores asked to report all regions")
	markReplaced     = invariant.NewMark("placement: region replaced by newer ones that overlap it")
	markInherited    = invariant.NewMark("placement: region whose size is not known taken to be as large as before")
)

// regionInfo is what is known of a region.
type regionInfo struct {
	meta   *metapb.Region
	leader *metapb.Peer // nil until the first heartbeat
	term   uint64       // of the leader; 0 if not known

	// The rest is from the last heartbeat to this leadership; heard is set once
	// there was one.
	heard      bool
	at         time.Duration  // of that heartbeat, on the monotonic clock
	pending    []*metapb.Peer // members that wait for a snapshot
	size, keys uint64         // about
	measured   bool           // size and keys are not less than they were when they were reported
	// reshaped is when the range was seen to be another one, on the monotonic clock;
	// zero if this leadership has not seen it change.
	reshaped time.Duration
	// large is since when the region was reported to be far too large, or when it was
	// told to split last; zero if it is not. told is how often it was told, in vain.
	large time.Duration
	told  int
}

func (r *regionInfo) start() []byte { return r.meta.StartKey }
func (r *regionInfo) end() []byte   { return r.meta.EndKey }

func (r *regionInfo) version() uint64 { return r.meta.GetRegionEpoch().GetVersion() }
func (r *regionInfo) confVer() uint64 { return r.meta.GetRegionEpoch().GetConfVer() }

// tellsAs reports whether two heartbeats in one epoch of a region tell the same, whenever
// and in whatever term.
func (r *regionInfo) tellsAs(other *regionInfo) bool {
	return r.heard == other.heard && r.leader.GetId() == other.leader.GetId() &&
		slices.EqualFunc(r.pending, other.pending, func(a, b *metapb.Peer) bool { return a.Id == b.Id }) &&
		r.size == other.size && r.keys == other.keys && r.measured == other.measured &&
		r.large == other.large && r.told == other.told
}

// isPending reports whether a member waits for a snapshot.
func (r *regionInfo) isPending(peer uint64) bool {
	return slices.ContainsFunc(r.pending, func(p *metapb.Peer) bool { return p.Id == peer })
}

// inJoint reports whether the region is in a joint configuration.
func (r *regionInfo) inJoint() bool {
	return slices.ContainsFunc(r.meta.Peers, func(p *metapb.Peer) bool {
		return p.Role == metapb.PeerRole_IncomingVoter || p.Role == metapb.PeerRole_DemotingVoter
	})
}

// isVoter reports whether there is a peer and it votes, in no joint configuration.
func isVoter(p *metapb.Peer) bool { return p != nil && p.Role == metapb.PeerRole_Voter }

// voters returns the members that vote, in no joint configuration.
func (r *regionInfo) voters() []*metapb.Peer {
	return slices.DeleteFunc(slices.Clone(r.meta.Peers), func(p *metapb.Peer) bool { return !isVoter(p) })
}

// beyond reports whether key lies at or after the region's end.
func (r *regionInfo) beyond(key []byte) bool {
	return len(r.end()) > 0 && bytes.Compare(r.end(), key) <= 0
}

// regionDirectory is the map of regions as their leaders have reported it. It
// may have gaps; its regions never overlap.
type regionDirectory struct {
	byStart []*regionInfo
	byID    map[uint64]*regionInfo
	gaps    []gap
	// changes counts the reports that told anything new.
	changes uint64
}

func newRegionDirectory() *regionDirectory {
	return &regionDirectory{byID: map[uint64]*regionInfo{}}
}

// loadRegions begins with the regions as they were when they changed last.
// Without it clients would not find their way before the first heartbeats, and
// the heartbeat of a leader that was deposed long ago would be news. Who leads
// them is told by heartbeats alone.
func loadRegions(img Image) (*regionDirectory, error) {
	d := newRegionDirectory()
	return d, img.Load(prefixRegion, func(_ string, value []byte) error {
		meta := &metapb.Region{}
		if err := meta.Unmarshal(value); err != nil {
			return err
		}
		d.put(&regionInfo{meta: meta})
		return nil
	})
}

// reportRegion takes up what a leader says about its region.
func (l *leadership) reportRegion(r *regionInfo) error {
	if err := l.regions.check(r); err != nil {
		markStale.Reached()
		return err
	}
	r.note(l.regions.byID[r.meta.Id], l.s.env.Clock.Monotonic(), &l.s.cfg.Scheduling)
	changed, replaced := l.regions.put(r)
	if !changed {
		return nil
	}
	l.s.cfg.Observer.RegionKnown(l.term, r.meta)
	records := make([]Record, 0, 1+len(replaced))
	for _, old := range replaced {
		records = append(records, Record{Key: regionKey(old.meta.Id)})
	}
	// Nobody waits for it: a region that is forgotten is reported again.
	l.Save(append(records, regionRecord(r.meta)), func(error) {})
	return nil
}

// note sets what is known about the region since when; known is what was known
// before, nil if nothing was.
func (r *regionInfo) note(known *regionInfo, now time.Duration, cfg *Scheduling) {
	same := known != nil && known.version() == r.version()
	r.reshaped = now
	if same {
		r.reshaped = known.reshaped
	}
	// A leader that is new to the region does not know its size at first, which is
	// zero then (PD, core.RegionInfo.Inherit). For balancing it is what it was.
	r.measured = r.size > 0
	if cfg.merges() && same && markInherited.Sometimes(!r.measured && known.size > 0) {
		r.size, r.keys = known.size, known.keys
	}
	if cfg.tooLarge(r) {
		r.large = now
		if same && known.large != 0 {
			r.large, r.told = known.large, known.told
		}
	}
}

// staleError tells why a region is older than what is known.
type staleError struct {
	reported, known *metapb.Region
	why             string
}

func (e *staleError) Error() string {
	return fmt.Sprintf("region %s is stale: %s %s", describe(e.reported), e.why, describe(e.known))
}

// describe returns a region in the form id[start,end) version.confver.
func describe(r *metapb.Region) string {
	return fmt.Sprintf("%d[%q,%q) %d.%d", r.Id, r.StartKey, r.EndKey,
		r.GetRegionEpoch().GetVersion(), r.GetRegionEpoch().GetConfVer())
}

// check tells whether what a leader reports is at least as new as what is
// known. A split or merge raises the version of all regions that take part, so
// of two regions that overlap the one with the smaller version is gone.
func (d *regionDirectory) check(r *regionInfo) error {
	if known := d.byID[r.meta.Id]; known != nil {
		if r.version() < known.version() || r.confVer() < known.confVer() {
			markStaleEpoch.Reached()
			return &staleError{r.meta, known.meta, "known is epoch of"}
		}
		if r.term != 0 && r.term < known.term {
			markStaleTerm.Reached()
			return &staleError{r.meta, known.meta, "known is a later term of"}
		}
	}
	for _, other := range d.overlapping(r) {
		if other.meta.Id != r.meta.Id && r.version() < other.version() {
			markStaleOverlap.Reached()
			return &staleError{r.meta, other.meta, "overlaps newer"}
		}
	}
	if g := d.newerGap(r); g != nil {
		markStaleGap.Reached()
		return &staleError{r.meta, g.region(), "overlaps what was newer"}
	}
	return nil
}

// unheard reports whether there is a region of which this leadership has heard
// nothing.
func (d *regionDirectory) unheard() bool {
	return slices.ContainsFunc(d.byStart, func(r *regionInfo) bool { return !r.heard })
}

// put takes up a region that was checked. It reports whether its meta is new,
// and which regions it replaces.
func (d *regionDirectory) put(r *regionInfo) (changed bool, replaced []*regionInfo) {
	known := d.byID[r.meta.Id]
	if known != nil && known.version() == r.version() && known.confVer() == r.confVer() {
		if !known.tellsAs(r) {
			d.changes++
		}
		known.leader, known.term = r.leader, max(r.term, known.term)
		known.heard, known.at, known.pending, known.size, known.keys = true, r.at, r.pending, r.size, r.keys
		known.large, known.told, known.measured = r.large, r.told, r.measured
		return false, nil
	}
	d.changes++
	gone := slices.Clone(d.overlapping(r))
	if known != nil && !slices.Contains(gone, known) {
		gone = append(gone, known) // its range has moved away entirely
	}
	d.cover(r, gone)
	for _, other := range gone {
		d.remove(other)
		if other != known {
			markReplaced.Reached()
			replaced = append(replaced, other)
		}
	}
	i := d.search(r.start())
	d.byStart = slices.Insert(d.byStart, i, r)
	d.byID[r.meta.Id] = r
	d.checkOrder(i)
	return true, replaced
}

func (d *regionDirectory) remove(r *regionInfo) {
	i := d.search(r.start())
	invariant.Check(i < len(d.byStart) && d.byStart[i] == r, "placement: region %s is not in its place", describe(r.meta))
	d.byStart = slices.Delete(d.byStart, i, i+1)
	delete(d.byID, r.meta.Id)
}

// checkOrder checks that region i overlaps neither neighbour.
func (d *regionDirectory) checkOrder(i int) {
	r := d.byStart[i]
	if i > 0 {
		invariant.Check(d.byStart[i-1].beyond(r.start()), "placement: region %s overlaps %s", describe(r.meta), describe(d.byStart[i-1].meta))
	}
	if i+1 < len(d.byStart) {
		next := d.byStart[i+1]
		invariant.Check(r.beyond(next.start()), "placement: region %s overlaps %s", describe(r.meta), describe(next.meta))
	}
}

// search returns the index of the first region that begins at or after key.
func (d *regionDirectory) search(key []byte) int {
	i, _ := slices.BinarySearchFunc(d.byStart, key, func(r *regionInfo, key []byte) int {
		return bytes.Compare(r.start(), key)
	})
	return i
}

// from returns the regions from the one that holds key, or the first after it.
func (d *regionDirectory) from(key []byte) []*regionInfo {
	i := d.search(key)
	if i > 0 && !d.byStart[i-1].beyond(key) {
		i--
	}
	return d.byStart[i:]
}

// overlapping returns the regions that share a key with r.
func (d *regionDirectory) overlapping(r *regionInfo) []*regionInfo {
	regions := d.from(r.start())
	for i, other := range regions {
		if r.beyond(other.start()) {
			return regions[:i]
		}
	}
	return regions
}

// complete reports whether the regions leave no gap, and the leaders of all of
// them have told this leadership how they are.
func (d *regionDirectory) complete() bool {
	end := []byte(nil)
	for i, r := range d.byStart {
		if !r.heard || !bytes.Equal(r.start(), end) || i > 0 && len(end) == 0 {
			return false
		}
		end = r.end()
	}
	return len(d.byStart) > 0 && len(end) == 0
}

// onStore reports whether a region has a peer on a store.
func (d *regionDirectory) onStore(id uint64) bool {
	return slices.ContainsFunc(d.byStart, func(r *regionInfo) bool { return peerOn(r.meta, id) != nil })
}

// get returns the region that holds key, nil if it is not known.
func (d *regionDirectory) get(key []byte) *regionInfo {
	regions := d.from(key)
	if len(regions) == 0 || bytes.Compare(key, regions[0].start()) < 0 {
		return nil
	}
	return regions[0]
}
