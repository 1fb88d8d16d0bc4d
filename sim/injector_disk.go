package sim

import (
	"slices"
	"time"

	"simrun/faults"
	"simrun/sim/disk"
)

// hasDisk reports whether a fault of the node's disk would meet a process.
func (n *Node) hasDisk() bool { return n.disk != nil && n.Up() }

// DiskStall implements faults.Injector.
func (i *Injector) DiskStall(node string) faults.Lasting {
	n := i.world.Node(node)
	if !n.hasDisk() {
		return faults.Lasting{}
	}
	hit := more(func() uint64 { return n.disk.Stats().Stalled })
	s := n.stall
	if s == nil {
		s = &stall{node: n}
		n.stall = s
		n.disk.Freeze()
	}
	s.open++
	return faults.Lasting{Undo: s.undo, Hit: hit}
}

// stall freezes a disk until the faults that want it are over. A node has at
// most one, so that stalls which overlap do not add up. It outlives processes.
type stall struct {
	node *Node
	open int // faults that want it
	// waiting are the Barriers that came due meanwhile.
	waiting []*barrier
}

// DiskStalled reports whether a fault keeps the node's disk from completing
// anything.
func (n *Node) DiskStalled() bool { return n.stall != nil }

// undo ends the stall with the last fault that wants it.
func (s *stall) undo() {
	s.open--
	if s.open == 0 && s.node.stall == s {
		s.node.endStall()
	}
}

// endStall lets the disk go on; the Barriers find out how much is left.
func (n *Node) endStall() {
	s := n.stall
	n.stall = nil
	n.disk.Thaw()
	for _, b := range s.waiting {
		n.world.Post(n.world.now, b)
	}
}

// DiskSlow implements faults.Injector. Of several factors the largest counts.
func (i *Injector) DiskSlow(node string, factor int) faults.Lasting {
	n := i.world.Node(node)
	if !n.hasDisk() {
		return faults.Lasting{}
	}
	n.slow = append(n.slow, factor)
	n.applySlow()
	return faults.Lasting{
		Undo: func() {
			if at := slices.Index(n.slow, factor); at >= 0 {
				n.slow = slices.Delete(n.slow, at, at+1)
				n.applySlow()
			}
		},
		Hit: more(func() uint64 { return n.disk.Stats().Slowed }),
	}
}

func (n *Node) applySlow() {
	factor := 1
	for _, f := range n.slow {
		factor = max(factor, f)
	}
	n.disk.Slow(1000 * factor)
}

// DiskFull implements faults.Injector.
func (i *Injector) DiskFull(node string) faults.Lasting {
	n := i.world.Node(node)
	if !n.hasDisk() {
		return faults.Lasting{}
	}
	n.full++
	n.disk.SetCapacity(max(n.disk.Used(), 1))
	return faults.Lasting{
		Undo: n.freeDisk,
		Hit:  more(func() uint64 { return n.disk.Stats().SpaceErrors }),
	}
}

// freeDisk takes one DiskFull back, unless healDisk has done so.
func (n *Node) freeDisk() {
	if n.full == 0 {
		return
	}
	n.full--
	if n.full == 0 {
		n.disk.SetCapacity(n.capacity)
	}
}

// CrashAtOp implements faults.Injector.
func (i *Injector) CrashAtOp(node string, how faults.Kind, op int, happened func(undo func())) (disarm func(), armed bool) {
	n := i.world.Node(node)
	if !n.hasDisk() || n.onDeath != nil {
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
	if !n.hasDisk() {
		return nil, false
	}
	w := &errorWatch{node: n, happened: happened}
	if access == faults.Read {
		w.id = n.disk.FailReadAt(nth)
	} else {
		w.id = n.disk.FailWriteAt(disk.AnyClass, nth)
	}
	if w.id == 0 {
		return nil, false
	}
	w.Fire()
	return w.disarm, true
}

// errorWatch looks now and then whether an armed error has happened.
type errorWatch struct {
	node     *Node
	id       disk.ErrorID
	happened func()
	over     bool
}

// watchInterval is how long an error may have happened before it is noticed.
const watchInterval = 10 * time.Millisecond

// Fire implements Event.
func (w *errorWatch) Fire() {
	if w.over || w.look() {
		return
	}
	w.node.world.Post(w.node.world.now+int64(watchInterval), w)
}

// look reports the error if it has happened.
func (w *errorWatch) look() bool {
	if !w.node.disk.Struck(w.id) {
		return false
	}
	w.over = true
	w.node.disk.Disarm(w.id)
	w.happened()
	return true
}

// disarm ends the watch. What has happened since the last look still counts.
func (w *errorWatch) disarm() {
	if !w.over && !w.look() {
		w.over = true
		w.node.disk.Disarm(w.id)
	}
}

// healDisk takes back everything that was done to the node's disk.
func (n *Node) healDisk() {
	n.slow, n.full, n.onDeath = nil, 0, nil
	if n.stall != nil {
		n.endStall()
	}
	n.disk.Heal()
	n.disk.SetCapacity(n.capacity)
}
