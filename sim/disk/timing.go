package disk

import (
	"fmt"
	"time"

	"simrun/sim/stream"
)

// Latency is what one kind of operation costs on the device.
type Latency struct {
	// Min and Max bound the fixed part, drawn anew for every operation.
	Min, Max time.Duration
	// PerKiB is added for every 1,024 bytes, in proportion.
	PerKiB time.Duration
}

// Config describes a disk. The zero value is a disk without limits on which
// everything completes at once.
type Config struct {
	// Write is the cost of a write, paid in the queue before the sync that
	// covers it. The bytes of OPTIONS files are not counted.
	Write Latency
	// Sync is the cost of syncing a file or a directory.
	Sync Latency
	// Entry is the cost of creating, removing, renaming or linking.
	Entry Latency
	// Capacity is the disk's size in bytes; zero has no limit.
	Capacity int64
	// SpaceErrors is how often writes of tables are told that no space is left
	// before the process dies of it (Pebble tries again for ever). The count
	// starts anew when SetCapacity is called.
	SpaceErrors int
	// ReturnErrors has a process told of write errors, and that no space is left, whatever
	// it writes. Otherwise only writers of tables and snapshots are told, and all others die
	// of it, as Pebble does.
	ReturnErrors bool
}

// DefaultConfig is a solid-state drive: syncs of half a millisecond to two, a
// gigabyte a second.
func DefaultConfig() Config {
	return Config{
		Write:       Latency{Min: 5 * time.Microsecond, Max: 20 * time.Microsecond, PerKiB: time.Microsecond},
		Sync:        Latency{Min: 500 * time.Microsecond, Max: 2 * time.Millisecond},
		Entry:       Latency{Min: 5 * time.Microsecond, Max: 20 * time.Microsecond},
		SpaceErrors: 3,
	}
}

func (c *Config) validate() {
	for _, l := range []Latency{c.Write, c.Sync, c.Entry} {
		check(0 <= l.Min && l.Min <= l.Max && l.PerKiB >= 0, "disk: bad latency %+v", l)
	}
	check(c.Capacity >= 0 && c.SpaceErrors >= 0, "disk: negative limit in %+v", *c)
}

const normalSpeed = 1000 // per mille

// device is the queue of operations, as far as it matters: when it is empty. It
// has a clock of its own, which is virtual time without the time for which the
// device was frozen. On that clock the completion of an operation is known when
// it is accepted, whatever freezes are still to come.
type device struct {
	busy     int64 // completion of all accepted operations, on the device's clock
	lastSync int64 // completion of the last sync, on the device's clock; at most busy
	slow     int64 // factor on all costs, in per mille
	frozen   bool
	since    int64 // instant at which the device was frozen, if it is
	lost     int64 // how far the device's clock is behind because of earlier freezes
}

// clock returns what the device's clock shows.
func (v *device) clock(now int64) int64 {
	if v.frozen {
		now = v.since
	}
	return now - v.lost
}

// instant returns when the device's clock will show at, if the device is not
// frozen from now on. That may be in the past.
func (v *device) instant(now, at int64) int64 { return now + at - v.clock(now) }

// thaw ends a freeze.
func (v *device) thaw(now int64) {
	if v.frozen {
		v.lost += now - v.since
		v.frozen = false
	}
}

// accept queues an operation; it completes when the device is no longer busy.
// The latency is drawn by the operation's number.
func (d *Disk) accept(now int64, l *Latency, length int64) {
	cost := int64(l.Min) + int64(l.PerKiB)*length/1024
	if l.Max > l.Min {
		cost += int64(stream.At(d.keys.timing, d.seq) % uint64(l.Max-l.Min+1))
	}
	if d.device.slow != normalSpeed {
		cost = cost * d.device.slow / normalSpeed
		d.stats.Slowed++
	}
	if d.device.frozen {
		d.stats.Stalled++
	}
	d.device.busy = max(d.device.clock(now), d.device.busy) + cost
}

// Freeze stops the device until Thaw, however long that takes: nothing
// completes, neither what it has accepted before nor what comes meanwhile, and a
// power loss finds that nothing has. Freezing a frozen device changes nothing.
func (d *Disk) Freeze() {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, now := &d.device, d.loop.Now()
	if v.frozen {
		return
	}
	if v.busy > v.clock(now) {
		d.stats.Stalled++
	}
	v.frozen, v.since = true, now
}

// Thaw lets a frozen device go on where it was stopped: what it has accepted
// takes the time that it would have taken still.
func (d *Disk) Thaw() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.device.thaw(d.loop.Now())
}

// Slow multiplies the cost of operations from now on: by 1,000 per mille for
// normal speed, 20,000 for a twentieth of it.
func (d *Disk) Slow(perMille int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	check(perMille > 0, "disk: slow factor of %d per mille", perMille)
	d.device.slow = int64(perMille)
}

// check panics unless ok: the simulation has used the disk wrongly.
func check(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf(format, args...))
	}
}
