package clock

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever happens to the drift, the monotonic clock never goes back, and a
// timer set for d fires when d has passed on it, neither early nor more than a
// tick late.
func TestMonotonicAndTimersAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Clock
		now, shown := int64(0), int64(0)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			now += rapid.Int64Range(0, 1<<45).Draw(t, "passed")
			if m := c.Monotonic(now); m < shown {
				t.Fatalf("went back from %d to %d", shown, m)
			}
			shown = c.Monotonic(now)
			c.SetDrift(now, rapid.Int64Range(-DriftMax, DriftMax).Draw(t, "drift"))
			if m := c.Monotonic(now); m != shown {
				t.Fatalf("a change of drift moved the clock from %d to %d", shown, m)
			}
			d := rapid.Int64Range(0, 1<<40).Draw(t, "timer")
			fires := c.Duration(d)
			if got := c.Monotonic(now+fires) - shown; got < d || got > d+2 {
				t.Fatalf("timer of %d at drift %d fires after %d on the clock", d, c.Drift(), got)
			}
		}
	})
}

func TestJumpMovesOnlyTheWallClock(t *testing.T) {
	var c Clock
	c.SetDrift(0, 1000)
	mono, wall := c.Monotonic(5_000_000), c.Wall(5_000_000)
	c.Jump(-42)
	if c.Monotonic(5_000_000) != mono || c.Wall(5_000_000) != wall-42 {
		t.Fatalf("monotonic %d, wall %d", c.Monotonic(5_000_000), c.Wall(5_000_000))
	}
	if c.Monotonic(1_000_000) != 1_001_000 {
		t.Fatalf("1 ms at +1000 ppm shows %d ns", c.Monotonic(1_000_000))
	}
}
