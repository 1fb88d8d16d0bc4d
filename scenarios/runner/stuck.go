package runner

import (
	"fmt"
	"strings"
	"time"

	"simrun/checker"
	"simrun/scenarios/cluster"
	"simrun/sim/plan"
)

// stuck ends the run because what otherwise denies was not so within a limit, and
// tells who waits for what; more is what else there is to say. If all of them wait for what the faults have destroyed for ever, that is
// no violation.
//
// What is merely busy at this very moment is not what anybody waits for; so where
// something is lost, a few more looks have to tell whether something else is
// blocked too.
func (r *run) stuck(otherwise string, limit plan.Duration, more string) error {
	what := fmt.Sprintf("%s within %v%s", otherwise, limit, more)
	waiters := r.waiters()
	e := r.cluster.Explain(waiters)
	for looks := 0; e.Lost == "" && e.AnyLost && looks < stuckLooks; looks++ {
		if err := r.world.RunFor(stuckPause); err != nil {
			return err
		}
		e = r.cluster.Explain(waiters)
	}
	r.waits = e.Waits
	if e.Lost != "" {
		r.lost = fmt.Sprintf("%s, for the faults have destroyed what is needed: %s", what, e.Lost)
		return errOver
	}
	names := make([]string, len(waiters))
	place := checker.Place{At: r.world.Now()}
	for i, w := range waiters {
		names[i] = w.Who + " " + w.State
		if r.world.Node(w.Who) != nil {
			place.Nodes = append(place.Nodes, w.Who)
		}
	}
	if unrest := r.cluster.Unrest(); unrest != "" {
		names = append(names, unrest)
	}
	r.violate(checker.Finding{
		Checker: "liveness", Anomaly: r.stuckAnomaly(), Check: otherwise, Place: place,
		Message: what + ": " + strings.Join(names, "; "),
	})
	return errOver
}

// stuckLooks is how often more, and stuckPause apart, it is looked whether
// something is blocked.
const (
	stuckLooks = 20
	stuckPause = 100 * time.Millisecond
)

// waiters are the clients that have not got what they were to get; if there is
// none, the audit waits for all regions.
func (r *run) waiters() (list []cluster.Waiter) {
	for _, s := range append([]*session{r.admin}, r.sessions...) {
		if state := s.waiting(); state != "" {
			list = append(list, cluster.Waiter{Who: s.name(), State: state, Spans: s.Wanted, All: len(s.Wanted) == 0})
		}
	}
	if len(list) == 0 {
		list = append(list, cluster.Waiter{Who: "the audit", State: "waits until all replicas agree", All: true})
	}
	return list
}
