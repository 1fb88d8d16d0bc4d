package registers

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// Config is the configuration of a replica.
type Config struct {
	// Members are the names of the nodes of all replicas, in the same order
	// everywhere: a member's number is its position, from 1.
	Members []string
	// TickInterval is the length of a raft tick.
	TickInterval time.Duration
	// ElectionTick and HeartbeatTick are raft's.
	ElectionTick, HeartbeatTick int
	// MaxInflightMsgs and MaxSizePerMsg are raft's.
	MaxInflightMsgs int
	MaxSizePerMsg   uint64
	// LogEntries is how many applied entries a log keeps after compaction. It
	// is compacted when it holds twice as many. Not zero.
	LogEntries uint64
	// Read answers reads; nil is Confirm.
	Read Reader
	// Observer, if not nil, sees what happens.
	Observer Observer
}

// Reader answers a read at a replica that believes to lead.
type Reader func(r *Replica, q Query)

// Query is a read that waits for its answer.
type Query struct {
	from    env.Addr
	request request
}

// Observer sees what raft decides on a member, as it happens. It must not
// change what it is shown.
type Observer interface {
	// Started is told what a new process has found on its disk.
	Started(member uint64, hs *raftpb.HardState, log raft.Storage)
	// Elected is told of a member that has begun to lead in a term; the entry with
	// which it begins is not stored yet.
	Elected(member, term uint64)
	// Restored is told of a snapshot that a member got from its leader.
	Restored(member, index, term uint64)
	// Stored is told of a hard state, empty if it is the same as before, and of
	// entries that are being stored: they are on disk when it returns.
	Stored(member uint64, hs *raftpb.HardState, entries []*raftpb.Entry)
	// Sent is told of a message that is about to leave for another member.
	Sent(member uint64, m *raftpb.Message)
	// Applied is told of an entry that is being applied.
	Applied(member uint64, e *raftpb.Entry)
}

// silent is the observer of nobody.
type silent struct{}

func (silent) Started(uint64, *raftpb.HardState, raft.Storage)   {}
func (silent) Elected(uint64, uint64)                            {}
func (silent) Restored(uint64, uint64, uint64)                   {}
func (silent) Stored(uint64, *raftpb.HardState, []*raftpb.Entry) {}
func (silent) Sent(uint64, *raftpb.Message)                      {}
func (silent) Applied(uint64, *raftpb.Entry)                     {}

// firstIndex and firstTerm are those of the snapshot with which every log
// begins: the empty state machine, and who the members are.
const (
	firstIndex = 1
	firstTerm  = 1
)

// NewLog returns the log of a member of a new group.
func NewLog(members int) *raft.MemoryStorage {
	voters := make([]uint64, members)
	for i := range voters {
		voters[i] = uint64(i + 1)
	}
	log := raft.NewMemoryStorage()
	err := log.ApplySnapshot(&raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		Index: new(uint64(firstIndex)), Term: new(uint64(firstTerm)), ConfState: &raftpb.ConfState{Voters: voters},
	}})
	must(err, "write the first snapshot")
	must(log.SetHardState(&raftpb.HardState{
		Term: new(uint64(firstTerm)), Vote: new(uint64(raft.None)), Commit: new(uint64(firstIndex)),
	}), "write the first hard state")
	return log
}

// must holds what never fails here: the log is in memory, and what is decoded, from it or from
// the wire, was encoded by this package and is not altered on its way.
func must(err error, what string) {
	if err != nil { // tested here, as arguments of Check would be allocated
		invariant.Fail("registers: cannot %s: %v", what, err)
	}
}

// raftLogger passes what raft says to the node's log.
type raftLogger struct{ env.Logger }

func (l raftLogger) log(v []any) {
	if l.Enabled() {
		l.Logf("%s", fmt.Sprint(v...))
	}
}

func (l raftLogger) logf(format string, v []any) {
	if l.Enabled() {
		l.Logf(format, v...)
	}
}

func (l raftLogger) Debug(v ...any)                   { l.log(v) }
func (l raftLogger) Debugf(format string, v ...any)   { l.logf(format, v) }
func (l raftLogger) Info(v ...any)                    { l.log(v) }
func (l raftLogger) Infof(format string, v ...any)    { l.logf(format, v) }
func (l raftLogger) Warning(v ...any)                 { l.log(v) }
func (l raftLogger) Warningf(format string, v ...any) { l.logf(format, v) }
func (l raftLogger) Error(v ...any)                   { l.log(v) }
func (l raftLogger) Errorf(format string, v ...any)   { l.logf(format, v) }
func (raftLogger) Fatal(v ...any)                     { invariant.Fail("raft: %s", fmt.Sprint(v...)) }
func (raftLogger) Fatalf(format string, v ...any)     { invariant.Fail("raft: "+format, v...) }
func (raftLogger) Panic(v ...any)                     { invariant.Fail("raft: %s", fmt.Sprint(v...)) }
func (raftLogger) Panicf(format string, v ...any)     { invariant.Fail("raft: "+format, v...) }
