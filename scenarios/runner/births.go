package runner

import (
	"fmt"
	"slices"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/reports"
	"simrun/sim/plan"
)

// A region that a split has made has a leader long before an election timeout
// has passed, if nothing disturbs it: the leader of the old region campaigns for it
// at once, and whoever has yet to apply the split keeps the request until then. If
// that fails nothing gets lost and nothing stays stuck; the keys of the region
// are only not served for a while, which no other check would notice.

// birth is a region that a split has made.
type birth struct {
	region, parent uint64
	at             int64 // when the first store applied the split
	elected        int64 // when a peer first led the region, 0 if none has
}

// birthsName is the name of the checker in results.
const birthsName = "births"

// anomalySlowBirth: a new region was without a leader though nothing disturbed it.
const anomalySlowBirth checker.Anomaly = "slow-birth"

// birthQuiet is for how long before a split nothing may have happened, for it to
// count as undisturbed: that long may what a fault has left take to pass.
const birthQuiet = 2 * time.Second

// birthBound is the time in which an undisturbed new region has a leader: less
// than the shortest wait for a second attempt.
func birthBound(p *plan.Plan) time.Duration {
	return time.Duration(p.Knobs.ElectionTick) * time.Duration(p.Knobs.TickInterval) * 4 / 5
}

// diskQueueMax is how long an operation may take on a disk, with all that it waits for,
// for the disk not to disturb a birth. The first election waits for four, one after the
// other: for what the candidate's log is writing and then for its vote, and for the same
// on a voter's disk. They may take half of the bound.
func diskQueueMax(p *plan.Plan) time.Duration { return birthBound(p) / 8 }

// diskOp notes an operation that took longer than limit on a disk. What overlaps is
// noted as one.
func (tl *timeline) diskOp(complete int64, limit time.Duration) {
	now := tl.Now()
	if complete-now <= int64(limit) {
		return
	}
	if n := len(tl.queues); n > 0 && now <= tl.queues[n-1].to {
		tl.queues[n-1].to = max(tl.queues[n-1].to, complete)
		return
	}
	tl.queues = append(tl.queues, span{now, complete})
}

// split notes the regions that a split has made; the first one is that which was
// split.
func (tl *timeline) split(regions []uint64) {
	for _, id := range regions[1:] {
		tl.births = append(tl.births, birth{region: id, parent: regions[0], at: tl.Now()})
	}
}

// elected notes that a region has a leader.
func (tl *timeline) elected(region uint64) {
	tl.elections = append(tl.elections, election{region, tl.Now()})
	for i := range tl.births {
		if b := &tl.births[i]; b.region == region && b.elected == 0 {
			b.elected = tl.Now()
		}
	}
}

// checkBirths judges the undisturbed births. Networks that lose messages by
// themselves disturb all of them. It says nothing of a plan that asks for no splits,
// unless there was something to judge.
func (tl *timeline) checkBirths(p *plan.Plan) (r checker.Result, asked bool) {
	r = checker.Result{Checker: birthsName}
	bound := birthBound(p)
	for _, b := range tl.births {
		if p.Network.Loss > 0 || b.at+int64(bound) > tl.Now() || tl.disturbed(b, bound) {
			continue
		}
		r.Checked++
		if took := time.Duration(b.elected - b.at); b.elected == 0 || took > bound {
			r.Add(checker.Finding{Anomaly: anomalySlowBirth, Message: fmt.Sprintf(
				"region %d, which was split off region %d at %v, has no leader within %v, though nothing disturbs it",
				b.region, b.parent, time.Duration(b.at), bound), Place: checker.Place{At: b.at}})
		}
	}
	if r.Checked > 0 {
		return r, true
	}
	if len(tl.births) == 0 {
		r.NotJudged("no region was split")
	} else {
		r.NotJudged(disturbedAll(len(tl.births)))
	}
	return r, slices.ContainsFunc(p.Faults, func(f faults.Fault) bool { return f.Kind == faults.Split })
}

// disturbedAll says of n splits that there was none to judge.
func disturbedAll(n int) string {
	switch n {
	case 1:
		return "the only split was disturbed"
	case 2:
		return "both splits were disturbed"
	}
	return fmt.Sprintf("all %d splits were disturbed", n)
}

// disturbed reports whether anything but splits has happened around a birth.
func (tl *timeline) disturbed(b birth, bound time.Duration) bool {
	from, to := b.at-int64(birthQuiet), b.at+int64(bound)
	born := func(region uint64) bool {
		return slices.ContainsFunc(tl.births, func(other birth) bool { return other.region == region && other.at >= from })
	}
	for i, e := range tl.Events {
		harmless := e.Kind == reports.Phase || e.Kind == reports.Split || e.Kind == reports.Election || slices.Contains(tl.splitsAsked, i)
		if !harmless && e.At <= to && max(e.At, e.Until) >= from {
			return true
		}
	}
	queued := func(s span) bool { return s.from <= to && s.to >= b.at }
	elected := func(e election) bool { return e.at >= from && e.at <= to && !born(e.region) }
	return slices.ContainsFunc(tl.queues, queued) || slices.ContainsFunc(tl.elections, elected)
}

// election is when a peer became leader of a region.
type election struct {
	region uint64
	at     int64
}
