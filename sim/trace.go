package sim

import "math/bits"

// EventKind says what a trace record stands for.
type EventKind uint8

// The kinds of trace records.
const (
	TraceTimer   EventKind = iota // a timer of a node fired
	TraceTask                     // a task of a node was resumed
	TraceMessage                  // a datagram reached a node: Arg is its hash
	TraceDisk                     // a disk operation: Arg is its hash
	TraceBarrier                  // a disk reported durability
	TraceProcess                  // a process started (Arg 1), ended (0), or ended itself (hash of the reason)
	TraceFault                    // a fault began or ended: Arg is the hash of its text
	TraceMark                     // recorded by the harness, through World.Mark
	numEventKinds
)

var eventKindNames = [numEventKinds]string{ //nolint:gochecknoglobals // a constant table
	"timer", "task", "message", "disk", "barrier", "process", "fault", "mark",
}

func (k EventKind) String() string { return eventKindNames[k] }

// Record is one event of the trace.
type Record struct {
	Time int64 // virtual nanoseconds
	Kind EventKind
	Node uint32 // address of the node it happened on; 0: none
	Arg  uint64 // what distinguishes it: a hash of its payload
}

// Checkpoint is the trace hash after a number of records.
type Checkpoint struct {
	Events uint64 `json:"events"`
	Time   int64  `json:"time"`
	Hash   uint64 `json:"hash,string"`
}

// checkpointEvery is the number of records between two checkpoints.
const checkpointEvery = 1 << 14

// Trace is the running hash of everything that happened, in order.
type Trace struct {
	hash        uint64
	events      uint64
	node        uint32 // of the latest record of the current event that has one
	checkpoints []Checkpoint
	watch       func(r Record, subject string)
}

// Hash returns the hash of all records so far.
func (t *Trace) Hash() uint64 { return t.hash }

// Events returns the number of records so far.
func (t *Trace) Events() uint64 { return t.events }

// Checkpoints returns the hash at regular numbers of records.
func (t *Trace) Checkpoints() []Checkpoint { return t.checkpoints }

// Watch makes f see every further record, with words that say what it is about.
func (t *Trace) Watch(f func(r Record, subject string)) { t.watch = f }

// watched reports whether the words are worth composing.
func (t *Trace) watched() bool { return t.watch != nil }

// fold adds a record.
func (t *Trace) fold(now int64, kind EventKind, node uint32, arg uint64) {
	t.hash = mum(t.hash^uint64(now)^0xa0761d6478bd642f, arg^uint64(kind)<<56^uint64(node)<<24^0xe7037ed1a0b428db)
	if node != 0 {
		t.node = node
	}
	t.events++
	if t.events%checkpointEvery == 0 {
		t.checkpoints = append(t.checkpoints, Checkpoint{t.events, now, t.hash})
	}
}

// record adds a record and shows it to the watcher.
func (t *Trace) record(now int64, kind EventKind, node uint32, arg uint64, subject string) {
	t.fold(now, kind, node, arg)
	if t.watch != nil {
		t.watch(Record{now, kind, node, arg}, subject)
	}
}

// mum is the mixing step of wyhash: both halves of the product, so that no
// input bit is lost.
func mum(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
