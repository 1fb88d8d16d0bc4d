package disk_test

import (
	"fmt"
	"syscall"
	"testing"

	"simrun/sim/disk"
)

// An exit is excused by what the disk has done to this process, by nothing
// else.
func TestExplains(t *testing.T) {
	injected := fmt.Errorf("engine: kv: background error: write: simulated: %w", syscall.EIO).Error()
	for _, c := range []struct {
		name          string
		before, after disk.Stats
		reason        string
		want          bool
	}{
		{"nothing was injected", disk.Stats{}, disk.Stats{}, injected, false},
		{"the disk died of an armed crash", disk.Stats{}, disk.Stats{Deaths: 1}, "crash at a disk operation", true},
		{"it died of one in an earlier life", disk.Stats{Deaths: 1}, disk.Stats{Deaths: 1}, "crash at a disk operation", false},
		{"a write failed, and the process says so", disk.Stats{}, disk.Stats{WriteErrors: 3}, injected, true},
		{"a write failed and was tried again; the process ends for another reason", disk.Stats{}, disk.Stats{WriteErrors: 1}, "spurious", false},
		{"a read failed in an earlier life", disk.Stats{ReadErrors: 1}, disk.Stats{ReadErrors: 1}, injected, false},
		{"no space was left", disk.Stats{SpaceErrors: 1}, disk.Stats{SpaceErrors: 4}, injected, true},
	} {
		if got := disk.Explains(c.before, c.after, c.reason); got != c.want {
			t.Errorf("%s: excused %v", c.name, got)
		}
	}
}
