package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"simrun/faults"
)

// Validate reports the first field that is out of its range or does not fit
// the others. The error is an *Error.
func (p *Plan) Validate() error {
	if err := p.validate(); err != nil {
		return err
	}
	return nil
}

func (p *Plan) validate() *Error {
	var v validator
	v.check("version", p.Version == Version, "is %q: write %q", p.Version, Version)
	v.check("scenario", p.Scenario == "" || faults.ValidName(p.Scenario),
		"is %q: write letters, digits, _, - and .", p.Scenario)
	p.Cluster.validate(&v)
	p.Workload.validate(&v)
	v.duration("phases.boot", p.Phases.Boot, 1)
	v.duration("phases.storm", p.Phases.Storm, 1)
	v.duration("phases.calm", p.Phases.Calm, 1)
	v.duration("phases.audit", p.Phases.Audit, 1)
	v.check("phases.minority", slices.Contains(Minorities(), p.Phases.Minority),
		"is %q: write 'none', 'kill', 'pause', 'mute', 'deaf' or 'cut'", p.Phases.Minority)
	v.check("phases.minority", p.Cluster.API != Raft || p.Phases.Minority == NoMinority,
		"is '%s', but the api raft has no stores: write 'none'", p.Phases.Minority)
	p.Knobs.validate(&v)
	p.Scheduling.validate(&v)
	v.check("scheduling.operator-timeout", p.Scheduling.Interval == 0 || p.Scheduling.OperatorTimeout > p.Knobs.RegionHeartbeat,
		"is %v, in which a region may not report once: write more than knobs.region-heartbeat, which is %v",
		p.Scheduling.OperatorTimeout, p.Knobs.RegionHeartbeat)
	p.Network.validate(&v)
	p.Disk.validate(&v)
	v.duration("clocks.offset-max", p.Clocks.OffsetMax, 0)
	v.between("clocks.drift-max", int64(p.Clocks.DriftMax), 0, faults.DriftMax)
	v.between("limits.events", int64(min(p.Limits.Events, bytesMax)), 1, bytesMax-1)
	p.validateFaults(&v)
	p.validateDrift(&v)
	return v.err
}

func (c *Cluster) validate(v *validator) {
	v.between("cluster.stores", int64(c.Stores), 1, 9)
	v.check("cluster.replicas", c.Replicas == 1 || c.Replicas == 3 || c.Replicas == 5 || c.Replicas == 7,
		"is %d: write 1, 3, 5 or 7", c.Replicas)
	v.check("cluster.replicas", c.Replicas <= c.Stores,
		"is %d, but cluster.stores is %d: write at least as many stores as replicas", c.Replicas, c.Stores)
	v.check("cluster.joining", c.Joining >= 0 && c.Joining <= c.Stores-c.Replicas,
		"is %d, but of %d stores %d have to be there from the start: write 0 to %d", c.Joining, c.Stores, c.Replicas, c.Stores-c.Replicas)
	switch c.API {
	case Raw, Txn:
		v.check("cluster.placement", c.Placement == 1 || c.Placement == 3 || c.Placement == 5,
			"is %d: write 1, 3 or 5", c.Placement)
	case Raft:
		v.between("cluster.placement", int64(c.Placement), 0, 0)
		v.check("cluster.split-keys", len(c.SplitKeys) == 0, "has keys, but the api raft has no regions: write []")
		v.check("cluster.replicas", c.Replicas == c.Stores,
			"is %d, but cluster.stores is %d: in the api raft every node is a member of the one group, write equal numbers", c.Replicas, c.Stores)
	default:
		v.check("cluster.api", false, "is %q: write 'raw', 'txn' or 'raft'", c.API)
	}
	for i, key := range c.SplitKeys {
		field := fmt.Sprintf("cluster.split-keys[%d]", i)
		v.check(field, key != "", "is empty: the first region begins there anyway, leave it out")
		v.check(field, utf8.ValidString(key), "is %q, which is not UTF-8: write text", key)
		v.check(field, validKey(key), "is %q: after 0x write an even number of hexadecimal digits", key)
		v.check(field, i == 0 || KeyBytes(c.SplitKeys[i-1]) < KeyBytes(key), "is %q: write the keys in ascending order, each once", key)
	}
}

func (w *Workload) validate(v *validator) {
	v.check("workload.name", faults.ValidName(w.Name), "is %q: write the name of a workload, such as 'bank'", w.Name)
	v.between("workload.clients", int64(w.Clients), 1, 1000)
	v.between("workload.rate", int64(w.Rate), 1, 1_000_000)
	v.between("workload.operations", int64(min(w.Operations, bytesMax+1)), 0, bytesMax)
	v.between("workload.keys", int64(w.Keys), 1, 1_000_000)
	v.check("workload.sql", utf8.ValidString(w.SQL), "is not UTF-8: write text")
	for _, name := range sortedKeys(w.Params) {
		// Unlike the names of nodes, these do not stand in the text of a fault:
		// its words, such as write, are free.
		v.check("workload.params."+name, faults.ValidName("param."+name),
			"is no name of a parameter: write letters, digits, _, - and .")
	}
}

func (k *Knobs) validate(v *validator) {
	v.check("knobs.order", k.Order == FIFO || k.Order == Seeded, "is %q: write 'fifo' or 'seeded'", k.Order)
	v.duration("knobs.tick-interval", k.TickInterval, 1)
	v.between("knobs.heartbeat-tick", int64(k.HeartbeatTick), 1, 999)
	v.between("knobs.election-tick", int64(k.ElectionTick), int64(k.HeartbeatTick)+1, 1000)
	v.check("knobs.ticks", k.Ticks == Lazy || k.Ticks == Eager, "is %q: write 'lazy' or 'eager'", k.Ticks)
	v.duration("knobs.hibernate", k.Hibernate, 0)
	v.between("knobs.max-inflight-msgs", int64(k.MaxInflightMsgs), 1, 100_000)
	v.between("knobs.max-size-per-msg", int64(k.MaxSizePerMsg), 1, 1<<30)
	v.between("knobs.max-uncommitted-bytes", int64(k.MaxUncommittedBytes), 1, 1<<30)
	v.between("knobs.clock-drift-bound", int64(k.ClockDriftBound), 0, faults.DriftMax)
	v.perMille("knobs.replica-read", k.ReplicaRead)
	v.between("knobs.raft-log-gc-threshold", int64(k.RaftLogGCThreshold), 1, 1_000_000)
	v.between("knobs.raft-log-gc-limit", int64(k.RaftLogGCLimit), 1, 1000)
	v.between("knobs.snapshot-chunk-bytes", int64(k.SnapshotChunkBytes), 64, 16<<20)
	v.between("knobs.snapshot-rate", int64(k.SnapshotRate), 1024, 1<<30)
	v.between("knobs.snapshots-max", int64(k.SnapshotsMax), 1, 1000)
	v.between("knobs.memtable-bytes", int64(k.MemtableBytes), 16<<10, 256<<10)
	slowdown, stop := cmp.Or(k.L0SlowdownFiles, 20), cmp.Or(k.L0StopFiles, 36)
	v.between("knobs.l0-slowdown-files", int64(slowdown), 4, 999)
	v.between("knobs.l0-stop-files", int64(stop), int64(slowdown)+1, 1000)
	if k.PendingCompactionBytes != 0 {
		v.between("knobs.pending-compaction-bytes", int64(k.PendingCompactionBytes), 64<<10, 1<<30)
	}
	if k.BackgroundRate != 0 {
		v.between("knobs.background-rate", int64(k.BackgroundRate), 16<<10, 1<<30)
	}
	v.duration("knobs.lock-ttl", k.LockTTL, 1)
	v.duration("knobs.request-timeout", k.RequestTimeout, 1)
	v.duration("knobs.operation-timeout", k.OperationTimeout, k.RequestTimeout)
	v.between("knobs.scan-page", int64(k.ScanPage), 1, 1_000_000)
	v.between("knobs.batch-bytes", int64(k.BatchBytes), 1, 1_000_000)
	v.check("knobs.commit-mode", slices.Contains(commitModes(), k.CommitMode),
		"is %q: write 'two-phase', 'async', 'one-phase' or 'mixed'", k.CommitMode)
	v.between("knobs.async-keys", int64(k.AsyncKeys), 0, 1_000_000)
	v.between("knobs.async-bytes", int64(k.AsyncBytes), 0, 1_000_000)
	v.duration("knobs.commit-window", k.CommitWindow, 1)
	v.duration("knobs.schema-lease", k.SchemaLease, 0)
	v.check("knobs.schema-lease", k.SchemaLease%Duration(time.Millisecond) == 0, "is %v: write whole milliseconds", k.SchemaLease)
	v.perMille("knobs.pessimistic", k.Pessimistic)
	v.perMille("knobs.read-committed", k.ReadCommitted)
	v.between("knobs.pending-writes", int64(k.PendingWrites), 1, 1_000_000)
	v.duration("knobs.tso-window", k.TSOWindow, 1)
	v.duration("knobs.gc-interval", k.GCInterval, 0)
	v.duration("knobs.gc-lifetime", k.GCLifetime, 0)
	v.check("knobs.gc-lifetime", k.GCInterval == 0 || k.GCLifetime >= Duration(time.Second),
		"is %v, but garbage is collected: write '1s' or more, or gc-interval = '0s'", k.GCLifetime)
	v.duration("knobs.store-heartbeat", k.StoreHeartbeat, 1)
	v.duration("knobs.region-heartbeat", k.RegionHeartbeat, 1)
	v.duration("knobs.restart-delay", k.RestartDelay, 0)
}

func (n *Network) validate(v *validator) {
	v.duration("network.latency-min", n.LatencyMin, 0)
	v.duration("network.latency-max", n.LatencyMax, n.LatencyMin)
	v.duration("network.jitter", n.Jitter, 0)
	v.perMille("network.loss", n.Loss)
	v.perMille("network.duplicate", n.Duplicate)
	v.perMille("network.reorder", n.Reorder)
	v.duration("network.detour", n.Detour, 0)
	if n.Bandwidth != 0 {
		v.between("network.bandwidth", n.Bandwidth, 1000, 1<<40)
	}
	v.duration("network.queue-max", n.QueueMax, 0)
	v.check("network.queue-max", n.QueueMax == 0 || n.Bandwidth != 0,
		"is %v, but nothing queues on a link of unlimited bandwidth: write '0s', or a bandwidth", n.QueueMax)
}

func (d *Disk) validate(v *validator) {
	v.duration("disk.write-min", d.WriteMin, 0)
	v.duration("disk.write-max", d.WriteMax, d.WriteMin)
	v.duration("disk.write-per-kib", d.WritePerKiB, 0)
	v.duration("disk.sync-min", d.SyncMin, 0)
	v.duration("disk.sync-max", d.SyncMax, d.SyncMin)
	v.duration("disk.entry-min", d.EntryMin, 0)
	v.duration("disk.entry-max", d.EntryMax, d.EntryMin)
	v.between("disk.capacity", d.Capacity, 0, bytesMax)
}

func (p *Plan) validateFaults(v *validator) {
	if v.err != nil {
		return // the names of the nodes depend on what is wrong
	}
	known := map[string]bool{}
	for _, name := range p.NodeNames() {
		known[name] = true
	}
	for i, f := range p.Faults {
		field := faultField(i)
		if err := f.Validate(); err != nil {
			v.check(field, false, ": %v", err)
		}
		v.check(field, f.At <= time.Duration(p.Phases.Storm),
			"begins after the storm, which lasts %v: write an earlier instant, or a longer phases.storm", p.Phases.Storm)
		p.validateStores(v, field, &f)
		for _, targets := range [][]faults.Target{f.Targets, f.Peers} {
			for _, t := range targets {
				v.check(field, t.Kind != faults.TargetNode || known[t.Name],
					"names %q, which is no node of the cluster: there are %s", t.Name, p.describeNodes())
			}
		}
	}
}

// describeNodes lists the names without printing a thousand clients.
func (p *Plan) describeNodes() string {
	var groups []string
	group := func(prefix string, n int) {
		switch {
		case n == 1:
			groups = append(groups, prefix+"1")
		case n > 1:
			groups = append(groups, fmt.Sprintf("%s1 to %s%d", prefix, prefix, n))
		}
	}
	group("store", p.Cluster.Stores)
	group("pd", p.Cluster.Placement)
	group("client", p.Workload.Clients)
	return strings.Join(groups, ", ")
}

// bytesMax bounds sizes and counts, well within an integer of TOML.
const bytesMax = 1 << 60

// validator keeps the first error.
type validator struct{ err *Error }

func (v *validator) check(field string, ok bool, format string, args ...any) {
	if !ok && v.err == nil {
		v.err = &Error{Field: field, Message: fmt.Sprintf(format, args...)}
	}
}

func (v *validator) between(field string, n, lowest, highest int64) {
	if lowest == highest {
		v.check(field, n == lowest, "is %d: write %d", n, lowest)
	}
	v.check(field, n >= lowest && n <= highest, "is %d: write %d to %d", n, lowest, highest)
}

func (v *validator) perMille(field string, n int) { v.between(field, int64(n), 0, 1000) }

// duration checks one against its lowest value and the longest that the
// virtual clock is asked for.
func (v *validator) duration(field string, d, lowest Duration) {
	highest := Duration(faults.TimeMax)
	v.check(field, d >= lowest && d <= highest, "is %v: write '%v' to '%v'", d, lowest, highest)
}
