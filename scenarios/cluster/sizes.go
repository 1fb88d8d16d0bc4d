package cluster

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/checker"
	"simrun/checker/verdict"
	"simrun/nodes/engine"
	"simrun/nodes/invariant"
	"simrun/nodes/raftstore"
)

// The placement driver merges regions by what their leaders have reported. Once
// nobody writes any more it can be compared with what is there.
//
// While there are writes, a region may be larger than the last report of it says:
// reports come late, and a merge takes its time. So nothing follows from a merge of
// regions that are too large then. When the last client has ended, only the stores
// themselves write, which commit or roll back what was under way, or collect it;
// after a few looks and reports everybody has told what there is. A merge that is
// begun then has to be one of regions that are small, and in the end no two
// neighbours may be left that both are.

//nolint:gochecknoglobals // marks register once
var (
	markMergeJudged = invariant.NewMark("cluster: merge begun when all sizes are known, of two small regions")
	markMergedAll   = invariant.NewMark("cluster: no small neighbours are left, where regions are merged")
)

// content is what a region holds, as its leader measures it: without its locks.
type content struct{ bytes, entries uint64 }

// small reports whether a region of that content may be merged.
func (c *Cluster) small(has content) bool {
	s := &c.plan.Scheduling
	return s.Merges() && (s.MergeSize == 0 || has.bytes <= uint64(s.MergeSize)) && (s.MergeKeys == 0 || has.entries <= uint64(s.MergeKeys))
}

// content counts what a store holds of a region.
func (s *store) content(r *metapb.Region) (has content) {
	for _, cf := range []engine.CF{engine.Default, engine.Write} {
		bounds := engine.IterOptions{Lower: r.StartKey}
		if len(r.EndKey) > 0 {
			bounds.Upper = r.EndKey
		}
		it, err := s.server.Engines().KV.NewIter(cf, bounds)
		if err != nil {
			panic(fmt.Errorf("cannot read a store to see how large region %d is: %w", r.Id, err))
		}
		for ok := it.First(); ok; ok = it.Next() {
			has.entries++
			has.bytes += uint64(len(it.Key()) + len(it.Value()))
		}
		it.Close()
	}
	return has
}

// MergeBegun implements placement.Observer.
func (w schedulingObserver) MergeBegun(source, target *metapb.Region) {
	c := w.c
	k, s := &c.plan.Knobs, &c.plan.Scheduling
	if c.awaited == 0 || c.World.Now()-c.awaited < int64(2*(s.SplitCheck+k.RegionHeartbeat)) {
		return
	}
	for _, r := range []*metapb.Region{source, target} {
		holder := c.leads(r)
		if holder == nil {
			return // nobody leads it as it was reported: it will come to nothing
		}
		if has := holder.content(r); !c.small(has) {
			invariant.Fail("merging: %s merges region %d into region %d, of which region %d holds %d entries of %d bytes: up to %d entries and %d bytes are small (0: any)",
				w.node, source.Id, target.Id, r.Id, has.entries, has.bytes, s.MergeKeys, s.MergeSize)
		}
	}
	markMergeJudged.Reached()
}

// leads returns the store that leads a region in the range that is given, nil if
// there is none.
func (c *Cluster) leads(r *metapb.Region) *store {
	best, _ := bestLeader(c.stores, func(s *store) (raftstore.RegionInfo, bool) {
		status, ok := s.regionByID(r.Id)
		return status, ok && status.Region.RegionEpoch.Version == r.RegionEpoch.Version
	})
	return best
}

// lookMax is the longest time between two looks of the stores at their regions after
// which merges are waited for in the end: before it nobody knows how large any is.
const lookMax = 5 * time.Second

// awaitsMerges reports whether neighbours that are small have to be merged in the
// end.
func (c *Cluster) awaitsMerges() bool {
	s := &c.plan.Scheduling
	return s.Interval > 0 && s.ReplicaCheck && s.Merges() && time.Duration(s.SplitCheck) <= lookMax
}

// unmerged adds the first two neighbours that should have been merged.
func (c *Cluster) unmerged(to *checker.Result) {
	if !c.awaitsMerges() {
		return
	}
	var small []*metapb.Region
	for _, s := range c.present() {
		if s.server == nil {
			continue
		}
		for _, r := range s.server.Regions() {
			if r.IsLeader && c.small(s.content(r.Region)) {
				small = append(small, r.Region)
			}
		}
	}
	slices.SortFunc(small, func(a, b *metapb.Region) int { return bytes.Compare(a.StartKey, b.StartKey) })
	for i := 1; i < len(small); i++ {
		if precedes(small[i-1], small[i]) {
			to.Add(verdict.Finding{Anomaly: verdict.Unmerged, Message: fmt.Sprintf("regions %d and %d are neighbours, and both are small", small[i-1].Id, small[i].Id)})
			return
		}
	}
	markMergedAll.Reached()
}
