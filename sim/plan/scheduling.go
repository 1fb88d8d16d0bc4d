package plan

import (
	"slices"

	"simrun/faults"
)

// Scheduling is what becomes of regions by themselves: what the placement driver
// has done about them, and when stores split them.
type Scheduling struct {
	// Interval is how often the placement driver looks at all regions. If zero, it leaves
	// them as they are, whatever the other fields say.
	Interval Duration `toml:"interval"`
	// MaxStoreDownTime is how long a store has to be silent before it is given up. Not
	// zero if there is an Interval.
	MaxStoreDownTime Duration `toml:"max-store-down-time"`
	// OperatorTimeout is how long one step of an operator may take. More than
	// knobs.region-heartbeat if there is an Interval.
	OperatorTimeout Duration `toml:"operator-timeout"`
	// OperatorLimit bounds the number of concurrent operators, StoreLimit the number of peers
	// that one store gains or loses at a time: 1 to 1000 each if there is an Interval.
	OperatorLimit int `toml:"operator-limit"`
	StoreLimit    int `toml:"store-limit"`
	// ReplicaCheck replaces, adds and removes replicas until every region has the right
	// number of them, on stores that are up. Faults that take stores away need it.
	ReplicaCheck bool `toml:"replica-check"`
	// BalanceLeaders and BalanceRegions move leaders and peers to the stores that have
	// fewer of them. With BySize, peers are balanced by the bytes of their regions.
	BalanceLeaders bool `toml:"balance-leaders"`
	BalanceRegions bool `toml:"balance-regions"`
	BySize         bool `toml:"by-size"`
	// Tolerance is by how many regions, or KiB, two stores may differ beyond what
	// one move changes: 0 to 1000000.
	Tolerance int `toml:"tolerance"`
	// EvictSlow moves leaders away from a store whose disk is slow.
	EvictSlow bool `toml:"evict-slow"`
	// SplitSize and SplitKeys are the bytes and entries above which a region is
	// split: 0 to 1152921504606846976; zero means never. SplitCheck is how often a store
	// measures its regions; not zero if one of SplitSize, SplitKeys, MergeSize and
	// MergeKeys is not.
	SplitSize  int64    `toml:"split-size"`
	SplitKeys  int64    `toml:"split-keys"`
	SplitCheck Duration `toml:"split-check"`
	// MergeSize and MergeKeys are the bytes and entries up to which neighbours are
	// merged. Zero means any number; if both are zero, regions are never merged. If they are merged and
	// SplitSize or SplitKeys is not zero, the limit of the same measure must not be
	// zero either, and at most half of it; otherwise what is merged would be split again.
	// MergeDelay is how long a region is not merged after a split.
	MergeSize  int64    `toml:"merge-size"`
	MergeKeys  int64    `toml:"merge-keys"`
	MergeDelay Duration `toml:"merge-delay"`
}

// Splits reports whether regions are split by their size.
func (s *Scheduling) Splits() bool { return s.SplitSize > 0 || s.SplitKeys > 0 }

// Merges reports whether small regions are merged.
func (s *Scheduling) Merges() bool { return s.MergeSize > 0 || s.MergeKeys > 0 }

// Repairs reports whether lost replicas are replaced.
func (s *Scheduling) Repairs() bool { return s.Interval > 0 && s.ReplicaCheck }

func (s *Scheduling) validate(v *validator) {
	v.duration("scheduling.interval", s.Interval, 0)
	least, fewest := Duration(0), int64(0)
	if s.Interval > 0 {
		least, fewest = 1, 1
	}
	v.duration("scheduling.max-store-down-time", s.MaxStoreDownTime, least)
	v.duration("scheduling.operator-timeout", s.OperatorTimeout, least)
	v.between("scheduling.operator-limit", int64(s.OperatorLimit), fewest, 1000)
	v.between("scheduling.store-limit", int64(s.StoreLimit), fewest, 1000)
	v.between("scheduling.tolerance", int64(s.Tolerance), 0, 1_000_000)
	v.between("scheduling.split-size", s.SplitSize, 0, bytesMax)
	v.between("scheduling.split-keys", s.SplitKeys, 0, bytesMax)
	least = 0
	if s.Splits() || s.Merges() {
		least = 1
	}
	v.duration("scheduling.split-check", s.SplitCheck, least)
	v.between("scheduling.merge-size", s.MergeSize, 0, bytesMax)
	v.between("scheduling.merge-keys", s.MergeKeys, 0, bytesMax)
	s.validateMerges(v, "size", s.SplitSize, s.MergeSize)
	s.validateMerges(v, "keys", s.SplitKeys, s.MergeKeys)
	v.duration("scheduling.merge-delay", s.MergeDelay, 0)
}

// validateMerges checks that splits do not undo merges: a region is merged by every
// measure by which it is split, at most at half of it, so that two of them are not
// too large. A limit of zero is none: they would be of any size.
func (s *Scheduling) validateMerges(v *validator, measure string, split, merge int64) {
	field := "scheduling.merge-" + measure
	v.check(field, merge <= split/2 || split == 0,
		"is %d: what is merged would be split again, write at most half of scheduling.split-%s", merge, measure)
	v.check(field, merge > 0 || split == 0 || !s.Merges(),
		"is 0, any: what is merged would be split again, write 1 to half of scheduling.split-%s", measure)
}

// validateStores checks a fault by which a store comes or goes. What is lost regardless
// is not to be replaced.
func (p *Plan) validateStores(v *validator, field string, f *faults.Fault) {
	switch f.Kind { //nolint:exhaustive // the others leave the stores as they are
	case faults.Wipe, faults.Drain, faults.Destroy:
		v.check(field, p.Scheduling.Repairs() || f.Regardless,
			"takes a store away, and nobody would replace what it held: set scheduling.interval and scheduling.replica-check")
	case faults.Join:
		for _, t := range f.Targets {
			v.check(field, t.Kind == faults.TargetNode && slices.Contains(p.JoiningNames(), t.Name),
				"lets %v join, which is there from the start: name one of the last cluster.joining stores", t)
		}
	}
}
