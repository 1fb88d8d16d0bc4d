package faults

import (
	"fmt"
	"slices"
	"time"
)

// StormConfig is the range from which Storm draws. Its text form is a table of
// a scenario file; what depends on the cluster is filled in by the scenario.
type StormConfig struct {
	// Length is the length of the storm; faults begin before it is over. At least 1ms.
	Length Duration `toml:"-"`
	// Kinds are the kinds allowed. Each is on or off for the whole storm, except in
	// bursts.
	Kinds []Kind `toml:"kinds"`
	// KindChance is the probability that an allowed kind is on, per mille. Zero
	// means 500.
	KindChance int `toml:"kind-chance"`

	// PeriodMin and PeriodMax bound the mean time between two faults of one
	// kind; each kind draws its own. Zero means an eighth of the storm, and all of it.
	PeriodMin Duration `toml:"period-min"`
	PeriodMax Duration `toml:"period-max"`
	// ForMin and ForMax bound how long a fault lasts. Zero means 10ms, and a
	// quarter of the storm.
	ForMin Duration `toml:"for-min"`
	ForMax Duration `toml:"for-max"`

	// PlacementChance is the probability, per mille, that a fault that would hit one store
	// hits a placement member instead. Zero means only the faults that are not of stores
	// alone: of power losses and faults of disks, two in ten hit a placement member; of kills,
	// pauses and faults of clocks, three in ten hit a placement member or a client. Of several
	// members it is the leader half of the time.
	PlacementChance int `toml:"placement-chance"`

	// ClientChance is the probability, per mille, that a fault that may hit any node (a kill,
	// a pause, a fault of clocks) hits a client; the others are drawn as if it were zero.
	// Zero means that clients are hit as placement members are.
	ClientChance int `toml:"client-chance"`

	// AnswerChance is the probability, per mille, that a fault of links (partition, clog,
	// network) hits links between requesters and responders - clients and stores, or either of
	// them and the placement driver -, mostly in the direction of the answers. Zero means
	// that such links are drawn like all others.
	AnswerChance int `toml:"answer-chance"`

	// Aimed is the probability, per mille, that a storm has periods in which faults hit
	// single kinds of requests from clients to stores: requests of one kind of Steps are
	// overtaken by their retries, those of the next kind are delayed, and those of some
	// kinds of Beside are lost. Zero means never.
	Aimed int `toml:"aimed"`
	// Steps are kinds of requests in the order in which a client sends them,
	// Beside those that it sends in the meantime.
	Steps  []string `toml:"steps"`
	Beside []string `toml:"beside"`
	// Patience is how long a client waits for an answer before it sends its request
	// again. Zero means 500ms.
	Patience Duration `toml:"-"`

	// MergingChance is the probability, per mille, that a fault that would hit one store
	// hits the leader of a region that is merging, or of its merge target, if there is
	// one. Zero means never.
	MergingChance int `toml:"merging-chance"`

	// Stores, Placement and Clients are the names of the nodes. A fault of one
	// node hits a store in most cases.
	Stores    []string `toml:"-"`
	Placement []string `toml:"-"`
	Clients   []string `toml:"-"`
	// Joining are those of the stores that are held back until they join.
	Joining []string `toml:"-"`
	// Keys are the keys by which leaders and followers are named, regions are
	// split and leaders are moved: the hot ones, usually. Without them, there
	// are no such targets.
	Keys []string `toml:"-"`
	// Replicas is the number of peers of a region. Zero means 3.
	Replicas int `toml:"-"`

	// MajorityDown allows so many stores to be down at once that regions lose their
	// quorum. Otherwise at most a minority of Replicas is down.
	MajorityDown bool `toml:"majority-down"`
	// Blackout is the probability that a power loss hits all stores at once, per
	// mille, whatever MajorityDown says: the disks persist. Zero means never.
	Blackout int `toml:"blackout"`
	// Bursts is the probability, per mille, that a storm has bursts besides its single
	// faults: several faults to the same stores in quick succession, such as a kill and,
	// right after the restart, a power loss. They use all allowed kinds,
	// including those that are off. With Blackout or MajorityDown they may crash a
	// quorum. Zero means never.
	Bursts int `toml:"bursts"`

	// Snapshots is the probability, per mille, that a fault of one store is aimed at the
	// receiver or the sender of a snapshot. If there is none at the instant of the
	// fault, nothing happens. Zero means never. If it is not zero, bursts keep a store
	// away until it needs a snapshot, and strike then.
	Snapshots int `toml:"snapshots"`

	// LossMax, DuplicateMax and ReorderMax, per mille, and LatencyMax bound
	// what a network fault adds. Zero means 100, 100, 200 and 50ms.
	LossMax      int      `toml:"loss-max"`
	DuplicateMax int      `toml:"duplicate-max"`
	ReorderMax   int      `toml:"reorder-max"`
	LatencyMax   Duration `toml:"latency-max"`
	// JumpMax bounds jumps of the wall clock in both directions, DriftMax the
	// drift of clocks in ppm. Zero means 5s and 10000.
	JumpMax  Duration `toml:"jump-max"`
	DriftMax int      `toml:"drift-max"`
	// SlowMax bounds the factor by which a disk is slowed down. Zero means 50.
	SlowMax int `toml:"slow-max"`
	// OpMax bounds the number of disk operations after which an armed crash
	// happens. Zero means 200.
	OpMax int `toml:"op-max"`
}

// withDefaults returns the configuration with zero values replaced.
func (c StormConfig) withDefaults() StormConfig {
	orInt := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	orDuration := func(field *Duration, value Duration) {
		if *field == 0 {
			*field = value
		}
	}
	orInt(&c.KindChance, 500)
	orDuration(&c.PeriodMin, max(c.Length/8, 1))
	orDuration(&c.PeriodMax, max(c.Length, c.PeriodMin))
	orDuration(&c.ForMin, Duration(10*time.Millisecond))
	orDuration(&c.ForMax, max(c.Length/4, c.ForMin))
	orInt(&c.Replicas, 3)
	orDuration(&c.Patience, Duration(500*time.Millisecond))
	orInt(&c.LossMax, 100)
	orInt(&c.DuplicateMax, 100)
	orInt(&c.ReorderMax, 200)
	orDuration(&c.LatencyMax, Duration(50*time.Millisecond))
	orDuration(&c.JumpMax, Duration(5*time.Second))
	orInt(&c.DriftMax, 10_000)
	orInt(&c.SlowMax, 50)
	orInt(&c.OpMax, 200)
	return c
}

// ConfigError is a mistake in a StormConfig.
type ConfigError struct {
	Field   string // by its name in the text form
	Message string // goes on after that name
}

func (e *ConfigError) Error() string { return e.Field + " " + e.Message }

func wrongConfig(field, format string, args ...any) error {
	return &ConfigError{field, fmt.Sprintf(format, args...)}
}

// Validate reports the first field that is out of range. What is wrong with a field
// of the text form is a *ConfigError.
func (c StormConfig) Validate() error {
	d := c.withDefaults()
	durations := []struct {
		name          string
		value, lo, hi Duration
	}{
		{"length", d.Length, Duration(time.Millisecond), Duration(TimeMax)},
		{"period-min", d.PeriodMin, Duration(time.Millisecond), d.PeriodMax},
		{"period-max", d.PeriodMax, d.PeriodMin, Duration(TimeMax)},
		{"for-min", d.ForMin, Duration(Resolution), d.ForMax},
		{"for-max", d.ForMax, d.ForMin, Duration(TimeMax)},
		{"latency-max", d.LatencyMax, Duration(Resolution), Duration(TimeMax)},
		{"patience", d.Patience, Duration(Resolution), Duration(TimeMax)},
		{"jump-max", d.JumpMax, Duration(Resolution), Duration(TimeMax)},
	}
	for _, f := range durations {
		if f.value < f.lo || f.value > f.hi {
			return wrongConfig(f.name, "is %v: write %v to %v", f.value, f.lo, f.hi)
		}
	}
	numbers := []struct {
		name          string
		value, lo, hi int
	}{
		{"kind-chance", d.KindChance, 1, perMille},
		{"replicas", d.Replicas, 1, 1000},
		{"blackout", d.Blackout, 0, perMille},
		{"placement-chance", d.PlacementChance, 0, perMille},
		{"client-chance", d.ClientChance, 0, perMille},
		{"answer-chance", d.AnswerChance, 0, perMille},
		{"aimed", d.Aimed, 0, perMille},
		{"merging-chance", d.MergingChance, 0, perMille},
		{"bursts", d.Bursts, 0, perMille},
		{"snapshots", d.Snapshots, 0, perMille},
		{"loss-max", d.LossMax, 1, perMille},
		{"duplicate-max", d.DuplicateMax, 1, perMille},
		{"reorder-max", d.ReorderMax, 1, perMille},
		{"drift-max", d.DriftMax, 1, DriftMax},
		{"slow-max", d.SlowMax, 2, factorMax},
		{"op-max", d.OpMax, 1, opMax},
	}
	for _, f := range numbers {
		if f.value < f.lo || f.value > f.hi {
			return wrongConfig(f.name, "is %d: write %d to %d", f.value, f.lo, f.hi)
		}
	}
	return c.validateNames()
}

func (c StormConfig) validateNames() error {
	if c.Aimed > 0 && len(c.Steps) == 0 {
		return wrongConfig("aimed", "stands there without steps: name the requests, such as KvPrewrite, in the order in which they are sent")
	}
	for i, kind := range slices.Concat(c.Steps, c.Beside) {
		if !ValidName(kind) {
			field := "beside"
			if i < len(c.Steps) {
				field = "steps"
			}
			return wrongConfig(field, "has %q, which is no kind of messages: write the name of a request, such as KvPrewrite", kind)
		}
	}
	for _, k := range c.Kinds {
		if !k.valid() {
			return wrongConfig("kinds", "has %v, which is no kind of fault; known are %s", k, kindNames())
		}
	}
	nodes := c.nodes()
	for i, name := range nodes {
		if !ValidName(name) {
			return fmt.Errorf("%q is no name of a node: write letters, digits, dots, _ and -", name)
		}
		if slices.Contains(nodes[:i], name) {
			return fmt.Errorf("two nodes are called %q: names are unique", name)
		}
	}
	return nil
}

// nodes returns all names.
func (c StormConfig) nodes() []string {
	return slices.Concat(c.Stores, c.Placement, c.Clients)
}
