// Package checker judges histories and state dumps. A checker is a pure
// function: the same history gives the same answer, wherever it was recorded.
//
//	h, err := history.Load("out/bank-7/history.jsonl")
//	results := checker.History(h, checker.Options{})
//	fmt.Println(checker.Of(results))
//
// History runs every checker that applies to the kinds of operations found:
//
//	linear     reads, writes, compare-and-swaps, appends, mutexes, one key at a time
//	isolation  transactions with timestamps: snapshot isolation, read committed
//	skew       the anomalies that snapshot isolation allows: observations, unless more is promised
//	cycles     dependencies that a level of isolation forbids, told from values alone: lists, keys written once or after they were read
//	answers    what clients found wrong when they compared answers of tables
//	bank       full reads of all accounts have one total
//	timestamps an oracle's timestamps are unique and agree with real time
//
// The package checker/state judges what replicas hold at the end of a run.
package checker

import (
	"time"

	"simrun/checker/verdict"
)

type (
	// Verdict is the judgement on a history, a state dump or a whole run.
	Verdict = verdict.Verdict
	// Finding is one anomaly with its evidence.
	Finding = verdict.Finding
	// Place is where and when a Finding was seen.
	Place = verdict.Place
	// Anomaly is the name of what went wrong.
	Anomaly = verdict.Anomaly
	// Result is the answer of one checker.
	Result = verdict.Result
)

// The verdicts, from the best to the worst.
const (
	OK            = verdict.OK
	Unknown       = verdict.Unknown
	Unrecoverable = verdict.Unrecoverable
	Violation     = verdict.Violation
)

// Merge returns the worst of the verdicts, and OK if there are none.
func Merge(vs ...Verdict) Verdict { return verdict.Merge(vs...) }

// Of merges the verdicts of results.
func Of(results []Result) Verdict { return verdict.Of(results) }

// Options bound the work.
type Options struct {
	// Timeout bounds the search for a linearization, over all keys, in real
	// time; what is not decided by then is Unknown. Zero is one minute,
	// negative no bound.
	Timeout time.Duration
}

// timeoutDefault is ample for what a run of a minute of virtual time records.
const timeoutDefault = time.Minute
