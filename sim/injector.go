package sim

import (
	"time"

	"simrun/faults"
	"simrun/network"
	"simrun/nodes/env"
	"simrun/sim/disk"
)

// Directory tells an Injector what only the system under test knows: who leads what. It
// may also be a LeaderMover and an Administrator; of what it is not, nothing is asked,
// and faults of these kinds take no effect.
type Directory interface {
	// Resolve returns the nodes that a late-bound target means now.
	Resolve(target faults.Target) []string
}

// LeaderMover is a system that can be asked to move leaders.
type LeaderMover interface {
	// TransferLeader is as faults.Injector has it.
	TransferLeader(key string, happened func()) bool
}

// Administrator is a system with regions that split and merge, whose peers move between
// stores, and with stores that come and go. See faults.Injector for what each is
// asked.
type Administrator interface {
	Split(key string, happened func()) bool
	MergeRegions(key string, happened func()) bool
	AddPeer(key, store string, happened func()) bool
	RemovePeer(key, store string, happened func()) bool
	MovePeer(key, from, to string, happened func()) bool

	Join(node string) bool
	Drain(node string, happened func()) bool
	// Destroy is asked before the node ends; it returns false if something would be
	// lost.
	Destroy(node string) bool
	// Wipe is asked before the disk of a node that is up is emptied. It returns
	// false if something would be lost, unless it is to happen regardless;
	// otherwise it takes note.
	Wipe(node string, regardless bool) bool
	// Relieve lets a node hand over what it leads.
	Relieve(node string, relieved func()) (stop func(), asked bool)
}

// Injector applies faults to a World. It implements faults.Injector.
type Injector struct {
	world     *World
	directory Directory     // nil: no late-bound targets
	leaders   LeaderMover   // nil: leaders cannot be moved
	admin     Administrator // nil: there are no regions, and the nodes are fixed
}

// NewInjector returns an injector for w. A system that leads nothing and has no
// administrator needs no directory: nil.
func NewInjector(w *World, d Directory) *Injector {
	i := &Injector{world: w, directory: d}
	i.leaders, _ = d.(LeaderMover)
	i.admin, _ = d.(Administrator)
	return i
}

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
func (i *Injector) Partition(from, to []string) faults.Lasting {
	net := i.world.Network
	return i.eachLink(from, to,
		func(a, b env.Addr) { net.Cut(a, b) },
		func(a, b env.Addr) { net.Heal(a, b) },
		func(h network.Harm) uint64 { return h.Cut })
}

// Clog implements faults.Injector.
func (i *Injector) Clog(from, to []string) faults.Lasting {
	net := i.world.Network
	return i.eachLink(from, to,
		func(a, b env.Addr) { net.Clog(a, b) },
		func(a, b env.Addr) { net.Unclog(a, b) },
		func(h network.Harm) uint64 { return h.Clogged })
}

// Degrade implements faults.Injector.
func (i *Injector) Degrade(d faults.Degradation, from, to []string) faults.Lasting {
	net := i.world.Network
	change := degradation(d)
	count := func(h network.Harm) uint64 { return harmOf(d, h) }
	if from == nil && to == nil {
		net.Degrade(change)
		return faults.Lasting{
			Undo: func() { net.Restore(change) },
			Hit:  more(func() uint64 { return count(net.TotalHarm()) }),
		}
	}
	return i.eachLink(from, to,
		func(a, b env.Addr) { net.DegradeLink(a, b, change) },
		func(a, b env.Addr) { net.RestoreLink(a, b, change) },
		count)
}

// harmOf counts the harm of the sorts that a degradation does.
func harmOf(d faults.Degradation, h network.Harm) uint64 {
	n := uint64(0)
	for _, sort := range []struct {
		done  bool
		count uint64
	}{
		{d.Loss > 0, h.Lost},
		{d.Duplicate > 0, h.Duplicated},
		{d.Reorder > 0, h.Reordered},
		{d.Latency > 0, h.Delayed},
	} {
		if sort.done {
			n += sort.count
		}
	}
	return n
}

// more returns a function that reports whether a counter has grown since.
func more(count func() uint64) func() bool {
	before := count()
	return func() bool { return count() > before }
}

// eachLink does something to every link from a node of one list to one of the
// other. It has hit something when the links' counts have grown.
func (i *Injector) eachLink(from, to []string, do, undo func(a, b env.Addr), count func(network.Harm) uint64) faults.Lasting {
	type ends struct{ a, b env.Addr }
	var links []ends
	for _, f := range from {
		for _, t := range to {
			if f != t {
				links = append(links, ends{i.world.Node(f).addr, i.world.Node(t).addr})
			}
		}
	}
	if len(links) == 0 {
		return faults.Lasting{}
	}
	for _, l := range links {
		do(l.a, l.b)
	}
	return faults.Lasting{
		Undo: func() {
			for _, l := range links {
				undo(l.a, l.b)
			}
		},
		Hit: more(func() uint64 {
			sum := uint64(0)
			for _, l := range links {
				sum += count(i.world.Network.Harm(l.a, l.b))
			}
			return sum
		}),
	}
}

// Crash implements faults.Injector.
func (i *Injector) Crash(node string, how faults.Kind) faults.Lasting {
	n := i.world.Node(node)
	if !n.Crash(crashKind(how)) {
		return faults.Lasting{}
	}
	return faults.Lasting{Undo: func() { n.Start() }}
}

// Pause implements faults.Injector.
func (i *Injector) Pause(node string) faults.Lasting {
	n := i.world.Node(node)
	if !n.Up() {
		return faults.Lasting{}
	}
	n.Pause()
	return faults.Lasting{Undo: n.Resume}
}

// ClockJump implements faults.Injector.
func (i *Injector) ClockJump(node string, by time.Duration) bool {
	n := i.world.Node(node)
	if !n.Up() {
		return false
	}
	n.JumpClock(by)
	return true
}

// ClockDrift implements faults.Injector.
func (i *Injector) ClockDrift(node string, ppm int) faults.Lasting {
	n := i.world.Node(node)
	if !n.Up() {
		return faults.Lasting{}
	}
	n.addDrift(int64(ppm))
	return faults.Lasting{Undo: func() { n.removeDrift(int64(ppm)) }}
}

// Split implements faults.Injector.
func (i *Injector) Split(key string, happened func()) bool {
	return i.admin != nil && i.admin.Split(key, happened)
}

// TransferLeader implements faults.Injector.
func (i *Injector) TransferLeader(key string, happened func()) bool {
	return i.leaders != nil && i.leaders.TransferLeader(key, happened)
}

// AddPeer implements faults.Injector.
func (i *Injector) AddPeer(key, store string, happened func()) bool {
	return i.admin != nil && i.admin.AddPeer(key, store, happened)
}

// RemovePeer implements faults.Injector.
func (i *Injector) RemovePeer(key, store string, happened func()) bool {
	return i.admin != nil && i.admin.RemovePeer(key, store, happened)
}

// MovePeer implements faults.Injector.
func (i *Injector) MovePeer(key, from, to string, happened func()) bool {
	return i.admin != nil && i.admin.MovePeer(key, from, to, happened)
}

// MergeRegions implements faults.Injector.
func (i *Injector) MergeRegions(key string, happened func()) bool {
	return i.admin != nil && i.admin.MergeRegions(key, happened)
}

// Relieve implements faults.Injector.
func (i *Injector) Relieve(node string, relieved func()) (stop func(), asked bool) {
	if i.admin == nil || !i.world.Node(node).Up() {
		return nil, false
	}
	return i.admin.Relieve(node, relieved)
}

// Wipe implements faults.Injector.
func (i *Injector) Wipe(node string, regardless bool) faults.Lasting {
	n := i.world.Node(node)
	if !n.hasDisk() || i.admin == nil || !i.admin.Wipe(node, regardless) {
		return faults.Lasting{}
	}
	n.Crash(disk.PowerLoss)
	n.disk.Wipe()
	return faults.Lasting{Undo: func() { n.Start() }}
}

// Join implements faults.Injector.
func (i *Injector) Join(node string) bool { return i.admin != nil && i.admin.Join(node) }

// Drain implements faults.Injector.
func (i *Injector) Drain(node string, happened func()) bool {
	return i.admin != nil && i.admin.Drain(node, happened)
}

// Destroy implements faults.Injector.
func (i *Injector) Destroy(node string) bool {
	if i.admin == nil || !i.admin.Destroy(node) {
		return false
	}
	i.world.Node(node).Crash(disk.PowerLoss)
	return true
}

// HealAll implements faults.Injector.
func (i *Injector) HealAll() {
	i.world.Network.HealAll()
	for _, n := range i.world.Nodes() {
		for n.Paused() {
			n.Resume()
		}
		n.healClock()
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
	return network.Degradation{Loss: d.Loss, Duplicate: d.Duplicate, Reorder: d.Reorder, Latency: d.Latency, Of: d.Of}
}
