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
	Seed    uint64
	Keys    int            // how many keys, accounts, lists or pairs
	Clients int            // how many clients run Step
	Params  map[string]int // what else the workload knows; see its documentation
}

// param returns a parameter, or what it is by default.
func (c *Config) param(name string, byDefault int) int {
	if v, ok := c.Params[name]; ok {
		return v
	}
	return byDefault
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

// Names returns the names of all workloads, sorted.
func Names() []string { return []string{"append", "bank", "register", "timestamps", "write-skew"} }

// New returns the workload of that name.
func New(name string, cfg Config) (Workload, error) {
	if cfg.Keys < 1 {
		return nil, fmt.Errorf("workload %s: keys is %d, but must be at least 1", name, cfg.Keys)
	}
	switch name {
	case "bank":
		return newBank(cfg), nil
	case "register":
		return newRegister(cfg), nil
	case "append":
		return newAppend(cfg), nil
	case "timestamps":
		return newTimestamps(cfg), nil
	case "write-skew":
		return newWriteSkew(cfg), nil
	}
	return nil, fmt.Errorf("unknown workload %q; known are %v", name, Names())
}

// Raw is the interface to single keys. Its errors are those of package client.
type Raw interface {
	RawGet(t env.Task, key []byte) (value []byte, found bool, err error)
	RawPut(t env.Task, key, value []byte) error
	RawDelete(t env.Task, key []byte) error
	RawCompareAndSwap(t env.Task, key, expected, value []byte) (swapped bool, previous []byte, err error)
}

// Session is one client of a run: a sequential process.
type Session struct {
	ID  int
	Raw Raw
	DB  *client.Client // nil if the system has no transactions
	Rec *history.Recorder
	// Now is the true virtual time, which only the record sees.
	Now func() int64
	// steps counts the operations of this client over all its processes.
	steps int
}

// Step runs the client's next operation.
func (s *Session) Step(t env.Task, w Workload, seed uint64) {
	r := stream.New(seed, "operation", uint64(s.ID), uint64(s.steps))
	s.steps++
	w.Step(t, s, r)
}

// Steps returns how many operations the client has begun.
func (s *Session) Steps() int { return s.steps }

// begin records the invocation of an operation.
func (s *Session) begin(op history.Op) *history.Op {
	op.Client = s.ID
	return s.Rec.Begin(op, s.Now())
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
	return err
}

// txn is a transaction that records what it does.
type txn struct {
	*client.Txn
	record *history.TxnRecord
}

// transaction runs and records one transaction: begin, body, commit. It returns
// the error of whichever failed.
func (s *Session) transaction(t env.Task, body func(x *txn) error) error {
	op := s.begin(history.Op{Kind: history.Txn, Txn: &history.TxnRecord{}})
	tx, err := s.DB.Begin(t)
	if err != nil {
		return s.end(op, err)
	}
	op.Txn.StartTS = tx.StartTS()
	if err = body(&txn{tx, op.Txn}); err != nil {
		tx.Rollback(t)
		return s.end(op, err)
	}
	err = tx.Commit(t)
	op.Txn.CommitTS = tx.CommitTS()
	return s.end(op, err)
}

func (x *txn) note(op history.TxnOp) { x.record.Ops = append(x.record.Ops, op) }

// read returns the value of key, "" if it is absent.
func (x *txn) read(t env.Task, key string) (string, error) {
	value, ok, err := x.Get(t, []byte(key))
	if err != nil {
		return "", err
	}
	x.note(history.TxnOp{Kind: history.TxnRead, Key: key, Value: optional(value, ok)})
	return string(value), nil
}

// readAll reads several keys at once; absent ones are missing in the result.
func (x *txn) readAll(t env.Task, keys []string) (map[string]string, error) {
	raw := make([][]byte, len(keys))
	for i, k := range keys {
		raw[i] = []byte(k)
	}
	pairs, err := x.BatchGet(t, raw)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, p := range pairs {
		found[string(p.Key)] = string(p.Value)
	}
	for _, k := range keys {
		value, ok := found[k]
		x.note(history.TxnOp{Kind: history.TxnRead, Key: k, Value: optional([]byte(value), ok)})
	}
	return found, nil
}

// scan reads the range [start, end), backward if reverse.
func (x *txn) scan(t env.Task, start, end string, reverse bool) ([]history.Pair, error) {
	read := x.Scan
	if reverse {
		read = x.ReverseScan
	}
	rows, err := read(t, []byte(start), []byte(end), 0)
	if err != nil {
		return nil, err
	}
	pairs := make([]history.Pair, 0, len(rows))
	for _, row := range rows {
		pairs = append(pairs, history.Pair{Key: string(row.Key), Value: string(row.Value)})
	}
	x.note(history.TxnOp{Kind: history.TxnScan, Key: start, EndKey: end, Reverse: reverse, Pairs: pairs})
	return pairs, nil
}

// write sets a key.
func (x *txn) write(key, value string) {
	x.note(history.TxnOp{Kind: history.TxnWrite, Key: key, Value: &value})
	x.Set([]byte(key), []byte(value))
}

// lock makes the transaction conflict with every other that writes or locks the
// keys, as SELECT FOR UPDATE does.
func (x *txn) lock(keys ...string) {
	for _, k := range keys {
		x.LockKeys([]byte(k))
		x.note(history.TxnOp{Kind: history.TxnLock, Key: k})
	}
}

// optional is a value as the record has it: nil if it is absent.
func optional(value []byte, present bool) *string {
	if !present {
		return nil
	}
	s := string(value)
	return &s
}

// keys returns n names with a common prefix, in order.
func keys(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
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
