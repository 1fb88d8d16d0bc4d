package sim

import (
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim/clock"
	"simrun/sim/disk"
	"simrun/sim/stream"
)

// NodeConfig describes a node.
type NodeConfig struct {
	// Name names the node in plans, reports and logs. Names are unique.
	Name string
	// Disk, if not nil, gives the node a disk; otherwise its Env.Disk is nil.
	Disk *disk.Config
	// Main starts one process of the node. It must not wait. What it returns, if
	// not nil, runs after the process has ended, when nothing that it does has an
	// effect any more: it frees what the garbage collector would not.
	Main func(e *env.Env) (teardown func())
}

// markSyncing is reached when a process finds data that the disk is still making
// durable, as an earlier process has asked it to.
var markSyncing = invariant.NewMark("sim: process started before what an earlier one synced was durable") //nolint:gochecknoglobals // marks register once

// markVolatile is reached when a process finds data that a power loss could
// still take: whoever answers for it before the next Barrier may have to forget.
var markVolatile = invariant.NewMark("sim: process started on data that was not durable") //nolint:gochecknoglobals // marks register once

// Node is a machine: a disk and clocks, which outlive its processes, and at
// most one process.
type Node struct {
	world *World
	addr  env.Addr
	name  string
	main  func(*env.Env) func()

	disk     *disk.Disk
	clock    clock.Clock
	process  *process // nil: down
	boots    uint64   // processes started so far
	pauses   int      // open Pauses
	held     []Event  // what is due since the pause began
	drifts   []int64  // open ClockDrift faults, in ppm
	drift    int64    // of the clock beside drifts, while there are any
	onDeath  func()   // set while a crash at a disk operation is armed
	stall    *stall   // of the disk; nil: none
	slow     []int    // factors by which the disk is slow
	full     int      // open DiskFull faults
	capacity int64    // of the disk without faults; 0: no limit
}

// epochMax bounds how long before the start of a process its monotonic clock may
// have begun.
const epochMax = 1000 * time.Hour

// Name returns the node's name.
func (n *Node) Name() string { return n.name }

// Addr returns the node's address.
func (n *Node) Addr() env.Addr { return n.addr }

// Disk returns the node's disk, nil if it has none.
func (n *Node) Disk() *disk.Disk { return n.disk }

// Up reports whether the node has a running process.
func (n *Node) Up() bool { return n.process != nil && n.process.alive() }

// Start starts a process, unless the node is up.
func (n *Node) Start() bool {
	w := n.world
	if n.process != nil {
		return false
	}
	n.boots++
	p := &process{node: n}
	p.epoch = time.Duration(n.stream("monotonic clock").Int64N(int64(epochMax)))
	n.process = p
	e := &env.Env{
		Self: n.addr, Name: n.name,
		Clock: p, Sched: p, Net: p, Log: p, Streams: p,
		Exit: p.exit,
	}
	if n.disk != nil {
		e.Disk = diskPort{p, n.disk.FS()}
		markSyncing.Sometimes(n.disk.Durable() > w.now)
		markVolatile.Sometimes(n.disk.Volatile())
	}
	w.Trace.record(w.now, TraceProcess, uint32(n.addr), 1, n.name)
	w.changed(n, Started)
	p.teardown = n.main(e)
	return true
}

// Do runs fn as an event of the node's process, as something from outside that
// reaches it now: a process that is paused comes to it when it goes on, and one
// that ends before never does. It reports whether the node is up.
func (n *Node) Do(fn func()) bool {
	if !n.Up() {
		return false
	}
	n.process.After(0, fn)
	return true
}

// Crash ends the node's process: as if it was killed, or as if the machine had
// lost power. It reports whether there was one.
func (n *Node) Crash(kind disk.CrashKind) bool {
	p := n.process
	if p == nil {
		return false
	}
	p.end(kind)
	return true
}

// Pause stops the process until as many Resumes as Pauses were called: its
// timers, tasks and datagrams wait. It reports whether the node is up.
func (n *Node) Pause() bool {
	n.pauses++
	if n.pauses == 1 {
		n.world.changed(n, Paused)
	}
	return n.Up()
}

// Resume ends one Pause. What was due in the meantime happens now, in the order
// in which it was due.
func (n *Node) Resume() {
	if n.pauses == 0 {
		return
	}
	n.pauses--
	if n.pauses > 0 {
		return
	}
	n.world.changed(n, Resumed)
	held := n.held
	n.held = nil
	for _, e := range held {
		n.world.Post(n.world.now, e)
	}
}

// Paused reports whether the node stands still.
func (n *Node) Paused() bool { return n.pauses > 0 }

// hold keeps an event of a paused node until the node is resumed. It reports
// false if the node is not paused.
func (n *Node) hold(e Event) bool {
	if n.pauses == 0 {
		return false
	}
	n.held = append(n.held, e)
	return true
}

// SetDrift makes the node's clocks run fast (> 0) or slow, in parts per million.
func (n *Node) SetDrift(partsPerMillion int64) { n.clock.SetDrift(n.world.now, partsPerMillion) }

// addDrift adds a fault to the drift that the clock has by itself. The sum is
// computed anew each time, since the clock limits what it takes.
func (n *Node) addDrift(partsPerMillion int64) {
	if len(n.drifts) == 0 {
		n.drift = n.clock.Drift()
	}
	n.drifts = append(n.drifts, partsPerMillion)
	n.applyDrift()
}

// removeDrift takes one addDrift back, unless healClock has done so.
func (n *Node) removeDrift(partsPerMillion int64) {
	if at := slices.Index(n.drifts, partsPerMillion); at >= 0 {
		n.drifts = slices.Delete(n.drifts, at, at+1)
		n.applyDrift()
	}
}

// healClock leaves the drift that the clock has by itself.
func (n *Node) healClock() {
	if len(n.drifts) > 0 {
		n.drifts = nil
		n.applyDrift()
	}
}

func (n *Node) applyDrift() {
	sum := n.drift
	for _, d := range n.drifts {
		sum += d
	}
	n.SetDrift(sum)
}

// JumpClock moves the node's wall clock.
func (n *Node) JumpClock(d time.Duration) { n.clock.Jump(int64(d)) }

// Clock returns the node's clocks, for reports.
func (n *Node) Clock() clock.Clock { return n.clock }

// observeDisk folds an operation of the disk into the trace. It may run on a
// goroutine of the storage engine, while the loop waits for that engine.
func (n *Node) observeDisk(op disk.Op) {
	t := &n.world.Trace
	subject := ""
	if t.watched() {
		subject = op.String()
	}
	t.record(n.world.now, TraceDisk, uint32(n.addr), op.Digest(), subject)
	if n.world.OnDisk != nil {
		n.world.OnDisk(n, op)
	}
}

// diskDied is called by the disk when it has taken the node down.
func (n *Node) diskDied(reason string, _ disk.CrashKind) {
	if n.process != nil {
		n.process.doom(reason)
	}
}

// stream returns the stream of that name of the current process.
func (n *Node) stream(name string) *stream.Stream {
	return stream.New(n.world.cfg.Seed, name, uint64(n.addr), n.boots)
}

func hashDatagram(from env.Addr, payload []byte) uint64 {
	return xxhash.Sum64(payload) + uint64(from)
}
