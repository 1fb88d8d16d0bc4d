package placement

import (
	"errors"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
)

// Scheduling configures what the leader does about regions by itself. Of the zero
// value it does nothing. It is the same on all members.
type Scheduling struct {
	// Interval is the time between two looks at all regions; zero turns everything
	// off.
	Interval time.Duration
	// Replicas is how many voters a region should have; default: as many as the
	// first region of Config.Regions has.
	Replicas int
	// OperatorTimeout is how long one step of an operator may take: at least the time
	// between two heartbeats of a region, or that and Silence if it is set. Default 10 s.
	OperatorTimeout time.Duration
	// Silence is set where regions sleep, of which stores report but a few at a time: a
	// region that has an operator and was not heard of for so long is asked for. Zero:
	// every region is reported in every interval.
	Silence time.Duration
	// OperatorLimit bounds the operators under way. Balancing has half of it, so that
	// it never keeps a repair waiting. Default 16.
	OperatorLimit int
	// StoreLimit bounds the peers that a store gets or gives away at a time.
	// Default 4.
	StoreLimit int

	// ReplicaCheck keeps every region at Replicas voters, on stores that are up.
	ReplicaCheck bool
	// BalanceLeaders and BalanceRegions move leaders and peers from the stores with
	// most to those with fewest. BySize counts bytes instead of regions.
	BalanceLeaders bool
	BalanceRegions bool
	BySize         bool
	// Tolerance is the difference that balancing leaves alone, beside that of one
	// move: in regions, or in KiB with BySize.
	Tolerance int
	// EvictSlow takes the leaders away from a store that says it is slow.
	EvictSlow bool
	// SplitSize and SplitKeys are the bytes and keys above which a region is far too
	// large: the stores split much earlier. Zero: any size. SplitDelay is how long a
	// store may take to do so; default 5 s.
	SplitSize, SplitKeys uint64
	SplitDelay           time.Duration
	// MergeSize and MergeKeys are the bytes and keys up to which a region is small
	// enough to be merged with a neighbour that is small, too. Zero: any, and no merges
	// if both are. By what regions are split, by that they have to be merged too, at
	// half of SplitSize and SplitKeys at most: else what is merged would be split
	// again. A region that a split has made less than MergeDelay ago is left alone;
	// default 10 s.
	MergeSize, MergeKeys uint64
	MergeDelay           time.Duration

	// everyRound: no round is left out, though it would find nothing to do (situation).
	everyRound bool
}

func (c Scheduling) withDefaults(regions []*metapb.Region) Scheduling {
	if c.Replicas == 0 && len(regions) > 0 {
		c.Replicas = len(regions[0].Peers)
	}
	if c.OperatorLimit == 0 {
		c.OperatorLimit = 16
	}
	if c.StoreLimit == 0 {
		c.StoreLimit = 4
	}
	setDefault(&c.OperatorTimeout, 10*time.Second)
	setDefault(&c.SplitDelay, 5*time.Second)
	setDefault(&c.MergeDelay, 10*time.Second)
	return c
}

func (c Scheduling) validate() error {
	switch {
	case c.Interval < 0 || c.OperatorTimeout < 0 || c.Silence < 0 || c.MergeDelay < 0 || c.SplitDelay < 0:
		return errors.New("placement: durations of scheduling must not be negative")
	case c.OperatorLimit < 1 || c.StoreLimit < 1 || c.Replicas < 1 || c.Tolerance < 0:
		return errors.New("placement: limits of scheduling must be positive")
	case c.merges() && (undoes(c.SplitSize, c.MergeSize) || undoes(c.SplitKeys, c.MergeKeys)):
		return errors.New("placement: what is merged would be split again")
	}
	return nil
}

// merges reports whether small regions are merged.
func (c *Scheduling) merges() bool { return c.MergeSize > 0 || c.MergeKeys > 0 }

// undoes reports whether splits at one limit undo merges up to another one.
func undoes(split, merge uint64) bool { return split > 0 && (merge == 0 || merge > split/2) }

// tooLarge reports whether a region is.
func (c *Scheduling) tooLarge(r *regionInfo) bool {
	return c.SplitSize > 0 && r.size > c.SplitSize || c.SplitKeys > 0 && r.keys > c.SplitKeys
}

// Observer is told what happens, for reports. It must not call the member.
type Observer interface {
	// OperatorBegun and OperatorEnded tell of each operator, described by text.
	OperatorBegun(kind OperatorKind, text string)
	OperatorEnded(kind OperatorKind, outcome OperatorOutcome, text string)
	// MergeBegun tells of the regions of one that is a merge.
	MergeBegun(source, target *metapb.Region)
	// RegionKnown: the leader of a term has taken up a region that is not as it was,
	// or which it finds when it begins.
	RegionKnown(term uint64, region *metapb.Region)
}

type noObserver struct{}

func (noObserver) OperatorBegun(OperatorKind, string)                  {}
func (noObserver) OperatorEnded(OperatorKind, OperatorOutcome, string) {}
func (noObserver) MergeBegun(*metapb.Region, *metapb.Region)           {}
func (noObserver) RegionKnown(uint64, *metapb.Region)                  {}
