package faults

import (
	"slices"
	"time"

	"simrun/sim/stream"
)

// A burst is several faults close in time to the same stores, or to a quorum of
// them: what the faults of a storm, which are drawn one by one, come to be only
// by a rare chance. What is lost with the power is what was written within the
// last sync, so crashes that shall add up must be that close, too.
type burst struct {
	draw
	at      time.Duration
	faults  []Fault
	victims []Target // stores by name: a leader may be another one by the next fault
}

// bursts draws the bursts of a storm, if it has any: one in each period, like
// the faults of one kind. The kinds that are off in a storm are off only beside
// its bursts.
func (c *StormConfig) bursts(seed uint64) [][]Fault {
	recipes := c.recipes()
	if len(recipes) == 0 || !stream.New(seed, "storm bursts").PerMille(c.Bursts) {
		return nil
	}
	length := int64(c.Length)
	longest := length
	if c.Snapshots > 0 {
		longest /= 2 // they are what such a storm is about
	}
	period := magnitude(stream.New(seed, "storm bursts period"), max(length/8, int64(Resolution)), longest)
	var list [][]Fault
	for i := int64(0); i*period < length; i++ {
		b := burst{draw: draw{stream.New(seed, "storm bursts", uint64(i)), c}}
		b.at = rounded(i*period + b.Int64N(period))
		b.victims = b.someStores()
		recipes[b.IntN(len(recipes))].play(&b)
		if b.faults[len(b.faults)-1].At < time.Duration(length) {
			list = append(list, b.faults)
		}
	}
	return list
}

// recipe is a sort of burst.
type recipe struct {
	kinds []Kind // that it uses
	play  func(b *burst)
}

// recipes returns those of which every kind is allowed and possible.
func (c *StormConfig) recipes() []recipe {
	all := []recipe{
		{[]Kind{PowerLoss}, (*burst).oneByOne},
		{[]Kind{Kill, PowerLoss}, (*burst).killAndLoss},
		{[]Kind{DiskSlow, PowerLoss}, (*burst).slowAndLoss},
		{[]Kind{DiskSlow, Kill, PowerLoss}, (*burst).slowKillAndLoss},
		{[]Kind{DiskStall, Kill, PowerLoss}, (*burst).stallKillAndLoss},
		{[]Kind{Isolate, PowerLoss}, (*burst).cutAndLoss},
		{[]Kind{TransferLeader, PowerLoss}, (*burst).transferAndLoss},
		{[]Kind{Split, PowerLoss}, (*burst).splitAndLoss},
		{[]Kind{MergeRegions, PowerLoss}, (*burst).mergeAndLoss},
		{[]Kind{MergeRegions, Isolate}, (*burst).mergeAndCut},
		{[]Kind{Isolate, MergeRegions, PowerLoss}, (*burst).lateMergeAndLoss},
	}
	if c.Snapshots > 0 {
		all = []recipe{{[]Kind{Isolate, PowerLoss}, (*burst).awayAndLoss}, {[]Kind{Isolate, Kill}, (*burst).awayAndKill}}
	}
	return slices.DeleteFunc(all, func(r recipe) bool {
		return slices.ContainsFunc(r.kinds, func(k Kind) bool { return !slices.Contains(c.Kinds, k) || !c.Possible(k) })
	})
}

// oneByOne takes the power from one store after the other.
func (b *burst) oneByOne() {
	for _, v := range b.victims {
		b.add(PowerLoss, b.usual(), v)
		b.pass()
	}
}

// killAndLoss loses, soon after a restart, what the process before has written:
// after the next one had the time to hear from others and to answer.
func (b *burst) killAndLoss() {
	down := b.soon()
	b.add(Kill, down, b.victims...)
	b.at += down + b.between(10*time.Millisecond, 300*time.Millisecond)
	b.loss()
}

// slowAndLoss takes the power while much is written and not yet durable.
func (b *burst) slowAndLoss() {
	b.slow()
	b.pass()
	b.loss()
}

func (b *burst) slowKillAndLoss() {
	b.slow()
	b.pass()
	b.killAndLoss()
}

// stallKillAndLoss stalls one of the stores that are killed: whatever its second
// process does, nothing that it has found is durable when the power is lost.
func (b *burst) stallKillAndLoss() {
	b.add(DiskStall, b.between(500*time.Millisecond, time.Second), b.victims[0])
	b.pass()
	b.killAndLoss()
}

// cutAndLoss crashes a store that is cut off, or the others around it.
func (b *burst) cutAndLoss() {
	b.add(Isolate, b.usual(), b.victims[0])
	b.pass()
	b.loss()
}

// transferAndLoss and splitAndLoss strike the leader at work, whoever that is.
func (b *burst) transferAndLoss() { b.leaderLoss(TransferLeader) }

func (b *burst) splitAndLoss() { b.leaderLoss(Split) }

func (b *burst) leaderLoss(operation Kind) {
	key := b.key()
	b.operate(operation, key)
	b.pass()
	b.add(PowerLoss, b.usual(), Leader(key))
}

// awayAndLoss keeps a store away until the others have forgotten what it lacks,
// and takes the power from it while it gets a snapshot.
func (b *burst) awayAndLoss() { b.awayAndCrash(PowerLoss) }

func (b *burst) awayAndKill() { b.awayAndCrash(Kill) }

func (b *burst) awayAndCrash(kind Kind) {
	away := b.between(300*time.Millisecond, 2*time.Second)
	b.add(Isolate, away, b.victims[0])
	b.at += away
	b.at += b.between(50*time.Millisecond, time.Second) // by then it has asked for a snapshot, if it needs one
	b.add(kind, b.usual(), b.victims[0])
	crash := &b.faults[len(b.faults)-1]
	crash.Op, crash.Within = int(magnitude(b.Stream, 1, int64(b.c.OpMax))), 2*armedFor
}

// mergeAndLoss strikes one of those at work in a merge.
func (b *burst) mergeAndLoss() {
	b.operate(MergeRegions, b.key())
	b.pass()
	b.add(PowerLoss, b.usual(), b.merging())
}

// mergeAndCut cuts one of them off, so that others have to end the merge.
func (b *burst) mergeAndCut() {
	b.operate(MergeRegions, b.key())
	b.pass()
	b.add(Isolate, b.usual(), b.merging())
}

// lateMergeAndLoss lets a store miss a merge, and crashes it while it makes up for
// that.
func (b *burst) lateMergeAndLoss() {
	late, away := b.victims[0], b.between(100*time.Millisecond, time.Second)
	b.add(Isolate, away, late)
	b.pass()
	b.operate(MergeRegions, b.key())
	b.at = b.faults[0].At + away
	b.pass()
	b.add(PowerLoss, b.usual(), late)
}

func (b *burst) operate(kind Kind, key string) {
	b.faults = append(b.faults, Fault{At: b.at, Kind: kind, Key: key})
}

func (b *burst) loss() { b.add(PowerLoss, b.usual(), b.victims...) }

// slow makes the disks of all stores slow for longer than what follows takes.
func (b *burst) slow() {
	b.add(DiskSlow, time.Second, AllStores())
	b.faults[len(b.faults)-1].Factor = int(b.Between(max(int64(b.c.SlowMax)/4, 2), int64(b.c.SlowMax)))
}

func (b *burst) add(kind Kind, lasts time.Duration, targets ...Target) {
	b.faults = append(b.faults, Fault{At: b.at, For: lasts, Kind: kind, Targets: targets})
}

// pass lets a moment pass.
func (b *burst) pass() { b.at += b.soon() }

// soon is a moment: from the finest that is drawn to that of a slow sync.
func (b *burst) soon() time.Duration { return b.between(Resolution, 50*time.Millisecond) }

func (b *burst) between(lo, hi time.Duration) time.Duration {
	return max(rounded(magnitude(b.Stream, int64(lo), int64(hi))), Resolution)
}

// usual is how long other faults of the storm last.
func (b *burst) usual() time.Duration { return b.c.duration(b.Stream) }

// someStores draws one store, or where crashes may strike them a quorum or all.
func (d draw) someStores() []Target {
	stores := named(d.shuffled(d.c.Stores))
	n := []int{1, len(stores)/2 + 1, len(stores)}[d.IntN(3)]
	if !d.c.quorumCrashes() {
		n = 1
	}
	return stores[:n]
}

// quorumCrashes reports whether a burst may crash a quorum: where all stores may
// lose the power at once, so may some, and a kill loses less than that.
func (c *StormConfig) quorumCrashes() bool { return c.MajorityDown || c.Blackout > 0 }
