package coverage

import (
	"testing"

	"simrun/checker"
	"simrun/faults"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// Goal: a disk may be lost of a store that leads in a merge, or leads the region into
// which another one merges, and those that are left come to the end of it. A merge
// takes some milliseconds, and most disks of a storm are lost outside of them. The
// method: plans of merge-bank, of which nothing is left but slow disks, merges and
// one loss.
func TestDisksAreLostWhileRegionsMerge(t *testing.T) {
	s, err := scenarios.Find("merge-bank")
	if err != nil {
		t.Fatal(err)
	}
	lost := map[string]uint64{
		"cluster: disk lost of a member of a region that is merging":                     0,
		"cluster: disk lost of the leader of a region into which another one is merging": 0,
	}
	missing := func() (list []string) {
		for name, n := range lost {
			if n == 0 {
				list = append(list, name)
			}
		}
		return list
	}
	const seeds = 40
	for seed := uint64(1); seed <= seeds && len(missing()) > 0; seed++ {
		p := s.Plan(seed)
		p.Faults = nil
		for _, line := range []string{
			"at 1s disk-slow all-stores x20 for 3s",
			"at 1.2s merge-regions acct/0001", "at 1.3s merge-regions acct/0003", "at 1.4s merge-regions acct/0005",
			"at 1.5s merge-regions acct/0001", "at 1.6s merge-regions acct/0003", "at 1.7s merge-regions acct/0005",
			"at 1.5012s wipe merging for 500ms", "at 1.6021s wipe merge-target for 500ms", "at 1.7031s wipe merge-target for 500ms",
		} {
			f, err := faults.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			p.Faults = append(p.Faults, f)
		}
		p.Phases.Storm = max(p.Phases.Storm, plan.Duration(5e9))
		o, err := runner.Run(p, runner.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if o.Result.Verdict != checker.OK {
			t.Errorf("seed %d: %v: %s", seed, o.Result.Verdict, o.Result.Signature())
		}
		for _, m := range o.Result.Marks {
			if _, ok := lost[m.Name]; ok {
				lost[m.Name] += m.Count
			}
		}
		t.Logf("seed %d: %v", seed, lost)
	}
	for _, name := range missing() {
		t.Errorf("%d seeds without %s", seeds, name)
	}
}
