package faults

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"simrun/sim/stream"
)

// Storm generates a schedule: swarm testing, in which each seed turns on a
// random subset of the allowed kinds and gives each its own rate. The schedule
// is a value from then on; nothing about it is drawn later. config must be
// valid.
//
// Every fault is drawn from a stream that is keyed by its kind and number, and
// every burst of faults (see StormConfig.Bursts) from one of its own, as is every
// spell of faults that are aimed (see StormConfig.Aimed). What the
// budget for stores that are down (see StormConfig.MajorityDown) does not allow is
// left out, of a burst the whole.
func Storm(seed uint64, config StormConfig) []Fault {
	c := config.withDefaults()
	var candidates [][]Fault
	for _, kind := range c.swarm(seed) {
		candidates = append(candidates, c.ofKind(seed, kind)...)
	}
	candidates = append(candidates, c.bursts(seed)...)
	candidates = append(candidates, c.aims(seed)...)
	slices.SortStableFunc(candidates, func(a, b []Fault) int { return inOrder(a[0], b[0]) })
	var b budget
	var schedule []Fault
	for _, group := range candidates {
		if b.admitAll(group, &c) {
			schedule = append(schedule, group...)
		}
	}
	slices.SortStableFunc(schedule, inOrder)
	return schedule
}

func inOrder(a, b Fault) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Kind, b.Kind))
}

// swarm draws which of the allowed kinds are on; at least one is. A storm that may
// let stores join does: what is held back is there for that. So does one that may
// restart every node in turn.
func (c *StormConfig) swarm(seed uint64) []Kind {
	allowed := slices.Clone(c.Kinds)
	slices.Sort(allowed)
	allowed = slices.DeleteFunc(slices.Compact(allowed), func(k Kind) bool { return !c.Possible(k) })
	if len(allowed) == 0 {
		return nil
	}
	var on []Kind
	for _, k := range allowed {
		if k == Join || k == Restart || stream.New(seed, "storm kind "+k.String()).PerMille(c.KindChance) {
			on = append(on, k)
		}
	}
	if len(on) == 0 {
		on = []Kind{allowed[stream.New(seed, "storm only").IntN(len(allowed))]}
	}
	return on
}

// Possible reports whether there is anybody for the kind to happen to.
func (c *StormConfig) Possible(k Kind) bool {
	switch k {
	case Partition:
		return len(c.nodes()) >= 2
	case Clog:
		return len(c.Stores) >= 2
	case Split, TransferLeader, MergeRegions:
		return len(c.Keys) > 0
	case AddPeer, RemovePeer, MovePeer:
		return len(c.Keys) > 0 && len(c.Stores) > c.Replicas
	case Wipe, Destroy:
		return len(c.Stores) > c.Replicas && c.Replicas > 1
	case Drain:
		return len(c.Stores) > c.Replicas
	case Join:
		return len(c.Joining) > 0
	case Network:
		return true
	case Isolate, PowerLoss, Kill, Pause, ClockJump, ClockDrift, DiskStall, DiskSlow, DiskError, DiskFull, Restart, kindEnd:
	}
	return len(c.Stores) > 0
}

// ofKind draws the faults of one kind: one in each period, the first one
// always within the storm. Each stands alone.
func (c *StormConfig) ofKind(seed uint64, kind Kind) [][]Fault {
	switch kind { //nolint:exhaustive // the others come at any time
	case Join:
		return c.joins(seed)
	case Restart:
		return c.restarts(seed)
	}
	name := "storm " + kind.String()
	period := magnitude(stream.New(seed, name+" period"), int64(c.PeriodMin), int64(c.PeriodMax))
	period = min(period, int64(c.Length))
	var list [][]Fault
	for i := int64(0); i*period < int64(c.Length); i++ {
		d := draw{stream.New(seed, name, uint64(i)), c}
		at := i*period + d.Int64N(period)
		if at >= int64(c.Length) {
			break
		}
		f := Fault{At: rounded(at), Kind: kind}
		if !kind.Momentary() {
			f.For = c.duration(d.Stream)
		}
		d.body(&f)
		list = append(list, []Fault{f})
	}
	if kind == Drain || kind == Destroy {
		return list[:min(len(list), c.departures())]
	}
	return list
}

// departures is how many stores at most are drained, or destroyed: half of those
// that the replicas do not need.
func (c *StormConfig) departures() int { return (len(c.Stores) - c.Replicas + 1) / 2 }

// joins lets every store that is held back join once, in the first half of the
// storm, so that there is time to see what becomes of it.
func (c *StormConfig) joins(seed uint64) (list [][]Fault) {
	for i, name := range c.Joining {
		at := stream.New(seed, "storm join", uint64(i)).Int64N(max(int64(c.Length)/2, 1))
		list = append(list, []Fault{{At: rounded(at), Kind: Join, Targets: []Target{Node(name)}}})
	}
	return list
}

// duration draws how long a fault lasts.
func (c *StormConfig) duration(r *stream.Stream) time.Duration {
	return max(rounded(magnitude(r, int64(c.ForMin), int64(c.ForMax))), Resolution)
}

// Resolution is that of the instants and durations which are drawn: fine
// enough to fall anywhere between two ticks, coarse enough to be read.
const Resolution = 100 * time.Microsecond

func rounded(ns int64) time.Duration { return time.Duration(ns).Truncate(Resolution) }

// magnitude draws from [lo, hi], lo > 0, so that every power of two is about
// as likely as the next.
func magnitude(r *stream.Stream, lo, hi int64) int64 {
	octaves := bits.Len64(uint64(hi / lo))
	base := lo << r.IntN(octaves)
	return r.Between(base, min(2*base, hi))
}

// budget keeps account of the stores that are down at any time.
type budget struct{ claims []claim }

// claim is a set of stores that are down, or as good as, for some time.
type claim struct {
	from, to time.Duration
	stores   []Target
}

// admitAll admits all faults of a group, or none.
func (b *budget) admitAll(group []Fault, c *StormConfig) bool {
	before := len(b.claims)
	free := len(group) > 1 && c.quorumCrashes()
	for _, f := range group {
		if !b.admit(f, c, free && crashes(f) || blackout(f)) {
			b.claims = b.claims[:before]
			return false
		}
	}
	return true
}

// admit reports whether a fault fits beside those that were admitted before,
// and if so claims what it takes. It is conservative: every late-bound target
// counts as a store of its own, and claims that overlap the new one count
// together even where they do not overlap one another. A free one always fits.
func (b *budget) admit(f Fault, c *StormConfig, free bool) bool {
	claimed := claim{f.At, f.At + f.Within + f.For, c.disabled(f)}
	switch f.Kind { //nolint:exhaustive // all others end when they are over
	case DiskError:
		claimed.to = f.At + f.Within + errorClaim
	case Wipe:
		claimed.to = f.At + f.For + wipeClaim
	case Destroy:
		claimed.to = f.At + destroyClaim
	}
	if len(claimed.stores) == 0 {
		return true
	}
	down := slices.Clone(claimed.stores)
	for _, other := range b.claims {
		if other.from <= claimed.to && claimed.from <= other.to {
			down = append(down, other.stores...)
		}
	}
	if !c.MajorityDown && !free && distinct(down) > (c.Replicas-1)/2 {
		return false
	}
	b.claims = append(b.claims, claimed)
	return true
}

// errorClaim is how long a store counts as down after an error of its disk,
// which may have ended its process.
const errorClaim = time.Second

// wipeClaim is how long a store counts as down after its restart without a
// disk: until others have taken its place.
const wipeClaim = 2 * time.Second

// destroyClaim is how long a store counts as down after its end: until others
// have taken its place, for nobody knows that it will not come back.
const destroyClaim = 5 * time.Second

// blackout reports whether a fault takes the power from all stores, which the
// budget allows: nothing that is durable gets lost.
func blackout(f Fault) bool {
	return f.Kind == PowerLoss && slices.Contains(f.Targets, AllStores())
}

// crashes reports whether a fault ends processes.
func crashes(f Fault) bool { return f.Kind == PowerLoss || f.Kind == Kill }

// disabled returns the stores that a fault keeps from taking part in a quorum.
func (c *StormConfig) disabled(f Fault) []Target {
	switch f.Kind {
	case PowerLoss, Kill, Pause, Isolate, DiskStall, DiskFull, DiskError, Wipe, Destroy, Restart:
		return c.storesAmong(f.Targets)
	case Partition, Clog:
		a, b := c.storesAmong(f.Targets), c.storesAmong(f.Peers)
		if len(b) < len(a) {
			return b
		}
		return a
	case Network, ClockJump, ClockDrift, DiskSlow, Split, TransferLeader, MergeRegions, AddPeer, RemovePeer, MovePeer, Join, Drain, kindEnd:
	}
	return nil
}

// storesAmong returns the targets that are stores or may be.
func (c *StormConfig) storesAmong(targets []Target) []Target {
	var stores []Target
	for _, t := range targets {
		switch t.Kind {
		case TargetNode:
			if slices.Contains(c.Stores, t.Name) {
				stores = append(stores, t)
			}
		case TargetAllStores:
			for _, name := range c.Stores {
				stores = append(stores, Node(name))
			}
		case TargetLeader, TargetFollower, TargetSnapshotReceiver, TargetSnapshotSender, TargetMerging, TargetMergeTarget:
			stores = append(stores, t)
		case TargetAllClients, TargetPlacement, TargetPlacementLeader, targetEnd:
		}
	}
	return stores
}

// distinct counts named stores once and late-bound ones every time.
func distinct(stores []Target) int {
	n := 0
	for i, t := range stores {
		if t.Kind != TargetNode || !slices.Contains(stores[:i], t) {
			n++
		}
	}
	return n
}
