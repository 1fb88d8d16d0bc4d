package raftstore

import (
	"fmt"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_serverpb"

	"simrun/nodes/engine"
)

// RegionOf returns the region that holds key, as far as this store knows, and
// whether it leads it; nil if it has no peer of it.
func (s *Store) RegionOf(key []byte) (region *metapb.Region, leads bool) {
	for _, p := range s.ranges {
		if !p.destroyed && contains(p.region, key) {
			return p.region, p.isLeader()
		}
	}
	return nil, false
}

// DumpLog returns the raft log of a region in readable form; see the function
// of that name.
func (s *Store) DumpLog(region uint64) ([]string, error) { return DumpLog(s.eng, region) }

// DumpRegions describes the regions in the databases of a store that may or may
// not be running, in the order of region ids, each in a line.
func DumpRegions(eng *engine.Engines) ([]string, error) {
	states, err := regionStates(eng)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(states))
	for i, state := range states {
		var st localStates // of a removed peer nothing is left
		if state.GetState() != raft_serverpb.PeerState_Tombstone {
			if st, err = loadStates(eng, state.GetRegion()); err != nil {
				return nil, err
			}
		}
		epoch := state.GetRegion().GetRegionEpoch()
		hard := asHardState(st.raft)
		lines[i] = fmt.Sprintf("region=%d state=%s range=[%q,%q) epoch=%d/%d term=%d vote=%d log=%d..%d commit=%d applied=%d",
			state.GetRegion().GetId(), state.GetState(), state.GetRegion().GetStartKey(), state.GetRegion().GetEndKey(),
			epoch.GetConfVer(), epoch.GetVersion(), hard.term, hard.vote, st.apply.GetTruncatedState().GetIndex()+1,
			st.raft.GetLastIndex(), hard.commit, st.apply.GetAppliedIndex())
	}
	return lines, nil
}
