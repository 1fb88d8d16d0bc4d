package reports

import (
	"cmp"
	"slices"
	"time"

	"simrun/sim/history"
)

// Stats counts what happened in a run.
type Stats struct {
	Operations []OperationCount `json:"operations"`
	// Programs counts the runs of the workload's programs, sorted by name; nil if it has
	// none, or nobody counted them.
	Programs  []ProgramCount  `json:"programs,omitempty"`
	Faults    []FaultCount    `json:"faults"`
	Cluster   ClusterStats    `json:"cluster"`
	Reads     ReadStats       `json:"reads"`
	Commits   CommitStats     `json:"commits"`
	Operators []OperatorCount `json:"operators,omitempty"`
	Engines   []EngineStats   `json:"engines"`
	Backlogs  []BacklogStats  `json:"backlogs,omitempty"`
	Network   NetworkStats    `json:"network"`
	Disk      DiskStats       `json:"disk"`
	Cost      CostStats       `json:"cost"`
	// Events is the number of events of the trace.
	Events uint64 `json:"events"`
	// Virtual is how long the run was in virtual nanoseconds.
	Virtual int64 `json:"virtual"`
}

// OperationCount counts the clients' operations of one kind by their outcome.
type OperationCount struct {
	Kind    history.Kind `json:"kind"`
	OK      int          `json:"ok"`
	Failed  int          `json:"failed"`
	Unknown int          `json:"unknown"`
}

// Total returns the number of operations of the kind.
func (c OperationCount) Total() int { return c.OK + c.Failed + c.Unknown }

// ProgramCount counts the runs of one program of a workload by how they ended: at its
// end, before it, or nobody knows. Its fields are those of workload.ProgramCount.
type ProgramCount struct {
	Name    string `json:"name"`
	OK      int    `json:"ok"`
	Failed  int    `json:"failed"`
	Unknown int    `json:"unknown"`
}

func (c ProgramCount) all() int { return c.OK + c.Failed + c.Unknown }

// FaultCount counts the scheduled faults of one kind.
type FaultCount struct {
	Kind string `json:"kind"`
	// Scheduled is how many stand in the plan.
	Scheduled int `json:"scheduled"`
	// Armed is how many of them came up before the calm.
	Armed int `json:"armed"`
	// Effective is how many of those took effect.
	Effective int `json:"effective"`
}

// administrative reports whether the kind is an operation of an administrator,
// which stands in the schedule with the faults and is none.
func (c FaultCount) administrative() bool {
	switch c.Kind {
	case "split", "transfer-leader", "add-peer", "remove-peer", "move-peer", "join", "drain", "merge-regions":
		return true
	}
	return false
}

// ClusterStats counts what the nodes did and underwent.
type ClusterStats struct {
	Elections       uint64 `json:"elections"` // won, the first one of each group included
	LeaderTransfers uint64 `json:"leader_transfers"`
	Splits          uint64 `json:"splits"`
	MergesPrepared  uint64 `json:"merges_prepared"`
	Merges          uint64 `json:"merges"`
	MergeRollbacks  uint64 `json:"merge_rollbacks"`
	Snapshots       uint64 `json:"snapshots"` // applied
	Crashes         uint64 `json:"crashes"`
	Restarts        uint64 `json:"restarts"`

	SnapshotsSent    uint64 `json:"snapshots_sent"`    // and accepted by the receiver
	SnapshotsResumed uint64 `json:"snapshots_resumed"` // after what the receiver had from an earlier stream
	SnapshotsRefused uint64 `json:"snapshots_refused"` // chunks that a receiver did not take
}

// onlyNodes reports whether nothing is counted but what happened to nodes, as of a
// system that has neither leaders nor regions.
func (c ClusterStats) onlyNodes() bool {
	return c == ClusterStats{Crashes: c.Crashes, Restarts: c.Restarts}
}

// ReadStats counts the reads of regions by how they were confirmed.
type ReadStats struct {
	Lease   uint64 `json:"lease"`   // by a leader under its lease
	Index   uint64 `json:"index"`   // by a leader that has asked a quorum
	Replica uint64 `json:"replica"` // by a follower that has asked its leader
}

// CommitStats counts how transactions were committed and what it took.
type CommitStats struct {
	TwoPhase CommitMode `json:"two_phase"`
	Async    CommitMode `json:"async"`
	OnePhase CommitMode `json:"one_phase"`
	// Proposals are those of all commands of clients, also of those that failed.
	Proposals uint64 `json:"proposals"`
}

// CommitMode counts the transactions that were committed in one way, and the
// rounds of requests until their clients had the answer.
type CommitMode struct {
	Transactions uint64 `json:"transactions"`
	Rounds       uint64 `json:"rounds"`
}

// OperatorCount counts the operators of the placement driver of one kind by how
// they ended; one that was lost with a process is only begun.
type OperatorCount struct {
	Kind      string `json:"kind"`
	Begun     uint64 `json:"begun"`
	Finished  uint64 `json:"finished"`
	TimedOut  uint64 `json:"timed_out"`
	Cancelled uint64 `json:"cancelled"`
	Abandoned uint64 `json:"abandoned"` // with the leadership that had begun them
}

// EngineStats counts what the databases of a node did in the background, and for
// how many virtual nanoseconds they held writes back. Its fields are those of
// cluster.EngineStats.
type EngineStats struct {
	Node        string        `json:"node"`
	Flushes     uint64        `json:"flushes"`
	Compactions uint64        `json:"compactions"`
	Lower       uint64        `json:"lower_compactions"` // between levels below level 0
	Flushed     uint64        `json:"bytes_flushed"`
	Compacted   uint64        `json:"bytes_compacted"` // read and written
	Levels      int           `json:"levels"`          // the most that have held tables at a time
	Slowdowns   uint64        `json:"slowdowns"`
	Stops       uint64        `json:"stops"`
	Slowed      time.Duration `json:"slowed"`
	Stopped     time.Duration `json:"stopped"`
}

// BacklogStats is how much has waited at most on a store for its disk. Its fields
// are those of cluster.BacklogStats.
type BacklogStats struct {
	Node   string `json:"node"`
	Append uint64 `json:"append_peak_bytes"` // of entries that were to be durable in the log
	Apply  uint64 `json:"apply_peak_bytes"`  // of entries that were committed and to be applied
}

// NetworkStats counts datagrams. Its fields are those of network.Stats, so that
// one converts to the other.
type NetworkStats struct {
	Sent       uint64 `json:"sent"`
	Delivered  uint64 `json:"delivered"` // copies included
	Lost       uint64 `json:"lost"`
	Cut        uint64 `json:"cut"` // lost to a partition
	Overflowed uint64 `json:"overflowed"`
	Duplicated uint64 `json:"duplicated"`
	Reordered  uint64 `json:"reordered"`
	Clogged    uint64 `json:"clogged"`
	Bytes      uint64 `json:"bytes"`
}

// DiskStats counts what the disks of all nodes did.
type DiskStats struct {
	Operations uint64 `json:"operations"`
	Syncs      uint64 `json:"syncs"`
	Bytes      uint64 `json:"bytes"` // written
	// Lost and Torn count the unsynced writes that a power loss took: Lost those of which
	// nothing was left, Torn those of which a part was. None is in both.
	Lost   uint64 `json:"lost"`
	Torn   uint64 `json:"torn"`
	Errors uint64 `json:"errors"` // injected reads and writes that failed, for want of space too
	Stalls uint64 `json:"stalls"` // operations that met a stalled disk
}

// CountOperations counts a history's operations by kind and outcome, sorted by
// kind.
func CountOperations(h *history.History) []OperationCount {
	counts := []OperationCount{}
	for i := range h.Ops {
		op := &h.Ops[i]
		at := slices.IndexFunc(counts, func(c OperationCount) bool { return c.Kind == op.Kind })
		if at < 0 {
			at = len(counts)
			counts = append(counts, OperationCount{Kind: op.Kind})
		}
		switch op.Outcome {
		case history.OK:
			counts[at].OK++
		case history.Failed:
			counts[at].Failed++
		case history.Unknown:
			counts[at].Unknown++
		}
	}
	slices.SortFunc(counts, func(a, b OperationCount) int { return cmp.Compare(a.Kind, b.Kind) })
	return counts
}

// faults returns how many faults were scheduled and how many took effect, not
// counting what is none.
func (s *Stats) faults() (scheduled, effective int) {
	for _, c := range s.Faults {
		if !c.administrative() {
			scheduled += c.Scheduled
			effective += c.Effective
		}
	}
	return scheduled, effective
}

// FaultsEffective returns how many faults took effect. A run in which none did
// has tested nothing of what it was meant to.
func (s *Stats) FaultsEffective() int {
	_, effective := s.faults()
	return effective
}
