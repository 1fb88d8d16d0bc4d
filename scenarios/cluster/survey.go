package cluster

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/raftstore"
)

// located is a replica and where it is.
type located struct {
	raftstore.RegionInfo
	on *store
}

// regionView is what is known of a region by whoever sees all stores.
type regionView struct {
	// newest is the region in its newest epoch, as a replica has it, or as one had
	// it that is lost.
	newest   *metapb.Region
	replicas []*located
	// leader leads in the highest term, nil if nobody does who does not stand still.
	leader *located
}

// survey looks at all regions, in the order of their ids.
func (c *Cluster) survey() []*regionView {
	views := map[uint64]*regionView{}
	at := func(r *metapb.Region) *regionView {
		v := views[r.Id]
		if v == nil {
			v = &regionView{newest: r}
			views[r.Id] = v
		}
		if len(r.Peers) > 0 && compareEpochs(r, v.newest) > 0 {
			v.newest = r
		}
		return v
	}
	for _, l := range c.losses {
		for _, r := range l.regions {
			at(r)
		}
	}
	for _, s := range c.stores {
		if s.server == nil {
			continue
		}
		for _, r := range s.server.Regions() {
			v := at(r.Region)
			v.replicas = append(v.replicas, &located{r, s})
		}
	}
	list := make([]*regionView, 0, len(views))
	for _, id := range slices.Sorted(maps.Keys(views)) {
		v := views[id]
		v.leader, _ = bestLeader(v.replicas, func(r *located) (raftstore.RegionInfo, bool) {
			return r.RegionInfo, !r.on.node.Paused()
		})
		list = append(list, v)
	}
	return slices.DeleteFunc(slices.Clone(list), func(v *regionView) bool { return v.outlived(list) })
}

// outlived reports whether nothing is left of a region but what was lost of it,
// and others hold its keys by now in newer versions.
func (v *regionView) outlived(all []*regionView) bool {
	return len(v.replicas) == 0 && slices.ContainsFunc(all, func(o *regionView) bool {
		return len(o.replicas) > 0 && o.newest.GetRegionEpoch().GetVersion() > v.newest.GetRegionEpoch().GetVersion() &&
			o.overlaps(v.newest.StartKey, v.newest.EndKey)
	})
}

// compareEpochs tells which of two states of a region is newer. Of one epoch it is
// the one that knows of more members: a peer that has no data yet knows of none.
func compareEpochs(a, b *metapb.Region) int {
	return cmp.Or(compareEpoch(a.GetRegionEpoch(), b.GetRegionEpoch()), cmp.Compare(len(a.Peers), len(b.Peers)))
}

// compareEpoch tells which epoch is later: the version counts first, for splits and
// merges raise it, and the changes of members between two of them the other number.
func compareEpoch(x, y *metapb.RegionEpoch) int {
	return cmp.Or(cmp.Compare(x.GetVersion(), y.GetVersion()), cmp.Compare(x.GetConfVer(), y.GetConfVer()))
}

// votes counts the voters of a configuration, in both halves of a joint one, and
// those of them that count.
type votes struct{ had, have [2]int }

// votesOf counts the voters for which counts holds.
func votesOf(r *metapb.Region, counts func(p *metapb.Peer) bool) (v votes) {
	for _, p := range r.Peers {
		for set, voter := range [2]bool{
			p.Role == metapb.PeerRole_Voter || p.Role == metapb.PeerRole_IncomingVoter,
			p.Role == metapb.PeerRole_Voter || p.Role == metapb.PeerRole_DemotingVoter,
		} {
			if !voter {
				continue
			}
			v.had[set]++
			if counts(p) {
				v.have[set]++
			}
		}
	}
	return v
}

// quorum reports whether those that count are a majority of each half.
func (v votes) quorum() bool { return v.have[0] > v.had[0]/2 && v.have[1] > v.had[1]/2 }

// replica returns the replica that a member has, nil if there is none.
func (v *regionView) replica(p *metapb.Peer) *located {
	for _, r := range v.replicas {
		if r.Peer == p.Id && r.on.id == p.StoreId {
			return r
		}
	}
	return nil
}

// alive reports whether a member is up and has its data.
func (v *regionView) alive(p *metapb.Peer) bool {
	r := v.replica(p)
	return r != nil && len(r.Region.Peers) > 0
}

// overlaps reports whether the region, of which something has to be known, holds a
// part of a range of keys.
func (v *regionView) overlaps(start, end []byte) bool {
	return len(v.newest.Peers) > 0 && overlap(v.newest, &metapb.Region{StartKey: start, EndKey: end})
}
