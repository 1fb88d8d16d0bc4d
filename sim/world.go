package sim

import (
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"simrun/network"
	"simrun/nodes/env"
	"simrun/sim/disk"
	"simrun/sim/stream"
)

// Config describes a World. The zero value is a usable one.
type Config struct {
	// Seed decides everything that is not decided by the nodes.
	Seed uint64
	// Order is the order of simultaneous events.
	Order Order
	// Network holds the defaults of all links.
	Network network.Config
	// OnExit is called when a process has ended by itself: it called Exit or its
	// disk failed. Restarting it is up to the harness.
	OnExit func(n *Node, reason string)
	// OnChange, if set, is told when a process starts, ends, pauses or goes on.
	OnChange func(n *Node, c Change)
	// Logf, if set, gets what nodes log, with the time and the node's name.
	Logf func(format string, args ...any)
}

// Change is a change of a node's state.
type Change uint8

// The changes.
const (
	Started Change = iota
	Ended
	Paused
	Resumed
)

// World is a kernel with nodes, a network between them and a disk in each.
//
// Libraries that draw from crypto/rand.Reader (raft draws its election timeouts
// there) would break determinism, so a World replaces that reader by a stream
// of its own until Close. A process therefore runs one World at a time.
type World struct {
	*Kernel
	Network *network.Network

	// OnDisk, if set, is told of every operation that a node's disk has taken. It may be
	// called on a goroutine of the node's storage engine, while the loop waits for that
	// engine.
	OnDisk func(n *Node, op disk.Op)

	cfg    Config
	nodes  []*Node // by address, from 1
	byName map[string]*Node
	reader io.Reader // crypto/rand.Reader as it was
	closed bool

	arrivals []*arrival // free list
	barriers []*barrier // free list

	// doomed are processes that ended themselves during the current event,
	// possibly on a goroutine of their storage engine.
	doomedMu  sync.Mutex
	doomed    []doom
	hasDoomed atomic.Bool
}

// doom is the end of a process that is carried out after the current event.
type doom struct {
	process *process
	reason  string
}

// NewWorld returns a world without nodes at virtual time zero. It panics if
// another World of the process is not closed.
func NewWorld(cfg Config) *World {
	if _, taken := rand.Reader.(*stream.Stream); taken {
		panic("sim: a process runs one World at a time: close the other one first")
	}
	w := &World{
		Kernel: NewKernel(cfg.Seed, cfg.Order),
		cfg:    cfg,
		nodes:  []*Node{nil},
		byName: map[string]*Node{},
		reader: rand.Reader,
	}
	rand.Reader = stream.New(cfg.Seed, "crypto/rand")
	var err error
	if w.Network, err = network.New(w.Kernel, cfg.Seed, w.deliver, cfg.Network); err != nil {
		panic("sim: " + err.Error()) // a configuration is validated where it is read
	}
	w.afterEvent = w.reapDoomed
	return w
}

// Close ends all processes and gives crypto/rand.Reader back. It may be called
// more than once.
func (w *World) Close() {
	if w.closed {
		return
	}
	w.closed = true
	for _, n := range w.nodes[1:] {
		n.Crash(disk.ProcessKill)
	}
	killAll(&w.tasks)
	for _, t := range w.idle {
		t.kill()
	}
	w.idle = nil
	rand.Reader = w.reader
}

// RunFor runs the world for d of virtual time.
func (w *World) RunFor(d time.Duration) error { return w.Run(w.now + int64(d)) }

// AddNode adds a node, which is down until it is started.
func (w *World) AddNode(cfg NodeConfig) *Node {
	if w.byName[cfg.Name] != nil {
		panic(fmt.Sprintf("sim: two nodes named %q", cfg.Name))
	}
	n := &Node{world: w, addr: env.Addr(len(w.nodes)), name: cfg.Name, main: cfg.Main}
	if cfg.Disk != nil {
		n.disk = disk.New(w.Kernel, *cfg.Disk, stream.New(w.cfg.Seed, "disk", uint64(n.addr)))
		n.capacity = cfg.Disk.Capacity
		n.disk.SetObserver(n.observeDisk)
		n.disk.OnDeath(n.diskDied)
	}
	w.nodes = append(w.nodes, n)
	w.byName[cfg.Name] = n
	return n
}

// Node returns the node of that name, nil if there is none.
func (w *World) Node(name string) *Node { return w.byName[name] }

// Nodes returns all nodes in the order in which they were added.
func (w *World) Nodes() []*Node { return w.nodes[1:] }

// StartAll starts all nodes that are down.
func (w *World) StartAll() {
	for _, n := range w.nodes[1:] {
		n.Start()
	}
}

// Mark adds a record of the harness to the trace.
func (w *World) Mark(kind EventKind, text string) {
	w.Trace.record(w.now, kind, 0, xxhash.Sum64String(text), text)
}

// reapDoomed carries out what Exit and disk failures have decided.
func (w *World) reapDoomed() {
	if !w.hasDoomed.Load() {
		return
	}
	w.doomedMu.Lock()
	doomed := w.doomed
	w.doomed = nil
	w.hasDoomed.Store(false)
	w.doomedMu.Unlock()
	for _, d := range doomed {
		if d.process.node.process != d.process {
			continue
		}
		n := d.process.node
		d.process.end(disk.ProcessKill)
		w.logf(n, "exit: %s", d.reason)
		w.Trace.record(w.now, TraceProcess, uint32(n.addr), xxhash.Sum64String(d.reason), d.reason)
		switch {
		case n.onDeath != nil && d.reason == disk.ArmedCrash:
			n.onDeath()
		case w.cfg.OnExit != nil:
			w.cfg.OnExit(n, d.reason)
		}
	}
}

func (w *World) changed(n *Node, c Change) {
	if w.cfg.OnChange != nil {
		w.cfg.OnChange(n, c)
	}
}

func (w *World) logf(n *Node, format string, args ...any) {
	if w.cfg.Logf != nil {
		w.cfg.Logf("%12v %-8s %s", time.Duration(w.now), n.name, fmt.Sprintf(format, args...))
	}
}

// arrival is a datagram that waits for its paused receiver.
type arrival struct {
	process *process
	from    env.Addr
	payload []byte
}

// deliver is called by the network when a datagram reaches a node.
func (w *World) deliver(from, to env.Addr, payload []byte) {
	n := w.nodes[to]
	p := n.process
	if p == nil || !p.alive() || p.receive == nil {
		return
	}
	if n.Paused() {
		a := take(&w.arrivals)
		a.process, a.from, a.payload = p, from, payload
		n.hold(a)
		return
	}
	p.arrive(from, payload)
}

// Fire implements Event.
func (a *arrival) Fire() {
	p := a.process
	w := p.node.world
	if p.alive() {
		if p.node.hold(a) {
			return
		}
		p.arrive(a.from, a.payload)
	}
	*a = arrival{}
	w.arrivals = append(w.arrivals, a)
}
