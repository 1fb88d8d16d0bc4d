package raftstore

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
)

// Regions are immutable once published: a change makes a new one.

// initialised reports whether the region is more than an id: an uninitialised
// peer learns its region from a snapshot.
func initialised(r *metapb.Region) bool { return len(r.GetPeers()) > 0 }

// contains reports whether the region holds key.
func contains(r *metapb.Region, key []byte) bool {
	return bytes.Compare(key, r.GetStartKey()) >= 0 && (len(r.GetEndKey()) == 0 || bytes.Compare(key, r.GetEndKey()) < 0)
}

// containsRange reports whether the region holds all of [start, end).
func containsRange(r *metapb.Region, start, end []byte) bool {
	if bytes.Compare(start, r.GetStartKey()) < 0 {
		return false
	}
	return len(r.GetEndKey()) == 0 || len(end) > 0 && bytes.Compare(end, r.GetEndKey()) <= 0
}

// overlaps reports whether two ranges, whose empty ends are infinite, have a
// key in common.
func overlaps(start1, end1, start2, end2 []byte) bool {
	return (len(end2) == 0 || bytes.Compare(start1, end2) < 0) && (len(end1) == 0 || bytes.Compare(start2, end1) < 0)
}

func peerByID(r *metapb.Region, id uint64) *metapb.Peer {
	for _, p := range r.GetPeers() {
		if p.GetId() == id {
			return p
		}
	}
	return nil
}

func peerOnStore(r *metapb.Region, store uint64) *metapb.Peer {
	for _, p := range r.GetPeers() {
		if p.GetStoreId() == store {
			return p
		}
	}
	return nil
}

// staleEpoch reports whether a is older than b in either part.
func staleEpoch(a, b *metapb.RegionEpoch) bool {
	return a.GetVersion() < b.GetVersion() || a.GetConfVer() < b.GetConfVer()
}

// checkVersion is the check of data commands: the region must have the range
// that the sender believes it to have. Who its members are does not matter.
func checkVersion(r *metapb.Region, epoch *metapb.RegionEpoch) *errorpb.Error {
	if epoch.GetVersion() != r.GetRegionEpoch().GetVersion() {
		return errEpochNotMatch(r)
	}
	return nil
}

// checkEpoch is the check of splits and leader transfers: range and members.
func checkEpoch(r *metapb.Region, epoch *metapb.RegionEpoch) *errorpb.Error {
	if epoch.GetConfVer() != r.GetRegionEpoch().GetConfVer() {
		return errEpochNotMatch(r)
	}
	return checkVersion(r, epoch)
}

// checkKeys reports the first write outside the region.
func checkKeys(r *metapb.Region, reqs []*raft_cmdpb.Request) *errorpb.Error {
	for _, req := range reqs {
		switch req.GetCmdType() {
		case raft_cmdpb.CmdType_Put:
			if !contains(r, req.GetPut().GetKey()) {
				return errKeyNotInRegion(req.GetPut().GetKey(), r)
			}
		case raft_cmdpb.CmdType_Delete:
			if !contains(r, req.GetDelete().GetKey()) {
				return errKeyNotInRegion(req.GetDelete().GetKey(), r)
			}
		case raft_cmdpb.CmdType_DeleteRange:
			d := req.GetDeleteRange()
			if !containsRange(r, d.GetStartKey(), d.GetEndKey()) {
				return errKeyNotInRegion(d.GetStartKey(), r)
			}
		default:
			return errStaleCommand("unsupported request " + req.GetCmdType().String())
		}
	}
	return nil
}
