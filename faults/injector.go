package faults

import "time"

// Lasting is a fault that is in force. The zero value is none.
type Lasting struct {
	// Undo ends it.
	Undo func()
	// Hit reports whether it has met anything so far: a cut link over which
	// nobody sent has changed nothing. Nil says that it did so when it began, as
	// a crash does. It is not asked after Undo.
	Hit func() bool
}

// inForce reports whether there is something to undo.
func (l Lasting) inForce() bool { return l.Undo != nil }

// hit reports whether the fault has met anything.
func (l Lasting) hit() bool { return l.inForce() && (l.Hit == nil || l.Hit()) }

// join makes one of two faults that begin and end together.
func (l Lasting) join(m Lasting) Lasting {
	switch {
	case !l.inForce():
		return m
	case !m.inForce():
		return l
	}
	return Lasting{
		Undo: func() { l.Undo(); m.Undo() },
		Hit:  func() bool { return l.hit() || m.hit() },
	}
}

// Injector is what a world must offer so that faults can be applied to it. All
// methods are called from the loop. Nodes are given by name.
//
// A method that begins something lasting returns it as a Lasting, the zero value
// if there is nothing to begin: the node of a crash is down already. Overlapping
// faults of one kind nest: what two of them have begun ends when both are
// undone.
type Injector interface {
	// Nodes returns the names of all nodes, in a fixed order.
	Nodes() []string
	// Resolve returns the names of the nodes that a target means at this
	// instant, in a fixed order; none if, say, the region has no leader.
	Resolve(target Target) []string

	// Partition cuts every link from a node of one list to a node of the other,
	// in that direction only. A node in both is not cut off from itself.
	Partition(from, to []string) Lasting
	// Clog makes the same links hold what arrives until it is undone.
	Clog(from, to []string) Lasting
	// Degrade makes the same links worse. Two nil lists mean all links.
	Degrade(d Degradation, from, to []string) Lasting

	// Crash ends the process of a node at once. Its Undo starts a new one.
	Crash(node string, how Kind) Lasting
	// Relieve lets a node hand over what it leads, and goes on with that until stop
	// is called. When it leads nothing, relieved is called once, from the loop. A node
	// of which nobody knows how to relieve it is not asked.
	Relieve(node string, relieved func()) (stop func(), asked bool)
	// CrashAtOp arms a crash at the op-th disk operation from now on. When it
	// happens, happened is called, from the loop, with the undo of the crash.
	// disarm prevents it if it has not happened. A node that is down cannot be
	// armed (false).
	CrashAtOp(node string, how Kind, op int, happened func(undo func())) (disarm func(), armed bool)
	// Pause stops a process: its timers and what arrives for it wait. Like the
	// faults of clocks and disks below, it has nothing to begin on a node that is
	// down.
	Pause(node string) Lasting

	// ClockJump moves a node's wall clock at once.
	ClockJump(node string, by time.Duration) (effect bool)
	// ClockDrift adds ppm parts per million to the speed of a node's clocks.
	ClockDrift(node string, ppm int) Lasting

	// DiskStall lets no operation of a node's disk complete until it is undone:
	// what was issued, before or meanwhile, is not durable before.
	DiskStall(node string) Lasting
	// DiskSlow makes a node's disk operations take factor times as long.
	DiskSlow(node string, factor int) Lasting
	// DiskFull leaves no space on a node's disk.
	DiskFull(node string) Lasting
	// DiskError arms the failure of the nth access from now on, see Fault.Nth.
	// The failure of a table's access is returned to the process, any other is
	// its death. When it happens, happened is called, from the loop, on disarming
	// at the latest. A node without a disk or without a table to read, or one
	// that is down, cannot be armed (false).
	DiskError(node string, access Access, nth int, happened func()) (disarm func(), armed bool)

	// Split asks the leader of the region of key to split it there, and
	// TransferLeader asks it to hand its leadership to another peer. When that
	// has happened, happened is called, from the loop; false says that nobody
	// could be asked.
	Split(key string, happened func()) (asked bool)
	TransferLeader(key string, happened func()) (asked bool)
	// AddPeer, RemovePeer and MovePeer let an administrator give the region of key
	// a peer on a store, take it away from one, or move it from one to another. It
	// goes on until that has happened or makes no sense any more.
	AddPeer(key, store string, happened func()) (asked bool)
	RemovePeer(key, store string, happened func()) (asked bool)
	MovePeer(key, from, to string, happened func()) (asked bool)
	// MergeRegions lets the administrator merge the region of key into one of its
	// neighbours, whose peers it brings to the same stores first.
	MergeRegions(key string, happened func()) (asked bool)
	// Wipe ends the process of a node and empties its disk, unless something would
	// be lost that the system promises to keep; regardless, even then. Its Undo
	// starts a process.
	Wipe(node string, regardless bool) Lasting
	// Join lets a store that was held back join the cluster. Destroy ends a store
	// for good, if nothing is lost with it; HealAll does not start it again.
	Join(node string) (effect bool)
	Destroy(node string) (effect bool)
	// Drain lets an administrator have a store emptied and removed; happened is
	// called when it is gone.
	Drain(node string, happened func()) (asked bool)

	// HealAll is called at the calm, after every fault has been undone: the
	// world makes sure that nothing is left, restarts what is down and resets
	// what has no undo.
	HealAll()
}
