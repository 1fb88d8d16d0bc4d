package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"simrun/checker"
	"simrun/faults"
	"simrun/reports"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// isCut reports whether a history was read as far as it goes, for its recording
// was cut off.
func isCut(h *history.History, err error) bool {
	var wrong *history.Error
	return h != nil && errors.As(err, &wrong) && wrong.Truncated
}

// judgeCut checks what there is of a history that was cut off. It may hold a
// violation; else there is no verdict, for nobody knows how it went on.
func judgeCut(h *history.History, opts checker.Options) []checker.Result {
	part := settled(h)
	var results []checker.Result
	if len(part.Ops) > 0 {
		results = checker.History(part, opts)
	}
	checkable := fmt.Sprintf("%d of them checkable", len(part.Ops))
	if !h.Numbered {
		checkable = `none of them checkable, for without "numbered" in the header it is not known when what is missing began`
	}
	return append(results, checker.Result{
		Checker: recordingName, Verdict: checker.Unknown,
		Reason: fmt.Sprintf("history truncated: %s, %s; no end line, such as %s",
			plural(len(h.Ops), "complete operation"), checkable, history.EndLine(len(h.Ops))),
	})
}

// settled returns the part of a history that was cut off in which no effect of an
// operation can be seen that is not in it. Operations are recorded when they
// return: those that were under way when the recording ended are missing, and
// others may have seen what they wrote. Their ids are missing too, and if ids were
// given in the order of invocation (history.Header.Numbered), whatever returned before
// the last invocation that precedes the first missing id has seen nothing of them. Of what was
// under way at that instant only the writes are kept, with an unknown outcome, for what
// it returned later may come from what is missing. If ids tell nothing, then what is
// missing may have begun before everything else, and nothing is left.
func settled(h *history.History) *history.History {
	part := &history.History{Header: h.Header}
	if !h.Numbered {
		return part
	}
	there := make(map[int]bool, len(h.Ops))
	for i := range h.Ops {
		there[h.Ops[i].ID] = true
	}
	missing := 0
	for there[missing] {
		missing++
	}
	until := int64(-1)
	for i := range h.Ops {
		if op := &h.Ops[i]; op.ID < missing {
			until = max(until, op.Invoke)
		}
	}
	var underWay []history.Op
	for _, op := range h.Ops {
		switch {
		case op.Return <= until:
			part.Ops = append(part.Ops, op)
		case op.Invoke < until && op.Outcome != history.Failed && writesOnly(&op):
			op.Return, op.Outcome, op.Error = until, history.Unknown, "under way where the check ends"
			underWay = append(underWay, op)
		}
	}
	part.Ops = append(part.Ops, underWay...)
	return part
}

// writesOnly takes from an operation what it returned, and reports whether it may
// have written anything. Of a transaction the locks stay, with their timestamps, and not
// when its statements were invoked, of which some may come after the end.
func writesOnly(op *history.Op) bool {
	switch op.Kind {
	case history.Write, history.Append, history.Acquire, history.Release:
	case history.CAS:
		op.Swapped = false
	case history.Txn:
		record := *op.Txn
		record.Ops, record.Statements, record.Compared, record.Problem = nil, nil, 0, ""
		for _, o := range op.Txn.Ops {
			if o.Kind.Writes() {
				record.Ops = append(record.Ops, o)
			}
		}
		op.Txn = &record
		return len(record.Ops) > 0
	case history.Read, history.Timestamp:
		return false
	}
	return true
}

// keptResult returns what the result in a folder says if only the history there was cut off,
// after the run: what the run has found stays found, and a part of the history is not OK. It is
// nil if there is no result, or none that can be read.
func keptResult(dir string, h *history.History) *reports.Result {
	r, err := reports.LoadVerdict(dir)
	if err != nil {
		return nil
	}
	r.Checkers = append(r.Checkers, checker.Result{
		Checker: recordingName, Verdict: checker.Unknown,
		Reason: fmt.Sprintf("history truncated after the run: %s left; what the others say is of the whole run", plural(len(h.Ops), "complete operation")),
	})
	r.Conclude()
	return r
}

// recordingName is the name of the checker of recordings.
const recordingName = "recording"

// cutRun makes a run of what a process that was killed has left in a folder: plan
// and history, without what is known only at the end.
func cutRun(dir string, run *reports.Run, p *plan.Plan, opts checker.Options) {
	r := &reports.Result{
		Scenario: run.History.Scenario, Seed: run.History.Seed,
		Checkers: judgeCut(run.History, opts),
	}
	if p != nil { // else it is no scenario's
		r.Command = "simrun run " + reports.ShellQuoted(filepath.Join(dir, reports.FilePlan))
		r.Nodes = p.NodeNames()
		r.Stats.Faults = scheduled(p.Faults)
	}
	r.Stats.Operations = reports.CountOperations(run.History)
	for i := range run.History.Ops {
		r.Stats.Virtual = max(r.Stats.Virtual, run.History.Ops[i].Return)
	}
	r.Locate(run.History)
	r.Conclude()
	run.Result, run.Cut = r, true
}

// scheduled counts the faults of a schedule, in the order of their kinds. What came
// of them is not known.
func scheduled(list []faults.Fault) (counts []reports.FaultCount) {
	byKind := map[faults.Kind]int{}
	for _, f := range list {
		byKind[f.Kind]++
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		counts = append(counts, reports.FaultCount{Kind: kind.String(), Scheduled: byKind[kind]})
	}
	return counts
}
