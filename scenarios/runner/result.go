package runner

import (
	"errors"
	"slices"
	"time"

	"simrun/checker"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/scenarios/cluster"
	"simrun/scenarios/trial"
	"simrun/scenarios/workload"
	"simrun/sim/history"
)

// finish closes the history, checks it and gathers the result. err is why the
// phases ended.
func (r *run) finish(err error) (*Outcome, error) {
	if err != nil && r.interrupted(err) {
		r.unknown = "the run was interrupted"
	} else {
		r.explain(err)
	}
	r.trace.Close()
	h, err := r.rec.Close(r.world.Now())
	if err != nil {
		return nil, err
	}
	r.timeline.Close()
	res := &reports.Result{
		Scenario: r.plan.Scenario,
		Seed:     r.plan.Seed,
		Stats:    r.stats(),
		Marks:    invariant.Counts(),
		Timeline: r.timeline.Events,
		Waits:    r.waits,
		Stack:    r.calls,
	}
	trial.Measure(res, r.world, r.schedule)
	r.countMinority(&res.Stats)
	res.Stats.Operations = reports.CountOperations(h)
	if load, ok := r.load.(workload.Programmed); ok {
		for _, c := range load.Programs() {
			res.Stats.Programs = append(res.Stats.Programs, reports.ProgramCount(c))
		}
	}
	replicated := r.cluster.Replication()
	res.Stats.SetCost(replicated.Proposals, replicated.Messages, h)
	res.Checkers = append(r.ownResults(h), r.state...)
	res.Checkers = append(res.Checkers, checker.History(h, checker.Options{})...)
	res.Locate(h)
	r.stateSeen(res)
	res.Conclude()
	return &Outcome{Result: res, History: h, Storm: r.during}, nil
}

// stateSeen tells of what the checkers of state have found, and of which nobody
// knows since when it was so, when they have looked.
func (r *run) stateSeen(res *reports.Result) {
	for i := range res.Checkers {
		c := &res.Checkers[i]
		if !slices.ContainsFunc(r.state, func(s checker.Result) bool { return s.Checker == c.Checker }) {
			continue
		}
		for j := range c.Findings {
			if p := &c.Findings[j].Place; p.At == 0 {
				p.At = r.looked
			}
		}
	}
}

func (r *run) interrupted(err error) bool { return errors.Is(err, ErrInterrupted) }

// ownResults are the answers of the run itself, one for each of its checkers
// that found something.
func (r *run) ownResults(h *history.History) []checker.Result {
	liveness := checker.Result{Checker: "liveness", Checked: len(r.sessions) + 1}
	assertion := checker.Result{Checker: "assertion", Checked: 1}
	raft := checker.Result{Checker: "raft", Checked: int(r.cluster.Replication().Commits)}
	results := []*checker.Result{&assertion, &liveness, &raft}
	for _, f := range r.findings {
		for _, res := range results {
			if res.Checker == f.Checker {
				res.Add(f)
			}
		}
	}
	if r.unknown != "" {
		liveness.Undecided(r.unknown)
	}
	if r.lost != "" {
		liveness.Beyond(r.lost)
	}
	own := []checker.Result{assertion, liveness}
	if raft.Checked > 0 || raft.Verdict != checker.OK {
		own = append(own, raft)
	}
	if births, asked := r.timeline.checkBirths(r.plan); asked {
		own = append(own, births)
	}
	if availability, asked := r.timeline.checkAvailability(r.plan, h, r.cluster.LockWaits()); asked {
		own = append(own, availability)
	}
	return own
}

// stats counts what happened to the system; Measure counts what did in its world.
func (r *run) stats() reports.Stats {
	s := reports.Stats{
		Cluster: r.timeline.counts,
		Reads:   reports.ReadStats(r.cluster.Reads()),
		Commits: commitStats(r.cluster.Commits()),
	}
	for _, c := range r.cluster.Operators() {
		s.Operators = append(s.Operators, reports.OperatorCount(c))
	}
	for _, e := range r.cluster.Engines() {
		s.Engines = append(s.Engines, reports.EngineStats(e))
	}
	for _, b := range r.cluster.Backlogs() {
		s.Backlogs = append(s.Backlogs, reports.BacklogStats(b))
	}
	return s
}

func commitStats(c cluster.Commits) reports.CommitStats {
	return reports.CommitStats{
		TwoPhase: reports.CommitMode(c.TwoPhase), Async: reports.CommitMode(c.Async), OnePhase: reports.CommitMode(c.OnePhase),
		Proposals: c.Proposals,
	}
}

// watchProgress looks now and then whether somebody wants to know or to stop.
func (r *run) watchProgress() {
	if r.opts.Progress == nil && r.opts.Interrupted == nil {
		return
	}
	r.world.Every(progressEvents, func() {
		if r.opts.Interrupted != nil && r.opts.Interrupted() {
			r.world.Fail(ErrInterrupted)
		}
		if r.opts.Progress != nil {
			r.opts.Progress(Progress{
				Phase: r.phase, Virtual: time.Duration(r.world.Now()), Operations: r.rec.Len(),
				Events: r.world.Trace.Events(), Faults: r.schedule.Effective(),
			})
		}
	})
}

// progressEvents is the number of events between two looks.
const progressEvents = 4096
