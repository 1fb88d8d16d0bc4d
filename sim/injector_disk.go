package sim

import (
	"slices"
	"time"

	"simrun/faults"
	"simrun/sim/disk"
)

// DiskStall implements faults.Injector.
func (i *Injector) DiskStall(node string) (undo func(), effect bool) {
	n := i.world.Node(node)
	if n.disk == nil {
		return nil, false
	}
	s := &stall{node: n}
	s.Fire()
	return func() { s.over = true }, true
}

// stallSlice is how far ahead a stall without a known end blocks a disk.
const stallSlice = 5 * time.Millisecond

// stall blocks a disk, slice by slice, until it is over.
type stall struct {
	node *Node
	over bool
}

// Fire implements Event.
func (s *stall) Fire() {
	if s.over {
		return
	}
	s.node.disk.Stall(stallSlice)
	s.node.world.Post(s.node.world.now+int64(stallSlice), s)
}

// DiskSlow implements faults.Injector. Of several factors the largest counts.
func (i *Injector) DiskSlow(node string, factor int) (undo func(), effect bool) {
	n := i.world.Node(node)
	if n.disk == nil {
		return nil, false
	}
	n.slow = append(n.slow, factor)
	n.applySlow()
	return func() {
		if at := slices.Index(n.slow, factor); at >= 0 {
			n.slow = slices.Delete(n.slow, at, at+1)
			n.applySlow()
		}
	}, true
}

func (n *Node) applySlow() {
	factor := 1
	for _, f := range n.slow {
		factor = max(factor, f)
	}
	n.disk.Slow(1000 * factor)
}

// DiskFull implements faults.Injector.
func (i *Injector) DiskFull(node string) (undo func(), effect bool) {
	n := i.world.Node(node)
	if n.disk == nil {
		return nil, false
	}
	n.full++
	n.disk.SetCapacity(max(n.disk.Used(), 1))
	return func() {
		if n.full == 0 {
			return
		}
		n.full--
		if n.full == 0 {
			n.disk.SetCapacity(n.capacity)
		}
	}, true
}

// CrashAtOp implements faults.Injector.
func (i *Injector) CrashAtOp(node string, how faults.Kind, op int, happened func(undo func())) (disarm func(), armed bool) {
	n := i.world.Node(node)
	if n.disk == nil || !n.Up() || n.onDeath != nil {
		return nil, false
	}
	n.disk.CrashAtOp(op, crashKind(how))
	n.onDeath = func() {
		n.onDeath = nil
		n.disk.CrashAtOp(0, disk.ProcessKill)
		happened(func() { n.Start() })
	}
	return func() {
		n.onDeath = nil
		n.disk.CrashAtOp(0, disk.ProcessKill)
	}, true
}

// DiskError implements faults.Injector.
func (i *Injector) DiskError(node string, access faults.Access, nth int, happened func()) (disarm func(), armed bool) {
	n := i.world.Node(node)
	if n.disk == nil || !n.Up() {
		return nil, false
	}
	w := &errorWatch{node: n, before: injectedErrors(n.disk), happened: happened}
	if access == faults.Read {
		if n.disk.FailReads(nth) == 0 {
			return nil, false
		}
	} else {
		n.disk.FailWrites(errorClass(nth), 1)
	}
	w.Fire()
	return func() {
		w.over = true
		n.disk.FailReads(0)
		n.disk.FailWrites(errorClass(nth), 0)
	}, true
}

// errorClass spreads write errors over the kinds of files: one on a table is
// returned to the engine, which tries again; one on a log is the end of the
// process.
func errorClass(nth int) disk.Class {
	if nth%2 == 0 {
		return disk.ClassLog
	}
	return disk.ClassTable
}

// errorWatch looks now and then whether an armed error has happened.
type errorWatch struct {
	node     *Node
	before   uint64
	happened func()
	over     bool
}

// watchInterval is how long an error may have happened before it is noticed.
const watchInterval = 10 * time.Millisecond

// Fire implements Event.
func (w *errorWatch) Fire() {
	if w.over {
		return
	}
	if injectedErrors(w.node.disk) > w.before {
		w.over = true
		w.happened()
		return
	}
	w.node.world.Post(w.node.world.now+int64(watchInterval), w)
}

func injectedErrors(d *disk.Disk) uint64 {
	s := d.Stats()
	return uint64(s.ReadErrors) + uint64(s.WriteErrors)
}

// healDisk takes back everything that was done to the node's disk.
func (n *Node) healDisk() {
	n.slow, n.full, n.onDeath = nil, 0, nil
	n.applySlow()
	n.disk.SetCapacity(n.capacity)
	n.disk.CrashAtOp(0, disk.ProcessKill)
	n.disk.FailReads(0)
	n.disk.FailWrites(disk.ClassLog, 0)
	n.disk.FailWrites(disk.ClassTable, 0)
}
