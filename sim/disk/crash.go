package disk

import (
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"simrun/sim/stream"
)

// CrashKind says what ends with a crash.
type CrashKind uint8

// The kinds of crashes.
const (
	ProcessKill CrashKind = iota // the process; the operating system goes on
	PowerLoss                    // the machine
	numCrashKinds
)

var crashNames = [numCrashKinds]string{"process kill", "power loss"} //nolint:gochecknoglobals // constant table

func (k CrashKind) String() string { return crashNames[k] }

// death is a crash from inside an operation, until Crash takes note of it.
type death struct {
	dead     bool
	reason   string
	kind     CrashKind
	next     *mount // what it has left
	unheard  bool   // onDeath has yet to be called
	onDeath  func(reason string, kind CrashKind)
	sequence uint64 // crashes so far, of all kinds: keys their draws
}

// Dead reports whether the process has died inside an operation and Crash has
// not been called since.
func (d *Disk) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.death.dead
}

// OnDeath installs the function that is called when the process dies inside an
// operation, before the operation returns to the process. That may be on any
// goroutine, while the loop waits for it.
func (d *Disk) OnDeath(fn func(reason string, kind CrashKind)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.death.onDeath = fn
}

// unlock ends an operation of a process.
func (d *Disk) unlock() {
	if !d.death.unheard {
		d.mu.Unlock()
		return
	}
	d.death.unheard = false
	fn, reason, kind := d.death.onDeath, d.death.reason, d.death.kind
	d.mu.Unlock()
	if fn != nil {
		fn(reason, kind)
	}
}

// Crash ends the process that uses the disk: its file system becomes a zombie,
// and FS returns what the crash has left. It is to be called for every end of a
// process. If the process has died inside an operation, what that has left is
// taken; a power loss on top of a kill still makes a difference to it.
func (d *Disk) Crash(kind CrashKind) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.death.dead {
		d.mount = d.death.next
		d.death.dead, d.death.next = false, nil
		if kind == ProcessKill || d.death.kind == PowerLoss {
			return
		}
	}
	next := d.mount.crash(kind, d.device.clock(d.loop.Now()), kind.String())
	d.mount.zombie = true
	d.mount = next
}

// Wipe ends the process like Crash and loses everything: an empty disk is put
// in the place of this one.
func (d *Disk) Wipe() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mount.zombie = true
	d.mount = newMount(d)
	d.death.dead, d.death.next = false, nil
	d.device.busy, d.device.lastSync = 0, 0
	d.seq++
	now := d.loop.Now()
	d.show(&Op{Seq: d.seq, At: now, Complete: now, Kind: OpCrash, Target: "wiped"})
}

// die ends the process inside op, before op takes effect.
func (m *mount) die(op *Op, reason string, kind CrashKind) {
	d := m.disk
	d.stats.Deaths++
	instant := d.device.clock(op.At)
	if kind == PowerLoss {
		instant = m.instantOfDeath(op)
	}
	next := m.crash(kind, instant, reason)
	m.zombie = true
	d.death.dead, d.death.unheard = true, true
	d.death.reason, d.death.kind, d.death.next = reason, kind, next
}

// instantOfDeath picks the instant of a power loss inside op. As a process runs
// ahead of its disk, nothing that it has issued in this turn of the loop has
// completed yet, and an image of this instant would show none of its steps. But
// a disk that was faster is as possible: some of the syncs, or all, may have
// completed, and the process just had no time to tell. A frozen disk has
// completed none. The instant is one of the device's clock.
func (m *mount) instantOfDeath(op *Op) int64 {
	now := m.disk.device.clock(op.At)
	if m.disk.device.frozen {
		return now
	}
	waiting := m.syncs.incomplete()
	draws := stream.New(m.disk.keys.crash, "instant", op.Seq)
	completed := 0
	switch draws.IntN(3) {
	case 0: // none
	case 1:
		completed = len(waiting)
	case 2:
		completed = draws.IntN(len(waiting) + 1)
	}
	if completed == 0 {
		return now
	}
	return waiting[completed-1].complete
}

// crash returns the disk as the next process finds it, after a crash at that
// instant of the device's clock.
func (m *mount) crash(kind CrashKind, instant int64, reason string) *mount {
	d := m.disk
	m.settle(instant)
	d.death.sequence++
	lost := d.stats.LostBytes
	var next *mount
	if kind == PowerLoss {
		d.stats.PowerLoss++
		next = m.afterPowerLoss()
		d.device.busy, d.device.lastSync = 0, 0
	} else {
		d.stats.Kills++
		next = m.afterKill()
	}
	d.seq++
	now := d.loop.Now()
	d.show(&Op{
		Seq: d.seq, At: now, Complete: now, Kind: OpCrash, Name: kind.String(), Target: reason,
		Length: d.stats.LostBytes - lost, Hash: next.shape(next.root, 0),
	})
	return next
}

// shape is a hash of all names and lengths, without what is not canonical.
func (m *mount) shape(dir *node, h uint64) uint64 {
	for _, name := range slices.Sorted(maps.Keys(dir.entries)) {
		n := dir.entries[name]
		h = fold(h, xxhash.Sum64String(name), n.id)
		switch {
		case n.dir:
			h = m.shape(n, h)
		case n.class != ClassOptions:
			h = fold(h, uint64(len(n.data)))
		}
	}
	return h
}

// Digest returns a hash of all names and contents, without what is not
// canonical (see Op): equal runs have equal digests.
func (d *Disk) Digest() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.mount.shape(d.mount.root, 0)
	return d.mount.contents(d.mount.root, h)
}

func (m *mount) contents(dir *node, h uint64) uint64 {
	for _, name := range slices.Sorted(maps.Keys(dir.entries)) {
		n := dir.entries[name]
		switch {
		case n.dir:
			h = m.contents(n, h)
		case n.class != ClassOptions && n.class != ClassManifest:
			h = fold(h, xxhash.Sum64(n.data))
		}
	}
	return h
}

func fold(h uint64, values ...uint64) uint64 {
	for _, v := range values {
		h = stream.At(h, v)
	}
	return h
}
