package scenarios

import (
	"maps"
	"time"

	"simrun/faults"
	"simrun/scenarios/workload"
	"simrun/sim/plan"
	"simrun/sim/stream"
)

// Plan returns the plan of a seed.
func (s *Scenario) Plan(seed uint64) *plan.Plan {
	g := generator{seed}
	p := plan.Default()
	p.Scenario = s.Name
	p.Seed = seed
	s.shape(&p, g)
	s.tune(&p, g)
	s.fix(&p)
	s.schedule(&p.Scheduling, g)
	p.Faults = s.assured(faults.Storm(seed, s.storm(&p)), &p, g)
	// What the stores allow for is what happens and not more, so that leases last
	// as long as they can.
	drift := p.ClockDrift()
	p.Knobs.ClockDriftBound = min(drift, faults.DriftMax)
	if drift > faults.DriftMax {
		p.Knobs.LeaderLease = false
	}
	s.fix(&p) // also what was derived
	return &p
}

// shape draws who takes part and what they do.
func (s *Scenario) shape(p *plan.Plan, g generator) {
	p.Cluster.API = s.Cluster.API
	p.Cluster.Stores = choose(g, "stores", s.Cluster.Stores, p.Cluster.Stores)
	var fitting []int
	for _, n := range s.Cluster.Replicas {
		if n <= p.Cluster.Stores {
			fitting = append(fitting, n)
		}
	}
	p.Cluster.Replicas = choose(g, "replicas", fitting, p.Cluster.Replicas)
	p.Cluster.Joining = min(choose(g, "joining", s.Cluster.Joining, 0), p.Cluster.Stores-p.Cluster.Replicas)
	p.Cluster.Placement = choose(g, "placement", s.Cluster.Placement, placementMembers)
	p.Workload.Name = s.Workload.Name
	p.Workload.Clients = g.between("clients", s.Workload.Clients)
	p.Workload.Rate = g.between("rate", s.Workload.Rate)
	p.Workload.Keys = g.between("keys", s.Workload.Keys)
	p.Workload.SQL = s.Workload.SQL
	p.Workload.Params = maps.Clone(s.Workload.Params)
	if p.Workload.Params == nil {
		p.Workload.Params = map[string]int{}
	}
	if s.Cluster.API == plan.Raft {
		p.Cluster.Placement = 0
		p.Cluster.Replicas = p.Cluster.Stores // one group, of which everyone is a member
	} else {
		p.Cluster.SplitKeys = splitKeys(g.between("regions", s.Cluster.Regions), s.keys(p))
	}
	storm := g.stream("storm")
	length := time.Duration(storm.Between(int64(s.Storm.Min), int64(s.Storm.Max)))
	p.Phases.Storm = plan.Duration(length.Truncate(time.Millisecond))
}

// placementMembers is the number of placement members, unless the scenario says
// otherwise.
const placementMembers = 3

// splitKeys divides the workload's keys into regions of about equal size.
func splitKeys(regions int, keys []string) []string {
	regions = min(regions, len(keys))
	split := make([]string, 0, regions)
	for i := 1; i < regions; i++ {
		split = append(split, keys[i*len(keys)/regions])
	}
	return split
}

// keys returns the workload's keys in their order, or places all over them.
func (s *Scenario) keys(p *plan.Plan) []string {
	if keys, own := workload.Places(&p.Workload); own {
		return keys
	}
	return workload.Keys(s.Workload.Prefix, p.Workload.Keys)
}

// tune draws the configuration.
func (s *Scenario) tune(p *plan.Plan, g generator) {
	k := &p.Knobs
	k.Order = choose(g, "order", s.Knobs.Order, k.Order)
	k.MaxUncommittedBytes = choose(g, "max-uncommitted", s.Knobs.MaxUncommitted, k.MaxUncommittedBytes)
	k.MaxInflightMsgs = choose(g, "max-inflight-msgs", s.Knobs.MaxInflightMsgs, k.MaxInflightMsgs)
	k.MaxSizePerMsg = choose(g, "max-size-per-msg", s.Knobs.MaxSizePerMsg, k.MaxSizePerMsg)
	k.Hibernate = choose(g, "hibernate", s.Knobs.Hibernate, k.Hibernate)
	k.RaftLogGCThreshold = choose(g, "raft-log-gc", s.Knobs.RaftLogGCThreshold, k.RaftLogGCThreshold)
	k.LeaderLease = choose(g, "leader-lease", s.Knobs.LeaderLease, k.LeaderLease)
	k.ReplicaRead = choose(g, "replica-read", s.Knobs.ReplicaRead, k.ReplicaRead)
	k.RaftLogGCLimit = choose(g, "raft-log-gc-limit", s.Knobs.RaftLogGCLimit, k.RaftLogGCLimit)
	k.SnapshotChunkBytes = choose(g, "snapshot-chunk", s.Knobs.SnapshotChunkBytes, k.SnapshotChunkBytes)
	k.SnapshotRate = choose(g, "snapshot-rate", s.Knobs.SnapshotRate, k.SnapshotRate)
	k.SnapshotsMax = choose(g, "snapshots-max", s.Knobs.SnapshotsMax, k.SnapshotsMax)
	k.MemtableBytes = choose(g, "memtable", s.Knobs.MemtableBytes, k.MemtableBytes)
	if len(s.Knobs.L0SlowdownFiles) > 0 {
		k.L0SlowdownFiles = choose(g, "l0-slowdown", s.Knobs.L0SlowdownFiles, k.L0SlowdownFiles)
		k.L0StopFiles = k.L0SlowdownFiles + l0StopAfter
	}
	k.PendingCompactionBytes = choose(g, "pending-bytes", s.Knobs.PendingBytes, k.PendingCompactionBytes)
	k.BackgroundRate = choose(g, "background-rate", s.Knobs.BackgroundRate, k.BackgroundRate)
	k.LockTTL = choose(g, "lock-ttl", s.Knobs.LockTTL, k.LockTTL)
	k.RequestTimeout = choose(g, "request-timeout", s.Knobs.RequestTimeout, k.RequestTimeout)
	k.OperationTimeout = choose(g, "operation-timeout", s.Knobs.OperationTimeout, k.OperationTimeout)
	k.TSOWindow = choose(g, "tso-window", s.Knobs.TSOWindow, k.TSOWindow)
	k.StoreHeartbeat = choose(g, "store-heartbeat", s.Knobs.StoreHeartbeat, k.StoreHeartbeat)
	k.RegionHeartbeat = choose(g, "region-heartbeat", s.Knobs.RegionHeartbeat, k.RegionHeartbeat)
	k.GCInterval = choose(g, "gc-interval", s.Knobs.GCInterval, k.GCInterval)
	k.GCLifetime = choose(g, "gc-lifetime", s.Knobs.GCLifetime, k.GCLifetime)
	k.ScanPage = choose(g, "scan-page", s.Knobs.ScanPage, k.ScanPage)
	k.BatchBytes = choose(g, "batch-bytes", s.Knobs.BatchBytes, k.BatchBytes)
	k.CommitMode = choose(g, "commit-mode", s.Knobs.CommitMode, k.CommitMode)
	k.AsyncKeys = choose(g, "async-keys", s.Knobs.AsyncKeys, k.AsyncKeys)
	k.AsyncBytes = choose(g, "async-bytes", s.Knobs.AsyncBytes, k.AsyncBytes)
	k.CommitWindow = choose(g, "commit-window", s.Knobs.CommitWindow, k.CommitWindow)
	k.SchemaLease = choose(g, "schema-lease", s.Knobs.SchemaLease, k.SchemaLease)
	k.Pessimistic = choose(g, "pessimistic", s.Knobs.Pessimistic, k.Pessimistic)
	k.ReadCommitted = choose(g, "read-committed", s.Knobs.ReadCommitted, k.ReadCommitted)
	k.PrimaryFirst = choose(g, "primary-first", s.Knobs.PrimaryFirst, k.PrimaryFirst)
	k.ResolveByCleanup = choose(g, "resolve-by-cleanup", s.Knobs.ResolveByCleanup, k.ResolveByCleanup)
	k.PendingWrites = choose(g, "pending-writes", s.Knobs.PendingWrites, k.PendingWrites)
	p.Phases.Minority = choose(g, "minority", s.Knobs.Minority, p.Phases.Minority)
	p.Disk.SyncMax = choose(g, "sync", s.Knobs.SyncMax, p.Disk.SyncMax)
	p.Network.Loss = choose(g, "loss", s.Knobs.Loss, p.Network.Loss)
	p.Network.Duplicate = choose(g, "duplicate", s.Knobs.Duplicate, p.Network.Duplicate)
	p.Network.Reorder = choose(g, "reorder", s.Knobs.Reorder, p.Network.Reorder)
	p.Network.Detour = choose(g, "detour", s.Knobs.Detour, p.Network.Detour)
	p.Clocks.OffsetMax = choose(g, "clock-offset", s.Knobs.ClockOffset, p.Clocks.OffsetMax)
	p.Clocks.DriftMax = choose(g, "clock-drift", s.Knobs.ClockDrift, p.Clocks.DriftMax)
}

// schedule draws what becomes of regions by themselves.
func (s *Scenario) schedule(to *plan.Scheduling, g generator) {
	from := &s.Scheduling
	to.Interval = choose(g, "scheduling", from.Interval, to.Interval)
	to.MaxStoreDownTime = choose(g, "max-store-down-time", from.MaxStoreDownTime, to.MaxStoreDownTime)
	to.OperatorTimeout = choose(g, "operator-timeout", from.OperatorTimeout, to.OperatorTimeout)
	to.OperatorLimit = choose(g, "operator-limit", from.OperatorLimit, to.OperatorLimit)
	to.StoreLimit = choose(g, "store-limit", from.StoreLimit, to.StoreLimit)
	to.ReplicaCheck = choose(g, "replica-check", from.ReplicaCheck, to.ReplicaCheck)
	to.BalanceLeaders = choose(g, "balance-leaders", from.BalanceLeaders, to.BalanceLeaders)
	to.BalanceRegions = choose(g, "balance-regions", from.BalanceRegions, to.BalanceRegions)
	to.BySize = choose(g, "by-size", from.BySize, to.BySize)
	to.Tolerance = choose(g, "tolerance", from.Tolerance, to.Tolerance)
	to.EvictSlow = choose(g, "evict-slow", from.EvictSlow, to.EvictSlow)
	to.SplitSize = choose(g, "split-size", from.SplitSize, to.SplitSize)
	to.SplitKeys = choose(g, "split-keys", from.SplitKeys, to.SplitKeys)
	to.SplitCheck = choose(g, "split-check", from.SplitCheck, to.SplitCheck)
	to.MergeSize = choose(g, "merge-size", from.MergeSize, to.MergeSize)
	to.MergeKeys = choose(g, "merge-keys", from.MergeKeys, to.MergeKeys)
	to.MergeDelay = choose(g, "merge-delay", from.MergeDelay, to.MergeDelay)
	if to.Merges() {
		to.MergeSize, to.MergeKeys = fit(to.MergeSize, to.SplitSize), fit(to.MergeKeys, to.SplitKeys)
	}
}

// fit returns a limit up to which regions are merged that suits the one above which
// they are split. Each is drawn on its own, and splits must not undo merges: one
// that is too high, or none, becomes the highest that will do.
func fit(merge, split int64) int64 {
	if split > 0 && (merge == 0 || merge > split/2) {
		return split / 2
	}
	return merge
}

// l0StopAfter is how many files of level 0 above a slowdown writes stop.
const l0StopAfter = 8

// storm completes the configuration of the faults by what the plan has drawn.
func (s *Scenario) storm(p *plan.Plan) faults.StormConfig {
	c := s.Faults
	c.Length = p.Phases.Storm
	c.Replicas = p.Cluster.Replicas
	c.Stores = p.StoreNames()
	c.Joining = p.JoiningNames()
	c.Placement = p.PlacementNames()
	c.Clients = p.ClientNames()
	c.Keys = s.keys(p)
	c.Patience = p.Knobs.RequestTimeout
	return c
}

// generator draws the choices of one seed, each from its own stream.
type generator struct{ seed uint64 }

func (g generator) stream(name string) *stream.Stream { return stream.New(g.seed, "plan "+name) }

func (g generator) between(name string, r Range) int {
	return int(g.stream(name).Between(int64(r.Min), int64(r.Max)))
}

// choose draws one of the choices; without any it returns what is there.
func choose[T any](g generator, name string, choices []T, byDefault T) T {
	if len(choices) == 0 {
		return byDefault
	}
	return choices[g.stream(name).IntN(len(choices))]
}
