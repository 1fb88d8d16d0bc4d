package state

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"simrun/checker/verdict"
)

// Names of the checkers in results.
const (
	ReplicasName  = "replicas"
	RegionsName   = "regions"
	DirectoryName = "directory"
	SnapshotsName = "snapshots"
)

// Replicas checks that replicas of a region that applied the same entries hold
// the same, and that no replica holds what is out of its range. Replicas at
// different indexes cannot be compared; if no two could be, it is Unknown.
func Replicas(replicas []Replica) verdict.Result {
	r := verdict.Result{Checker: ReplicasName}
	sorted := make([]*Replica, len(replicas))
	for i := range replicas {
		sorted[i] = &replicas[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Replica) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.AppliedIndex, b.AppliedIndex),
			cmp.Compare(a.Store, b.Store))
	})
	for i, p := range sorted {
		inRange(&r, p)
		if i == 0 || sorted[i-1].Region != p.Region || sorted[i-1].AppliedIndex != p.AppliedIndex {
			continue
		}
		r.Checked++
		if difference := differ(sorted[i-1], p); difference != "" {
			r.Add(verdict.Finding{
				Anomaly: verdict.ReplicaDiverged,
				Message: fmt.Sprintf("%s and %s differ: %s", sorted[i-1].name(), p.name(), difference),
			})
		}
	}
	if r.Checked == 0 && r.Verdict == verdict.OK {
		r.Undecided("no two replicas of a region have the same applied index")
	}
	return r
}

func inRange(r *verdict.Result, p *Replica) {
	for _, f := range p.families() {
		for _, row := range f.rows {
			if !p.holds(row.Key) {
				r.Add(verdict.Finding{
					Anomaly: verdict.OutOfRange,
					Message: fmt.Sprintf("%s holds %s %x, which is out of its range [%x, %x)", p.name(), f.name, row.Key, p.Start, p.End),
				})
				return
			}
		}
	}
}

// differ says in what two replicas differ, empty if in nothing.
func differ(a, b *Replica) string {
	switch {
	case a.AppliedTerm != b.AppliedTerm:
		return fmt.Sprintf("the entry applied last has term %d and %d", a.AppliedTerm, b.AppliedTerm)
	case !bytes.Equal(a.Start, b.Start) || !bytes.Equal(a.End, b.End):
		return fmt.Sprintf("the range is [%x, %x) and [%x, %x)", a.Start, a.End, b.Start, b.End)
	case a.ConfVer != b.ConfVer || a.Version != b.Version:
		return fmt.Sprintf("the epoch is conf %d version %d, and conf %d version %d", a.ConfVer, a.Version, b.ConfVer, b.Version)
	}
	if !slices.Equal(a.Members, b.Members) {
		return fmt.Sprintf("the members are %v and %v", a.Members, b.Members)
	}
	if a.Hash != 0 && b.Hash != 0 {
		if a.Hash == b.Hash {
			return ""
		}
		if d := differRows(a, b); d != "" {
			return d
		}
		return fmt.Sprintf("the data hashes to %016x and %016x", a.Hash, b.Hash)
	}
	return differRows(a, b)
}

// differRows names the first row that differs.
func differRows(a, b *Replica) string {
	fa, fb := a.families(), b.families()
	for f := range fa {
		x, y := fa[f].rows, fb[f].rows
		for i := 0; i < max(len(x), len(y)); i++ {
			switch {
			case i >= len(x) || (i < len(y) && bytes.Compare(y[i].Key, x[i].Key) < 0):
				return fmt.Sprintf("only %s has %s %x", b.Store, fa[f].name, y[i].Key)
			case i >= len(y) || bytes.Compare(x[i].Key, y[i].Key) < 0:
				return fmt.Sprintf("only %s has %s %x", a.Store, fa[f].name, x[i].Key)
			case !bytes.Equal(x[i].Value, y[i].Value):
				return fmt.Sprintf("%s %x holds %x and %x", fa[f].name, x[i].Key, x[i].Value, y[i].Value)
			}
		}
	}
	return ""
}

// Regions checks that the regions cover the key space once, as those replicas
// see it that are the most recent of their region. It holds when nothing is
// under way: in the middle of a split a replica may be late. For the same
// reason a store then has a replica for all that it holds; what Divide has found
// beyond that is a violation.
func Regions(replicas []Replica, strays ...Stray) verdict.Result {
	r := verdict.Result{Checker: RegionsName}
	for i := range strays {
		noStray(&r, &strays[i])
	}
	regions := regionsOf(replicas)
	r.Checked = len(regions)
	if len(regions) == 0 {
		r.Undecided("there is no region")
		return r
	}
	covered(&r, verdict.RegionMap, regions)
	return r
}

// noStray reports the first row in each family that belongs to no region.
func noStray(r *verdict.Result, s *Stray) {
	for _, f := range s.families() {
		if len(f.rows) > 0 {
			r.Add(verdict.Finding{
				Anomaly: verdict.OutOfRange,
				Message: fmt.Sprintf("%s holds %s %x (and %d more), which is in the range of none of its regions", s.Store, f.name, f.rows[0].Key, len(f.rows)-1),
			})
		}
	}
}

// regionsOf returns the most recent replica of each region, in the order of
// their ranges.
func regionsOf(replicas []Replica) []*Replica {
	newest := map[uint64]*Replica{}
	for i := range replicas {
		p := &replicas[i]
		if n := newest[p.Region]; n == nil || cmp.Or(cmp.Compare(p.Version, n.Version), cmp.Compare(p.ConfVer, n.ConfVer)) > 0 {
			newest[p.Region] = p
		}
	}
	return inOrder(slices.Collect(maps.Values(newest)))
}

// inOrder sorts regions by their ranges.
func inOrder(regions []*Replica) []*Replica {
	slices.SortFunc(regions, func(a, b *Replica) int {
		return cmp.Or(bytes.Compare(a.Start, b.Start), cmp.Compare(a.Region, b.Region))
	})
	return regions
}

// covered checks that sorted regions cover the key space once.
func covered(r *verdict.Result, a verdict.Anomaly, regions []*Replica) {
	var end []byte
	for i, p := range regions {
		switch c := bytes.Compare(end, p.Start); {
		case i > 0 && len(end) == 0, c > 0:
			r.Add(verdict.Finding{
				Anomaly: a,
				Message: fmt.Sprintf("regions %d and %d overlap at %x", regions[i-1].Region, p.Region, p.Start),
			})
		case c < 0:
			r.Add(verdict.Finding{
				Anomaly: a,
				Message: fmt.Sprintf("no region has the keys in [%x, %x), before region %d", end, p.Start, p.Region),
			})
		}
		end = p.End
	}
	if len(end) != 0 {
		r.Add(verdict.Finding{Anomaly: a, Message: fmt.Sprintf("no region has the keys from %x on", end)})
	}
}
