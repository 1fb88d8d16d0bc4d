// Package workload holds what clients do during a run: they read and write the
// database through its client library and record what they saw.
//
// A workload is driven operation by operation: Step runs one, and its random
// draws come from a stream of its own, so that leaving an operation out does
// not change the others.
package workload

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// Config says how large a workload is.
type Config struct {
	Seed   uint64
	Keys   int            // how many keys, accounts, lists or pairs
	Params map[string]int // what else the workload knows; see Check
	SQL    string         // the script of a workload that has one
	// SchemaLease is that of tables; see table.Config.
	SchemaLease time.Duration

	kind *kind // set by New
}

// Workload is what the clients of one run do. Its methods run in tasks; several
// Steps of different clients are under way at a time.
type Workload interface {
	// Header says what a checker must know of the workload.
	Header(h *history.Header)
	// Setup prepares the data. It is called again after an error.
	Setup(t env.Task, s *Session) error
	// Step runs and records one operation.
	Step(t env.Task, s *Session, r *stream.Stream)
	// Probe writes to every key, so that every region has to serve a write. It is
	// called again after an error.
	Probe(t env.Task, s *Session) error
	// Audit reads and records the final state. It is called again after an
	// error.
	Audit(t env.Task, s *Session) error
}

// Programmed is a workload that runs programs by their names. Its history has
// transactions, of which a program may have several, or none.
type Programmed interface {
	// Programs counts the runs so far, sorted by name.
	Programs() []ProgramCount
}

// ProgramCount counts the runs of one program by how they ended.
type ProgramCount struct {
	Name    string
	OK      int // came to their end
	Failed  int // ended before it
	Unknown int // at a statement of unknown outcome, or with their client, or not yet
}

// Raw is the interface to single keys. Its errors are those of package client.
type Raw interface {
	RawGet(t env.Task, key []byte) (value []byte, found bool, err error)
	RawPut(t env.Task, key, value []byte) error
	RawDelete(t env.Task, key []byte) error
	RawCompareAndSwap(t env.Task, key, expected, value []byte) (swapped bool, previous []byte, err error)
}

// Batches is the interface to several keys at once, each by itself. Bare raft
// has none.
type Batches interface {
	RawBatchGet(t env.Task, keys [][]byte) ([]client.Pair, error)
	RawBatchPut(t env.Task, pairs []client.Pair) error
	RawBatchDelete(t env.Task, keys [][]byte) error
	RawScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error)
	RawReverseScan(t env.Task, start, end []byte, limit int) ([]client.Pair, error)
}

// Session is one client of a run: a sequential process.
type Session struct {
	ID  int
	Raw Raw
	DB  *client.Client // nil if the system has no transactions
	Rec *history.Recorder
	// Now is the true virtual time, which only the record sees.
	Now func() int64
	// Modes says which options transactions have.
	Modes Modes
	// Onward has a probe that goes by keys go on at the one where it failed, so that
	// each is asked until it is served, and no longer.
	Onward bool
	// options are those of the transactions of the step that is under way.
	options client.TxnOptions
	// note is what the step is about, for the record; reason is why its transaction is
	// given up, if it is.
	note   string
	reason error
	// Current is the operation that was begun last, and Wanted are the keys that
	// it works on: single ones, or all from the first of two up to the second. They
	// tell what a client waits for, and stay after a failure, until something else
	// is begun.
	Current *history.Op
	Wanted  [][2]string
	open    int // operations that have not ended
	// steps counts the operations of this client over all its processes.
	steps int
	// given are timestamps of earlier transactions, from which it may read again.
	given []uint64
}

// Modes are the options of transactions, as a plan leaves them to chance.
type Modes struct {
	// Commit are the commit modes, of which each transaction has any.
	Commit []client.CommitMode
	// Pessimistic is the chance of a transaction to be pessimistic, ReadCommitted
	// that of such a one to read what is newest, per mille.
	Pessimistic, ReadCommitted int
}

// draw returns the options of one transaction.
func (m *Modes) draw(r *stream.Stream) client.TxnOptions {
	var o client.TxnOptions
	if len(m.Commit) > 0 {
		o.Commit = m.Commit[r.IntN(len(m.Commit))]
	}
	o.Pessimistic = r.PerMille(m.Pessimistic)
	o.ReadCommitted = r.PerMille(m.ReadCommitted) && o.Pessimistic
	return o
}

// Step runs the client's next operation.
func (s *Session) Step(t env.Task, w Workload, seed uint64) {
	r := stream.New(seed, "operation", uint64(s.ID), uint64(s.steps))
	s.options = s.Modes.draw(stream.New(seed, "transaction mode", uint64(s.ID), uint64(s.steps)))
	s.steps++
	w.Step(t, s, r)
}

// Steps returns how many operations the client has begun.
func (s *Session) Steps() int { return s.steps }

// Restart forgets what a process that has ended had under way.
func (s *Session) Restart() { s.Current, s.Wanted, s.open, s.given = nil, nil, 0, nil }

// begin records the invocation of an operation.
func (s *Session) begin(op history.Op) *history.Op {
	op.Client = s.ID
	if s.open == 0 {
		s.Wanted = nil
	}
	s.open++
	if op.Key != "" {
		s.Wanted = append(s.Wanted, [2]string{op.Key})
	}
	s.Current = s.Rec.Begin(op, s.Now())
	return s.Current
}

// end records its outcome.
func (s *Session) end(op *history.Op, err error) error {
	outcome := history.OK
	switch {
	case err == nil:
	case errors.Is(err, client.ErrUndetermined):
		outcome = history.Unknown
	default:
		outcome = history.Failed
	}
	if err != nil {
		op.Error = err.Error()
	}
	s.Rec.End(op, outcome, s.Now())
	if s.open--; err == nil && s.open == 0 {
		s.Current, s.Wanted = nil, nil
	}
	return err
}

// optional is a value as the record has it: nil if it is absent.
func optional(value []byte, present bool) *string {
	if !present {
		return nil
	}
	s := string(value)
	return &s
}

// Keys returns n names with a common prefix, in order.
func Keys(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	slices.Sort(names) // those of more digits than four are not in the order of their numbers
	return names
}

// after is the end of the range of all keys with a prefix.
func after(prefix string) string {
	end := []byte(prefix)
	end[len(end)-1]++
	return string(end)
}

// pick returns k different elements of names in random order.
func pick(r *stream.Stream, names []string, k int) []string {
	picked := make([]string, 0, k)
	for len(picked) < min(k, len(names)) {
		if name := names[r.IntN(len(names))]; !slices.Contains(picked, name) {
			picked = append(picked, name)
		}
	}
	return picked
}

// Pause returns how long a client waits before its next operation so that all
// clients together start about rate operations a second.
func Pause(r *stream.Stream, clients, rate int) time.Duration {
	mean := time.Duration(clients) * time.Second / time.Duration(rate)
	return time.Duration(r.Int64N(int64(2*mean) + 1))
}
