package raftstore

import (
	"errors"
	"fmt"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
)

// ErrUnknownOutcome means that a proposal may or may not be applied: the
// caller's limit has run out first, or a snapshot hides what became of it.
var ErrUnknownOutcome = errors.New("outcome of the proposal is unknown")

// The region errors. All mean that the request has had and will have no effect.

func errStoreNotMatch(asked, actual uint64) *errorpb.Error {
	return &errorpb.Error{
		Message:       fmt.Sprintf("request for store %d reached store %d", asked, actual),
		StoreNotMatch: &errorpb.StoreNotMatch{RequestStoreId: asked, ActualStoreId: actual},
	}
}

func errRegionNotFound(region uint64) *errorpb.Error {
	return &errorpb.Error{
		Message:        fmt.Sprintf("region %d not found", region),
		RegionNotFound: &errorpb.RegionNotFound{RegionId: region},
	}
}

func errMismatchPeer(asked, actual uint64) *errorpb.Error {
	return &errorpb.Error{
		Message:        fmt.Sprintf("request for peer %d reached peer %d", asked, actual),
		MismatchPeerId: &errorpb.MismatchPeerId{RequestPeerId: asked, StorePeerId: actual},
	}
}

func errNotLeader(region uint64, leader *metapb.Peer) *errorpb.Error {
	return &errorpb.Error{
		Message:   fmt.Sprintf("peer is not leader of region %d", region),
		NotLeader: &errorpb.NotLeader{RegionId: region, Leader: leader},
	}
}

func errEpochNotMatch(current ...*metapb.Region) *errorpb.Error {
	return &errorpb.Error{
		Message:       fmt.Sprintf("epoch of region %d has changed", current[0].GetId()),
		EpochNotMatch: &errorpb.EpochNotMatch{CurrentRegions: current},
	}
}

func errKeyNotInRegion(key []byte, region *metapb.Region) *errorpb.Error {
	return &errorpb.Error{
		Message: fmt.Sprintf("key %q is not in region %d", key, region.GetId()),
		KeyNotInRegion: &errorpb.KeyNotInRegion{
			Key: key, RegionId: region.GetId(), StartKey: region.GetStartKey(), EndKey: region.GetEndKey(),
		},
	}
}

func errStaleCommand(why string) *errorpb.Error {
	return &errorpb.Error{Message: "stale command: " + why, StaleCommand: &errorpb.StaleCommand{}}
}

func errServerIsBusy(reason string) *errorpb.Error {
	return &errorpb.Error{Message: "server is busy: " + reason, ServerIsBusy: &errorpb.ServerIsBusy{Reason: reason}}
}

func errReadIndexNotReady(region uint64, reason string) *errorpb.Error {
	return &errorpb.Error{
		Message:           fmt.Sprintf("region %d is not ready: %s", region, reason),
		ReadIndexNotReady: &errorpb.ReadIndexNotReady{RegionId: region, Reason: reason},
	}
}

func errMerging(region uint64) *errorpb.Error {
	return &errorpb.Error{
		Message:               fmt.Sprintf("region %d is merging", region),
		ProposalInMergingMode: &errorpb.ProposalInMergingMode{RegionId: region},
	}
}

func errEntryTooLarge(region uint64, size int) *errorpb.Error {
	return &errorpb.Error{
		Message:           fmt.Sprintf("entry of %d bytes is too large for region %d", size, region),
		RaftEntryTooLarge: &errorpb.RaftEntryTooLarge{RegionId: region, EntrySize: uint64(size)},
	}
}
