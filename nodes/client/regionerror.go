package client

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/invariant"
)

// regionErrorKind is one field of errorpb.Error: a reason for which a store did
// not execute a request.
type regionErrorKind uint8

const (
	regionNotLeader regionErrorKind = iota
	regionNotFound
	regionKeyNotInRegion
	regionEpochNotMatch
	regionServerIsBusy
	regionStaleCommand
	regionStoreNotMatch
	regionRaftEntryTooLarge
	regionMaxTimestampNotSynced
	regionReadIndexNotReady
	regionProposalInMergingMode
	regionDataIsNotReady
	regionNotInitialized
	regionDiskFull
	regionRecoveryInProgress
	regionFlashbackInProgress
	regionFlashbackNotPrepared
	regionIsWitness
	regionMismatchPeerID
	regionBucketVersionNotMatch
	regionUnrecognised // only a message, or a field of a later protocol
	numRegionErrorKinds
)

// lesson is what a region error teaches: why, and for how long at least, to wait
// before the next attempt, and whether another attempt makes sense at all.
type lesson struct {
	why     cause
	atLeast time.Duration
	final   bool
}

// regionErrorHandler tells one kind of region error and corrects the caches.
type regionErrorHandler struct {
	name string
	is   func(e *errorpb.Error) bool
	// learn is given the region as it was believed to be and the peer that answered.
	learn func(c *Client, r *region, from *metapb.Peer, e *errorpb.Error) lesson
}

// regionErrorHandlers are in the order in which an error with several fields is
// judged: what corrects the cache comes with what is most specific.
//
//nolint:gochecknoglobals // a constant table
var regionErrorHandlers = [numRegionErrorKinds]regionErrorHandler{
	regionNotLeader: {
		"NotLeader",
		func(e *errorpb.Error) bool { return e.NotLeader != nil },
		func(c *Client, r *region, from *metapb.Peer, e *errorpb.Error) lesson {
			return c.learnLeader(r, from, e.NotLeader.Leader)
		},
	},
	regionNotFound: {
		"RegionNotFound",
		func(e *errorpb.Error) bool { return e.RegionNotFound != nil },
		(*Client).forgetRegion,
	},
	regionKeyNotInRegion: {
		"KeyNotInRegion",
		func(e *errorpb.Error) bool { return e.KeyNotInRegion != nil },
		(*Client).forgetRegion,
	},
	regionEpochNotMatch: {
		"EpochNotMatch",
		func(e *errorpb.Error) bool { return e.EpochNotMatch != nil },
		func(c *Client, r *region, from *metapb.Peer, e *errorpb.Error) lesson {
			return c.learnRegions(r, from, e.EpochNotMatch.CurrentRegions)
		},
	},
	regionServerIsBusy: {
		"ServerIsBusy",
		func(e *errorpb.Error) bool { return e.ServerIsBusy != nil },
		func(_ *Client, _ *region, _ *metapb.Peer, e *errorpb.Error) lesson {
			// The advice is bounded, so that a mistaken store cannot stop a client.
			advice := time.Duration(min(e.ServerIsBusy.BackoffMs, 10_000)) * time.Millisecond
			return lesson{why: causeBusy, atLeast: advice}
		},
	},
	regionStaleCommand: {
		"StaleCommand",
		func(e *errorpb.Error) bool { return e.StaleCommand != nil },
		waitFor(causeStale),
	},
	regionStoreNotMatch: {
		"StoreNotMatch",
		func(e *errorpb.Error) bool { return e.StoreNotMatch != nil },
		func(c *Client, r *region, from *metapb.Peer, e *errorpb.Error) lesson {
			c.stores.forget(from.StoreId)
			return c.forgetRegion(r, from, e)
		},
	},
	regionRaftEntryTooLarge: {
		"RaftEntryTooLarge",
		func(e *errorpb.Error) bool { return e.RaftEntryTooLarge != nil },
		giveUp,
	},
	regionMaxTimestampNotSynced: {
		"MaxTimestampNotSynced",
		func(e *errorpb.Error) bool { return e.MaxTimestampNotSynced != nil },
		waitFor(causeNotReady),
	},
	regionReadIndexNotReady: {
		"ReadIndexNotReady",
		func(e *errorpb.Error) bool { return e.ReadIndexNotReady != nil },
		waitFor(causeNotReady),
	},
	regionProposalInMergingMode: {
		"ProposalInMergingMode",
		func(e *errorpb.Error) bool { return e.ProposalInMergingMode != nil },
		waitFor(causeNotReady),
	},
	regionDataIsNotReady: {
		"DataIsNotReady",
		func(e *errorpb.Error) bool { return e.DataIsNotReady != nil },
		tryAnotherPeer, // only followers say so
	},
	regionNotInitialized: {
		"RegionNotInitialized",
		func(e *errorpb.Error) bool { return e.RegionNotInitialized != nil },
		tryAnotherPeer, // this one still waits for its first snapshot
	},
	regionDiskFull: {
		"DiskFull",
		func(e *errorpb.Error) bool { return e.DiskFull != nil },
		waitFor(causeDiskFull),
	},
	regionRecoveryInProgress: {
		"RecoveryInProgress",
		func(e *errorpb.Error) bool { return e.RecoveryInProgress != nil },
		func(c *Client, r *region, _ *metapb.Peer, _ *errorpb.Error) lesson {
			c.regions.remove(r)
			return lesson{why: causeNotReady}
		},
	},
	regionFlashbackInProgress: {
		"FlashbackInProgress",
		func(e *errorpb.Error) bool { return e.FlashbackInProgress != nil },
		giveUp,
	},
	regionFlashbackNotPrepared: {
		"FlashbackNotPrepared",
		func(e *errorpb.Error) bool { return e.FlashbackNotPrepared != nil },
		giveUp,
	},
	regionIsWitness: {
		"IsWitness",
		func(e *errorpb.Error) bool { return e.IsWitness != nil },
		tryAnotherPeer,
	},
	regionMismatchPeerID: {
		"MismatchPeerId",
		func(e *errorpb.Error) bool { return e.MismatchPeerId != nil },
		(*Client).forgetRegion,
	},
	regionBucketVersionNotMatch: {
		"BucketVersionNotMatch",
		func(e *errorpb.Error) bool { return e.BucketVersionNotMatch != nil },
		waitFor(causeRegionMiss), // this client names no bucket version, which the store must accept
	},
	regionUnrecognised: {
		"unrecognised",
		func(*errorpb.Error) bool { return true },
		tryAnotherPeer,
	},
}

func (k regionErrorKind) String() string { return regionErrorHandlers[k].name }

//nolint:gochecknoglobals // marks register once
var regionErrorMarks = func() (marks [numRegionErrorKinds]*invariant.Mark) {
	for k := range marks {
		marks[k] = invariant.NewMark("client: region error " + regionErrorKind(k).String())
	}
	return marks
}()

// kindOf tells the kind of a region error.
func kindOf(e *errorpb.Error) regionErrorKind {
	for k := range regionUnrecognised {
		if regionErrorHandlers[k].is(e) {
			return k
		}
	}
	return regionUnrecognised
}

func waitFor(why cause) func(*Client, *region, *metapb.Peer, *errorpb.Error) lesson {
	return func(*Client, *region, *metapb.Peer, *errorpb.Error) lesson { return lesson{why: why} }
}

func giveUp(*Client, *region, *metapb.Peer, *errorpb.Error) lesson {
	return lesson{why: causeRejected, final: true}
}

func tryAnotherPeer(c *Client, r *region, from *metapb.Peer, _ *errorpb.Error) lesson {
	c.tryNext(r, from)
	return lesson{why: causeNotReady}
}

// forgetRegion makes the next attempt ask placement.
func (c *Client) forgetRegion(r *region, _ *metapb.Peer, _ *errorpb.Error) lesson {
	c.regions.remove(r)
	return lesson{why: causeRegionMiss}
}

// learnLeader turns to the leader that a peer has named.
func (c *Client) learnLeader(r *region, from, leader *metapb.Peer) lesson {
	if leader.GetId() == 0 {
		c.tryNext(r, from)
		return lesson{why: causeNoLeader}
	}
	i := r.indexOf(leader)
	if i < 0 {
		// A peer that we have not heard of: the configuration has changed.
		c.regions.remove(r)
		return lesson{why: causeRegionMiss}
	}
	r.at, r.named = i, c.env.Clock.Monotonic()
	return lesson{why: causeNotLeader}
}

//nolint:gochecknoglobals // marks register once
var markAhead = invariant.NewMark("client: peer lags behind the epoch that the client knows")

// learnRegions puts the regions that now hold the keys of r in its place.
func (c *Client) learnRegions(r *region, from *metapb.Peer, current []*metapb.Region) lesson {
	for _, meta := range current {
		if meta.Id == r.meta.Id && isOlder(meta, r.meta) {
			// The peer lags behind, and has nothing to teach.
			markAhead.Reached()
			c.tryNext(r, from)
			return lesson{why: causeNotReady}
		}
	}
	c.regions.remove(r)
	for _, meta := range current {
		if len(meta.Peers) == 0 {
			continue
		}
		// After a split all parts are led by the store that led the whole, at first.
		now := &region{meta: meta}
		for i, p := range meta.Peers {
			if p.StoreId == from.StoreId {
				now.at = i
			}
		}
		c.regions.insert(now)
	}
	return lesson{why: causeRegionMiss}
}
