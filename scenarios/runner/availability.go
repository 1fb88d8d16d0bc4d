package runner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/reports"
	"simrun/scenarios/cluster"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// While nodes are restarted one after the other, a majority of every region and of
// the placement driver is there at any time. So nobody has to wait until a node is
// back: whatever it led is led by another one within an election. A client may have
// an operation fail, since a request was lost with a process; but from the first
// one on that was not answered until one is, no more than a bound may pass, however
// long the node is away.

// availabilityName is the name of the checker in results.
const availabilityName = "availability"

// anomalyUnavailable: a client was not served though a majority was there.
const anomalyUnavailable checker.Anomaly = "unavailable"

// electionRounds is how many attempts an election may take: votes may be split, and
// a store that has just started grants none for a while, but timeouts are drawn anew
// for each attempt (Raft thesis, section 3.4 and 9.3).
const electionRounds = 3

// retryPause is the longest pause of a client between two attempts to find out
// where a region is, and who leads it.
const retryPause = 500 * time.Millisecond

// availabilityBound is how long a client may wait for the database while one node is
// away. What it waits for others is told in excuse.go.
func availabilityBound(p *plan.Plan) time.Duration {
	k := &p.Knobs
	timeout := 2 * time.Duration(k.ElectionTick) * time.Duration(k.TickInterval) // the longest that raft draws
	bound := electionRounds * timeout
	if k.Hibernate > 0 {
		bound += timeout // until a store is found to be silent
	}
	// A store that is gone does not answer, nor does a member of the placement driver.
	bound += 2*time.Duration(k.RequestTimeout) + retryPause
	// Votes and the first entry of a term have to be durable, and wait for other writes.
	bound += 8 * time.Duration(p.Disk.SyncMax)
	if p.Cluster.API == plan.Txn {
		// A transaction whose outcome its client does not know may leave a lock.
		bound += time.Duration(k.LockTTL)
	}
	return bound
}

// notInTurn tells why a plan with restarts is more than restarts of nodes in turn, never
// two at a time, in a cluster that can do without any one of them; it is empty if that
// is all.
func notInTurn(p *plan.Plan) string {
	switch {
	case p.Cluster.Replicas < 3 || p.Cluster.Placement < 3:
		return "a region or the placement driver cannot do without one of its members"
	case p.Network.Loss > 0:
		return "the network loses messages by itself"
	}
	back := time.Duration(0)
	for _, f := range p.Faults { // in the order of their instants
		switch {
		case f.Kind != faults.Restart:
			return "there are other faults than restarts"
		case len(f.Targets) != 1 || f.For == 0 || f.At < back:
			return "restarts do not follow one after the other"
		}
		back = f.At + f.Within + f.For
	}
	return ""
}

// checkAvailability judges how long clients have waited, and how long keys have not
// been served: a client that is answered about one key may wait for another one. It
// says nothing of a plan that restarts no node.
func (tl *timeline) checkAvailability(p *plan.Plan, h *history.History, queued []cluster.LockWait) (checker.Result, bool) {
	r := checker.Result{Checker: availabilityName}
	if !slices.ContainsFunc(p.Faults, func(f faults.Fault) bool { return f.Kind == faults.Restart }) {
		return r, false
	}
	if why := notInTurn(p); why != "" {
		r.NotJudged(why)
		return r, true
	}
	j := &availability{tl: tl, bound: availabilityBound(p), circle: deadlockBound(p), outages: map[string]*outage{}, result: &r}
	excused := excusesOf(h, queued)
	for i := range h.Ops {
		op := &h.Ops[i]
		number := history.ClientOf(op.Client) % (p.Workload.Clients + 1)
		if number == 0 || op.Phase != phaseStorm && (op.Phase != phaseCalm || p.Phases.Minority != plan.NoMinority) {
			continue // of the administrator, before the storm or after it, or in a calm with a bound of its own
		}
		r.Checked++
		j.take(fmt.Sprintf("client%d", number), op, answered(p, op), excused.of(op))
		if op.Key != "" {
			j.take(fmt.Sprintf("key %q", op.Key), op, answered(p, op), 0)
		}
		if op.Txn != nil && op.Txn.Pessimistic && (op.Outcome != history.OK || locked(op.Txn)) {
			j.succeed(op)
		}
	}
	if r.Checked == 0 {
		r.NotJudged("no client did anything in the storm")
	}
	return r, true
}

// availability is a judgement under way.
type availability struct {
	tl      *timeline
	bound   time.Duration
	circle  time.Duration
	outages map[string]*outage
	result  *checker.Result
	// succeeded is when a transaction that locks did so last.
	succeeded int64
}

// take judges the wait of a client or for a key, up to the return of an operation, of
// which it was excused for a while.
func (j *availability) take(name string, op *history.Op, answered bool, excused time.Duration) {
	o := j.outage(name)
	o.extend(span{op.Invoke, op.Return}, answered, excused)
	bound, asked := j.bound, o.asked.length()
	if o.excused > 0 { // it has been in queues, and may have been in a circle
		bound += j.circle
	}
	j.judge(o, name+" was not served", asked-o.excused, bound, o.excused)
	j.judge(o, name+" was not served, whoever was in its way,", asked, limitFactor*bound, 0)
}

// succeed judges how long no transaction that locks has succeeded: that they come to an
// end, and the clients with them, is not enough.
func (j *availability) succeed(op *history.Op) {
	o, ok := j.outage("transactions"), op.Outcome == history.OK
	o.extend(span{max(op.Invoke, j.succeeded), op.Return}, ok, 0)
	j.judge(o, "no transaction that locks succeeded", o.asked.length(), limitFactor*(j.bound+j.circle), 0)
	if ok {
		j.succeeded = op.Return
	}
}

func (j *availability) outage(name string) *outage {
	if j.outages[name] == nil {
		j.outages[name] = &outage{}
	}
	return j.outages[name]
}

// judge adds a finding if something took longer than it may.
func (j *availability) judge(o *outage, what string, took, bound, excused time.Duration) {
	if took <= bound || o.told {
		return
	}
	o.told = true
	from, to := o.asked[0].from, o.asked[len(o.asked)-1].to
	text := fmt.Sprintf("%s for %v, from %v on, and the bound is %v", what, took, time.Duration(from), bound)
	if excused > 0 {
		text += fmt.Sprintf("; another %v it waited for locks of living transactions", excused)
	}
	j.result.Add(checker.Finding{
		Anomaly: anomalyUnavailable, Message: text + "; " + j.tl.away(from, to), Place: checker.Place{At: from},
	})
}

// outage is a time in which nobody who asked was answered.
type outage struct {
	asked   spans         // when somebody asked
	excused time.Duration // of that, when it waited for others
	failing bool          // the last operation was not answered
	told    bool          // it is known to be too long
}

// extend takes an operation, in the order of returns. Whoever issued it has waited
// until it returned: since it began, or, if the one before was not answered, since
// that began. While nobody asks nobody waits.
func (o *outage) extend(op span, answered bool, excused time.Duration) {
	if !o.failing {
		*o = outage{}
	}
	o.asked = o.asked.add(op)
	o.excused += excused
	o.failing = !answered
}

// answered reports whether the database has decided about an operation: it has
// done it, or refused it for a reason - a conflict - before its time was over.
func answered(p *plan.Plan, op *history.Op) bool {
	return op.Outcome == history.OK ||
		op.Outcome == history.Failed && op.Return-op.Invoke < int64(p.Knobs.OperationTimeout)
}

// away tells who was down in a span of time.
func (tl *timeline) away(from, to int64) string {
	var nodes []string
	for _, e := range tl.Events {
		if e.Kind == reports.Down && e.At <= to && (e.Until == 0 || e.Until >= from) {
			nodes = append(nodes, fmt.Sprintf("%s from %v to %v", e.Node, time.Duration(e.At), time.Duration(e.Until)))
		}
	}
	if len(nodes) == 0 {
		return "nobody was down"
	}
	return "down were " + strings.Join(nodes, ", ")
}
