package runner

import (
	"testing"
	"time"

	"simrun/checker/verdict"
	"simrun/faults"
	"simrun/reports"
	"simrun/scenarios/cluster"
	"simrun/sim/plan"
)

// A new region that waits for its leader longer than the bound is found, unless
// something has happened around its birth that may be the reason.
func TestSlowBirths(t *testing.T) {
	const split, soon, late = 10 * time.Second, 10*time.Second + 20*time.Millisecond, 11 * time.Second
	for _, c := range []struct {
		name    string
		elected time.Duration // 0: never
		events  []reports.Event
		fault   faults.Kind
		loss    int
		disk    time.Duration // how long an operation just before takes
		checked int
		slow    bool
	}{
		{name: "at once", elected: soon, checked: 1},
		{name: "late", elected: late, checked: 1, slow: true},
		{name: "never", checked: 1, slow: true},
		{
			name: "after a crash that is long over", elected: late, checked: 1, slow: true,
			events: []reports.Event{{At: int64(time.Second), Until: int64(2 * time.Second), Kind: reports.Down}},
		},
		{
			name: "after a crash", elected: late,
			events: []reports.Event{{At: int64(time.Second), Until: int64(9 * time.Second), Kind: reports.Down}},
		},
		{name: "before a snapshot", elected: late, events: []reports.Event{{At: int64(soon), Kind: reports.Snapshot}}},
		{name: "beside a transfer", elected: late, fault: faults.TransferLeader},
		{name: "beside another split", elected: late, fault: faults.Split, checked: 1, slow: true},
		{name: "in a network that loses messages", elected: late, loss: 10},
		{name: "on a busy disk", elected: late, disk: 50 * time.Millisecond},
		{name: "on a disk that was busy", elected: late, disk: 5 * time.Millisecond, checked: 1, slow: true},
	} {
		now := split
		tl := &timeline{Timeline: reports.Timeline[openKey]{Now: func() int64 { return int64(now) }, Events: c.events}}
		now -= 10 * time.Millisecond
		tl.diskOp(int64(now+c.disk), time.Millisecond)
		now = split
		tl.clusterEvent(cluster.Event{At: int64(split), Kind: cluster.SplitDone, Text: "regions 1, 2", Regions: []uint64{1, 2}})
		if c.fault != 0 {
			tl.fault(faults.Event{At: int64(split), Fault: faults.Fault{Kind: c.fault}, Stage: faults.Happened, Effect: true})
		}
		if now = c.elected; now != 0 {
			tl.clusterEvent(cluster.Event{At: int64(now), Kind: cluster.Elected, Text: "region 2, term 6", Regions: []uint64{2}})
		}
		now = time.Minute
		p := plan.Default()
		p.Network.Loss = c.loss
		r, _ := tl.checkBirths(&p)
		if r.Checked != c.checked || (r.Verdict == verdict.Violation) != c.slow {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
	// A leader of another region that changes may be the parent's.
	now := split
	tl := &timeline{Timeline: reports.Timeline[openKey]{Now: func() int64 { return int64(now) }}}
	tl.split([]uint64{1, 2})
	tl.elected(1)
	now = time.Minute
	p := plan.Default()
	if r, asked := tl.checkBirths(&p); r.Checked != 0 || asked {
		t.Error("a region counts whose parent has elected a leader")
	}
	// Where splits are asked for and there is nothing to judge the result says so.
	p.Faults = append(p.Faults, faults.Fault{Kind: faults.Split})
	for _, births := range [][]birth{tl.births, nil} {
		tl.births = births
		if r, asked := tl.checkBirths(&p); !asked || r.Verdict != verdict.OK || r.Reason == "" {
			t.Errorf("%d births: asked %v, %+v", len(births), asked, r)
		}
	}
}
