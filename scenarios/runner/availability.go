package runner

import (
	"fmt"
	"strings"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/reports"
	"simrun/scenarios/workload"
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

// availabilityBound is how long a client may wait while one node is away.
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
	if k.Pessimistic > 0 {
		bound += deadlockBound(p)
	}
	return bound
}

// restartsInTurn reports whether a plan does nothing but restart nodes, never two at
// a time, in a cluster that can do without any one of them.
func restartsInTurn(p *plan.Plan) bool {
	if len(p.Faults) == 0 || p.Cluster.Replicas < 3 || p.Cluster.Placement < 3 || p.Network.Loss > 0 {
		return false
	}
	back := time.Duration(0)
	for _, f := range p.Faults { // in the order of their instants
		if f.Kind != faults.Restart || len(f.Targets) != 1 || f.For == 0 || f.At < back {
			return false
		}
		back = f.At + f.Within + f.For
	}
	return true
}

// checkAvailability judges how long clients have waited, and how long keys have not
// been served: a client that is answered about one key may wait for another one.
func (tl *timeline) checkAvailability(p *plan.Plan, h *history.History) checker.Result {
	r := checker.Result{Checker: availabilityName}
	if !restartsInTurn(p) {
		return r
	}
	bound := availabilityBound(p)
	ends := endsOfLockers(p, h)
	waits := map[string]*outage{}
	for i := range h.Ops {
		op := &h.Ops[i]
		number := workload.ClientOf(op.Client) % (p.Workload.Clients + 1)
		if number == 0 || op.Phase != phaseStorm && op.Phase != phaseCalm {
			continue // of the administrator, before the storm or after it
		}
		r.Checked++
		who := []string{fmt.Sprintf("client%d", number)}
		if op.Key != "" {
			who = append(who, fmt.Sprintf("key %q", op.Key))
		}
		for _, name := range who {
			if waits[name] == nil {
				waits[name] = &outage{}
			}
			o := waits[name]
			o.extend(op, answered(p, op))
			if length := o.unserved(ends); length > bound && !o.told {
				o.told = true
				r.Add(checker.Finding{Anomaly: anomalyUnavailable, Message: fmt.Sprintf(
					"%s was not served for %v, from %v on, and the bound is %v; %s",
					name, length, time.Duration(o.from), bound, tl.away(o.from, o.to))})
			}
		}
	}
	return r
}

// outage is a time in which nobody who asked was answered.
type outage struct {
	from, to int64
	idle     int64 // of that, how long nobody asked
	failing  bool  // the last operation was not answered
	told     bool  // it is known to be too long
}

// extend takes an operation, in the order of returns. Whoever issued it has waited
// until it returned: since it began, or, if the one before was not answered, since
// that began.
func (o *outage) extend(op *history.Op, answered bool) {
	if !o.failing {
		*o = outage{from: op.Invoke, to: op.Invoke}
	}
	o.idle += max(op.Invoke-o.to, 0)
	o.to, o.failing = op.Return, !answered
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
	for _, e := range tl.events {
		if e.Kind == reports.Down && e.At <= to && (e.Until == 0 || e.Until >= from) {
			nodes = append(nodes, fmt.Sprintf("%s from %v to %v", e.Node, time.Duration(e.At), time.Duration(e.Until)))
		}
	}
	if len(nodes) == 0 {
		return "nobody was down"
	}
	return "down were " + strings.Join(nodes, ", ")
}
