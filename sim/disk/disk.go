package disk

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Loop is what the disk sees of the simulation's event loop.
type Loop interface {
	// Now is the virtual time in nanoseconds since the start.
	Now() int64
}

// Source seeds the disk's randomness. It is read only in New.
type Source interface{ Uint64() uint64 }

// Disk is one node's disk. Its methods are called by the simulation's loop;
// the file systems that it hands out may be used by any goroutine.
type Disk struct {
	// mu guards the disk and all file systems that it has handed out. It is
	// held for moments only and never while foreign code runs, except for the
	// observer, which must not call back.
	mu       sync.Mutex
	loop     Loop
	cfg      Config
	keys     keys
	mount    *mount // the live file system; a zombie if dead
	device   device
	faults   faults
	death    death
	observer func(Op)
	stats    Stats
	seq      uint64 // operations so far
	unsynced int    // depth of Unsynced calls
}

// keys of the counter-based draws: each kind of draw has its own, so that
// a fault or a crash more does not shift the latencies.
type keys struct{ timing, crash, fault uint64 }

// New returns an empty disk.
func New(loop Loop, cfg Config, source Source) *Disk {
	cfg.validate()
	d := &Disk{
		loop: loop,
		cfg:  cfg,
		keys: keys{source.Uint64(), source.Uint64(), source.Uint64()},
	}
	d.device.slow = normalSpeed
	d.faults.capacity = cfg.Capacity
	d.mount = newMount(d)
	return d
}

// FS returns the file system for the process that runs now. After the process
// has ended and Crash (or Wipe) was called it returns a new one.
func (d *Disk) FS() vfs.FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mount
}

// Unsynced runs fn. A sync of a log that is issued inside hands its bytes to
// the operating system only: they survive a ProcessKill but not a PowerLoss,
// unless a later sync outside or the closing of the log covers them. All other
// syncs are what they are outside.
func (d *Disk) Unsynced(fn func()) {
	d.addUnsynced(1)
	defer d.addUnsynced(-1)
	fn()
}

func (d *Disk) addUnsynced(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unsynced += n
}

// ReadBytes takes the device for as long as reading that many bytes in one go
// does, which is as long as writing them: what the program has read past all
// caches, as a compaction does. Single reads are free. Later syncs complete
// after it, and Synced is not reached before it is.
func (d *Disk) ReadBytes(n int64) {
	d.mu.Lock()
	defer d.unlock()
	m := d.mount
	if m.zombie || n <= 0 {
		return
	}
	if m.admit(&Op{Kind: OpRead, Length: n}, ClassOther, 0) == nil && !m.zombie {
		d.device.lastSync = d.device.busy
	}
}

// Durable returns the instant, not before now, at which everything that was
// synced so far is durable, if the device is not frozen from now on.
func (d *Disk) Durable() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.loop.Now()
	return max(now, d.device.instant(now, d.device.lastSync))
}

// Point is a point on the clock of the disk's device, which stands still while
// the device is frozen.
type Point int64

// Synced returns the point at which everything that was synced so far is
// durable. Unlike the instant that Durable returns, no freeze changes it. It
// holds until the next power loss.
func (d *Disk) Synced() Point {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Point(max(d.device.clock(d.loop.Now()), d.device.lastSync))
}

// Reaches returns the instant at which the disk reaches a point, now if it is
// behind; a freeze that begins before that delays it. Of a frozen disk that has
// not reached the point, the instant is not known.
func (d *Disk) Reaches(p Point) (at int64, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, now := &d.device, d.loop.Now()
	if int64(p) <= v.clock(now) {
		return now, true
	}
	return v.instant(now, int64(p)), !v.frozen
}

// Volatile reports whether a power loss now could take something that is there: bytes
// or entries of directories that no completed sync covers.
func (d *Disk) Volatile() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.mount
	m.settle(d.device.clock(d.loop.Now()))
	return len(m.pending) > 0 || m.volatile(m.root)
}

// SetObserver installs the function that gets every operation that changes the
// disk. It is called on the goroutine that issued the operation, one call at a
// time, and must not call the disk. Nil removes it.
func (d *Disk) SetObserver(fn func(Op)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.observer = fn
}

// Stats returns what the disk has counted since New.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// Used returns the bytes that the files occupy.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mount.used
}

// Stats counts what has happened on a disk, over all its processes.
type Stats struct {
	Ops      uint64 // operations that took effect
	Written  int64  // bytes written, without those of OPTIONS files
	Syncs    uint64 // real syncs of files
	DirSyncs uint64 // syncs of directories

	Kills      uint64 // crashes by ProcessKill
	PowerLoss  uint64 // crashes by PowerLoss
	Deaths     uint64 // of both, those from inside an operation
	Incomplete uint64 // syncs that had not completed at a power loss

	// What became of the extents that were not durable at a power loss.
	Kept, Lost, Torn, Holed uint64
	LostBytes               int64  // of these extents
	LostEntries             uint64 // entry operations of directories that were lost
	Unissued                uint64 // extents and entry operations dropped because of an incomplete sync before them

	ReadErrors  uint64 // returned to the process
	WriteErrors uint64 // returned to the process or fatal
	SpaceErrors uint64 // returned to the process or fatal
	Stalled     uint64 // operations accepted by a frozen device, and freezes of a busy one
	Slowed      uint64 // operations that were not at normal speed
}
