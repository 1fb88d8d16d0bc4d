// Package env holds the ports through which a node sees the world: its clocks,
// timers and tasks, a network that carries bytes, a disk, randomness and a log.
//
// A node is a function that receives an Env, installs a receiver on the
// network, starts tasks and returns. From then on everything it does happens
// in callbacks and tasks, of which exactly one runs at a time. A node holds no
// lock and starts no goroutine.
//
// The package imports nothing of this project. The simulator implements it on
// virtual time; an implementation on a real clock, TCP and the operating
// system's files needs one lock per node and nothing else.
package env

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Addr is the address of a node on the network. The zero value is no node.
type Addr uint32

// Env is what one process of a node may know of the world. It is valid from
// the start of the process to its end: after a crash the node gets a new one.
type Env struct {
	// Self is the node's own address, Name its name in plans and reports.
	Self Addr
	Name string

	Clock   Clock
	Sched   Scheduler
	Net     Network
	Disk    Disk // nil for a node without a disk
	Log     Logger
	Streams Streams

	// Exit ends the process at once, as a failed assertion or a fatal storage
	// error does: nothing that the process does after it has an effect.
	Exit func(reason string)
}

// Clock is a node's own view of time.
type Clock interface {
	// Wall is the node's wall clock. It may be wrong by any amount, drift, and
	// jump forward and backward.
	Wall() time.Time
	// Monotonic is the time since some instant before the process started, which
	// is another one in each process: no other process can make sense of it. It
	// never goes back, but it may run fast or slow.
	Monotonic() time.Duration
}

// Scheduler runs a node's code.
type Scheduler interface {
	// After runs fn on the node's thread of control once d (>= 0) has passed on
	// the monotonic clock. After(0, fn) runs fn after the current callback.
	After(d time.Duration, fn func()) Timer
	// Go starts a task: straight-line code that may wait.
	Go(name string, fn func(Task))
}

// Task is a running coroutine of a node. Its methods may be called only from
// the task itself. When the process ends, a waiting task is unwound: its
// deferred calls run, and no recover can stop it.
type Task interface {
	// Sleep waits for d of the node's monotonic clock.
	Sleep(d time.Duration)
	// Waker returns the handle that ends the task's next Park. Take it before
	// the wake-up can happen, then Park.
	Waker() Waker
	// Park waits until the Waker taken last is woken (true) or d has passed on
	// the monotonic clock (false). A negative d waits without limit.
	Park(d time.Duration) bool
}

// Wakeable is implemented by the scheduler's tasks and timers.
type Wakeable interface {
	// Wake resumes wait number gen; a stale gen is ignored.
	Wake(gen uint64)
}

// Waker ends one particular wait of one task. The zero value does nothing.
// Waking twice, or after the wait has ended, does nothing.
type Waker struct {
	target Wakeable
	gen    uint64
}

// NewWaker is for implementations of Task.
func NewWaker(target Wakeable, gen uint64) Waker { return Waker{target, gen} }

// Wake makes the waiting task run after the current callback.
func (w Waker) Wake() {
	if w.target != nil {
		w.target.Wake(w.gen)
	}
}

// Stoppable is implemented by the scheduler's timers.
type Stoppable interface {
	// StopTimer cancels timer number gen and reports whether it was pending.
	StopTimer(gen uint64) bool
}

// Timer is a pending After. The zero value is a timer that has fired.
type Timer struct {
	target Stoppable
	gen    uint64
}

// NewTimer is for implementations of Scheduler.
func NewTimer(target Stoppable, gen uint64) Timer { return Timer{target, gen} }

// Stop cancels the timer and reports whether it was still pending.
func (t Timer) Stop() bool { return t.target != nil && t.target.StopTimer(t.gen) }

// Network carries datagrams: each arrives once, several times or never, late
// and in any order, but never altered.
type Network interface {
	// Send hands payload to the network, which owns it from then on.
	Send(to Addr, payload []byte)
	// Receive installs the function that gets every datagram. The payload must
	// not be changed (a duplicate may share it) but may be kept.
	Receive(fn func(from Addr, payload []byte))
	// Resolve translates a node's name into its address.
	Resolve(name string) (Addr, bool)
}

// Disk is a node's disk. Calls on its file system return at once; what they
// cost in time shows only in Barrier. Reads cost nothing, because how many there
// are depends on caches, but for those of ReadBytes.
type Disk interface {
	// FS is the file system. It survives crashes of the node as far as its
	// contents were durable.
	FS() vfs.FS
	// Unsynced runs fn. Syncs of existing files that are issued inside hand the
	// bytes to the operating system only: they survive the end of the process
	// but not a power loss, unless a later sync outside covers them.
	Unsynced(fn func())
	// ReadBytes tells that n bytes were read in one go past all caches, as a
	// compaction reads its input. On a disk whose reads take their time by
	// themselves it does nothing.
	ReadBytes(n int64)
	// Barrier runs fn as a callback of the node once everything that was synced
	// before the call is durable, and read what ReadBytes was told. Callbacks run in the order of their calls.
	// If the node crashes first, fn never runs.
	Barrier(fn func())
}

// Rand is a deterministic stream of random numbers.
type Rand interface {
	Uint64() uint64
	// IntN returns a number in [0, n); n must be positive.
	IntN(n int) int
}

// Streams gives a node its randomness.
type Streams interface {
	// Stream returns the stream of that name, one per node, name and process.
	// Draws from one stream never shift those from another.
	Stream(name string) Rand
}

// Logger takes messages for people. They never influence the simulation.
type Logger interface {
	// Enabled reports whether anybody listens, so that arguments need not be
	// computed in vain.
	Enabled() bool
	Logf(format string, args ...any)
}
