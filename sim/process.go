package sim

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/nodes/env"
	"simrun/sim/disk"
)

// process is one life of a node, from start to crash. It implements the ports
// of env.Env. Nothing that it does after its end has an effect.
type process struct {
	node *Node
	// epoch is what the monotonic clock shows beyond the node's: its zero is
	// another instant in each process, so that what one of them shows means nothing
	// to others or after a restart.
	epoch    time.Duration
	tasks    []*task // alive, in no particular but a deterministic order
	receive  func(from env.Addr, payload []byte)
	durable  []func() // callbacks of Barrier, in the order of the calls
	teardown func()
	// dead is set before the process is unwound, perhaps on a goroutine of the
	// storage engine: from then on its sends and timers are void.
	dead atomic.Bool
	// crashed: the disk has been taken away from the process already.
	crashed bool
}

func (p *process) alive() bool { return !p.dead.Load() }

// exit implements env.Env.Exit. The disk is nobody's from here on, so that the
// storage engine can come to rest whatever it has met.
func (p *process) exit(reason string) {
	if p.doom(reason) && p.node.disk != nil {
		p.node.disk.Crash(disk.ProcessKill)
		p.crashed = true
	}
}

// doom marks the end of the process; the loop carries it out after the event.
// It reports false if the process has ended already.
func (p *process) doom(reason string) bool {
	if p.dead.Swap(true) {
		return false
	}
	w := p.node.world
	w.doomedMu.Lock()
	w.doomed = append(w.doomed, doom{p, reason})
	w.hasDoomed.Store(true)
	w.doomedMu.Unlock()
	return true
}

// end unwinds the process and leaves its disk as the crash left it.
func (p *process) end(kind disk.CrashKind) {
	n := p.node
	w := n.world
	p.dead.Store(true)
	n.process = nil
	w.Trace.record(w.now, TraceProcess, uint32(n.addr), 0, n.name)
	w.changed(n, Ended)
	if n.disk != nil && !p.crashed {
		n.disk.Crash(kind)
	}
	killAll(&p.tasks)
	p.receive, p.durable = nil, nil
	if p.teardown != nil {
		p.teardown()
		p.teardown = nil
	}
}

// duration translates a duration on the node's monotonic clock into true time.
func (p *process) duration(d int64) int64 {
	if p == nil {
		return d
	}
	return p.node.clock.Duration(d)
}

// due returns what the node's monotonic clock shows when d has passed on it.
func (p *process) due(d int64) int64 {
	if p == nil {
		return 0
	}
	return p.node.clock.Monotonic(p.node.world.now) + d
}

// clockRounding is how far two readings of a clock may be from what it has advanced, in
// nanoseconds: each is rounded down.
const clockRounding = 1

// early returns the true time that is left until the node's monotonic clock shows due; 0
// if it does. A clock that was slowed down meanwhile takes longer than was computed.
func (p *process) early(due int64) int64 {
	if p == nil {
		return 0
	}
	c := &p.node.clock
	if left := due - c.Monotonic(p.node.world.now); left > clockRounding {
		return c.Duration(left)
	}
	return 0
}

// Wall implements env.Clock.
func (p *process) Wall() time.Time {
	return time.Unix(0, p.node.clock.Wall(p.node.world.now)).UTC()
}

// Monotonic implements env.Clock.
func (p *process) Monotonic() time.Duration {
	return p.epoch + time.Duration(p.node.clock.Monotonic(p.node.world.now))
}

// Go implements env.Scheduler.
func (p *process) Go(name string, fn func(env.Task)) {
	if p.alive() {
		p.node.world.spawn(p, name, fn)
	}
}

// Send implements env.Network.
func (p *process) Send(to env.Addr, payload []byte) {
	w := p.node.world
	if int(to) >= len(w.nodes) || to == 0 {
		panic(fmt.Sprintf("sim: %s sends to address %d, which no node has", p.node.name, to))
	}
	if p.alive() {
		w.Network.Send(p.node.addr, to, payload)
	}
}

// Receive implements env.Network.
func (p *process) Receive(fn func(from env.Addr, payload []byte)) { p.receive = fn }

// Resolve implements env.Network.
func (p *process) Resolve(name string) (env.Addr, bool) {
	n := p.node.world.byName[name]
	if n == nil {
		return 0, false
	}
	return n.addr, true
}

// arrive hands a datagram to the process.
func (p *process) arrive(from env.Addr, payload []byte) {
	t := &p.node.world.Trace
	subject := ""
	if t.watched() {
		subject = p.node.world.describeDatagram(from, payload)
	}
	t.record(p.node.world.now, TraceMessage, uint32(p.node.addr), hashDatagram(from, payload), subject)
	p.receive(from, payload)
}

// describeDatagram says what a datagram is, for whoever watches the trace.
func (w *World) describeDatagram(from env.Addr, payload []byte) string {
	kind := ""
	if name := w.cfg.Network.Kind; name != nil {
		kind = name(payload)
	}
	if kind != "" {
		kind += ", "
	}
	return fmt.Sprintf("from %s, %s%d bytes", w.nodes[from].name, kind, len(payload))
}

// Stream implements env.Streams.
func (p *process) Stream(name string) env.Rand { return p.node.stream(name) }

// Enabled implements env.Logger.
func (p *process) Enabled() bool { return p.node.world.cfg.Logf != nil }

// Logf implements env.Logger.
func (p *process) Logf(format string, args ...any) { p.node.world.logf(p.node, format, args...) }

// diskPort implements env.Disk for one process.
type diskPort struct {
	p  *process
	fs vfs.FS
}

func (d diskPort) FS() vfs.FS { return d.fs }

func (d diskPort) Unsynced(fn func()) { d.p.node.disk.Unsynced(fn) }

// ReadBytes implements env.Disk.
func (d diskPort) ReadBytes(n int64) {
	if d.p.alive() {
		d.p.node.disk.ReadBytes(n)
	}
}

// Barrier implements env.Disk. Each call schedules one event, and each event
// runs the first callback in line, so that callbacks keep their order even
// where simultaneous events do not. As the points of the calls do not decrease,
// that callback's is reached when any event's is.
func (d diskPort) Barrier(fn func()) {
	p := d.p
	if !p.alive() {
		return
	}
	p.durable = append(p.durable, fn)
	b := take(&p.node.world.barriers)
	b.process, b.point = p, p.node.disk.Synced()
	at, known := p.node.disk.Reaches(b.point)
	b.wait(at, known)
}

// barrier is the instant at which the first callback in line may run.
type barrier struct {
	process *process
	point   disk.Point
}

// wait posts the barrier for an instant, or leaves it to the end of a stall.
func (b *barrier) wait(at int64, known bool) {
	n := b.process.node
	if !known {
		if n.stall == nil {
			panic("sim: the disk of " + n.name + " was frozen by other means than a fault")
		}
		n.stall.waiting = append(n.stall.waiting, b)
		return
	}
	n.world.queue.push(at, b)
}

// Fire implements Event. A stall may have begun since the event was posted.
func (b *barrier) Fire() {
	p := b.process
	w := p.node.world
	if !p.alive() {
		w.freeBarrier(b)
		return
	}
	if at, known := p.node.disk.Reaches(b.point); !known || at > w.now {
		b.wait(at, known)
		return
	}
	if p.node.hold(b) {
		return
	}
	w.Trace.record(w.now, TraceBarrier, uint32(p.node.addr), uint64(len(p.durable)), "")
	fn := p.durable[0]
	p.durable[0] = nil
	p.durable = p.durable[1:]
	w.freeBarrier(b)
	fn()
}

func (w *World) freeBarrier(b *barrier) {
	b.process = nil
	w.barriers = append(w.barriers, b)
}
