package sim

import (
	"time"

	"simrun/faults"
	"simrun/network"
	"simrun/nodes/env"
	"simrun/sim/disk"
)

// Directory tells an Injector what only the system under test knows: who leads
// what. A system without regions needs none.
type Directory interface {
	// Resolve returns the nodes that a late-bound target means now.
	Resolve(target faults.Target) []string
	// Split and TransferLeader ask the system for an administrator's operation;
	// see faults.Injector.
	Split(key string, happened func()) bool
	TransferLeader(key string, happened func()) bool
}

// Injector applies faults to a World. It implements faults.Injector.
type Injector struct {
	world     *World
	directory Directory // nil: no late-bound targets
}

// NewInjector returns an injector for w.
func NewInjector(w *World, d Directory) *Injector { return &Injector{w, d} }

var _ faults.Injector = (*Injector)(nil)

// Nodes implements faults.Injector.
func (i *Injector) Nodes() []string {
	var names []string
	for _, n := range i.world.Nodes() {
		names = append(names, n.name)
	}
	return names
}

// Resolve implements faults.Injector.
func (i *Injector) Resolve(target faults.Target) []string {
	if target.Kind == faults.TargetNode {
		if i.world.Node(target.Name) == nil {
			return nil
		}
		return []string{target.Name}
	}
	if i.directory == nil {
		return nil
	}
	return i.directory.Resolve(target)
}

// Partition implements faults.Injector.
func (i *Injector) Partition(from, to []string) (undo func(), effect bool) {
	net := i.world.Network
	return i.eachLink(from, to, func(a, b env.Addr) { net.Cut(a, b) }, func(a, b env.Addr) { net.Heal(a, b) })
}

// Clog implements faults.Injector.
func (i *Injector) Clog(from, to []string) (undo func(), effect bool) {
	net := i.world.Network
	return i.eachLink(from, to, func(a, b env.Addr) { net.Clog(a, b) }, func(a, b env.Addr) { net.Unclog(a, b) })
}

// Degrade implements faults.Injector.
func (i *Injector) Degrade(d faults.Degradation, from, to []string) (undo func(), effect bool) {
	net := i.world.Network
	change := degradation(d)
	if from == nil && to == nil {
		net.Degrade(change)
		return func() { net.Restore(change) }, true
	}
	return i.eachLink(from, to,
		func(a, b env.Addr) { net.DegradeLink(a, b, change) },
		func(a, b env.Addr) { net.RestoreLink(a, b, change) })
}

// eachLink does something to every link from a node of one list to one of the
// other, and returns how to take it back.
func (i *Injector) eachLink(from, to []string, do, undo func(a, b env.Addr)) (func(), bool) {
	type ends struct{ a, b env.Addr }
	var links []ends
	for _, f := range from {
		for _, t := range to {
			if f != t {
				links = append(links, ends{i.world.Node(f).addr, i.world.Node(t).addr})
			}
		}
	}
	for _, l := range links {
		do(l.a, l.b)
	}
	return func() {
		for _, l := range links {
			undo(l.a, l.b)
		}
	}, len(links) > 0
}

// Crash implements faults.Injector.
func (i *Injector) Crash(node string, how faults.Kind) (undo func(), effect bool) {
	n := i.world.Node(node)
	return func() { n.Start() }, n.Crash(crashKind(how))
}

// Pause implements faults.Injector.
func (i *Injector) Pause(node string) (undo func(), effect bool) {
	n := i.world.Node(node)
	effect = n.Pause()
	if !effect {
		n.Resume()
	}
	return n.Resume, effect
}

// ClockJump implements faults.Injector.
func (i *Injector) ClockJump(node string, by time.Duration) bool {
	i.world.Node(node).JumpClock(by)
	return true
}

// ClockDrift implements faults.Injector.
func (i *Injector) ClockDrift(node string, ppm int) (undo func(), effect bool) {
	n := i.world.Node(node)
	n.SetDrift(n.clock.Drift() + int64(ppm))
	return func() { n.SetDrift(n.clock.Drift() - int64(ppm)) }, true
}

// Split implements faults.Injector.
func (i *Injector) Split(key string, happened func()) bool {
	return i.directory != nil && i.directory.Split(key, happened)
}

// TransferLeader implements faults.Injector.
func (i *Injector) TransferLeader(key string, happened func()) bool {
	return i.directory != nil && i.directory.TransferLeader(key, happened)
}

// HealAll implements faults.Injector.
func (i *Injector) HealAll() {
	i.world.Network.HealAll()
	for _, n := range i.world.Nodes() {
		for n.Paused() {
			n.Resume()
		}
		n.SetDrift(0)
		if n.disk != nil {
			n.healDisk()
		}
		n.Start()
	}
}

func crashKind(how faults.Kind) disk.CrashKind {
	if how == faults.PowerLoss {
		return disk.PowerLoss
	}
	return disk.ProcessKill
}

// degradation translates between the packages, which do not know each other.
func degradation(d faults.Degradation) network.Degradation {
	return network.Degradation{Loss: d.Loss, Duplicate: d.Duplicate, Reorder: d.Reorder, Latency: d.Latency}
}
