// Package clock models the clocks of one node: a monotonic clock that may run
// fast or slow, and a wall clock that follows it, starts with an offset, and
// may jump. All arithmetic is in integers, so that every machine agrees.
package clock

import "time"

// Epoch is the wall clock of a node without offset at virtual time zero.
const Epoch = int64(1_750_000_000) * int64(time.Second)

// million is the unit of drift: parts per million.
const million = 1_000_000

// DriftMax bounds the drift, in parts per million: a clock neither stops nor
// runs at more than one and a half times the true rate.
const DriftMax = 500_000

// Clock is the pair of clocks of one node. The zero value runs true.
type Clock struct {
	since    int64 // the true time of the last change of drift
	monoThen int64 // what the monotonic clock showed then
	drift    int64 // parts per million by which it runs fast (> 0) or slow
	offset   int64 // wall clock minus Epoch minus monotonic clock
}

// Monotonic returns what the monotonic clock shows at the true time now.
func (c *Clock) Monotonic(now int64) int64 {
	passed := now - c.since
	return c.monoThen + passed + scale(passed, c.drift)
}

// Wall returns what the wall clock shows, in nanoseconds since 1970.
func (c *Clock) Wall(now int64) int64 { return Epoch + c.Monotonic(now) + c.offset }

// Duration returns how long, in true time, the monotonic clock takes to
// advance by d; at least that long, and never 0 for a positive d.
func (c *Clock) Duration(d int64) int64 {
	if c.drift == 0 {
		return d
	}
	// Solve t + t*drift/million >= d for t.
	rate := million + c.drift
	t := d/rate*million + (d%rate*million+rate-1)/rate
	return max(t, 0)
}

// SetDrift changes the rate of both clocks from the true time now on. The
// drift is clamped to +-DriftMax.
func (c *Clock) SetDrift(now, partsPerMillion int64) {
	c.monoThen = c.Monotonic(now)
	c.since = now
	c.drift = min(max(partsPerMillion, -DriftMax), DriftMax)
}

// Drift returns the current drift in parts per million.
func (c *Clock) Drift() int64 { return c.drift }

// Jump moves the wall clock by d, which may be negative. The monotonic clock
// does not notice.
func (c *Clock) Jump(d int64) { c.offset += d }

// scale returns d*ppm/million without overflow.
func scale(d, ppm int64) int64 { return d/million*ppm + d%million*ppm/million }
