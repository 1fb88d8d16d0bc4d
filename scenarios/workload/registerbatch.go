package workload

import (
	"fmt"
	"slices"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// What the raw interface does to several keys at once it promises for each key
// by itself. So it is recorded as one operation a key, and all of them lie in
// the interval of the whole. Clients of a history are sequential: each of the
// operations is recorded as that of another lane of the client, the first as
// that of the client itself.

// lane is the number under which the n-th of simultaneous operations is recorded.
func (s *Session) lane(n int) int { return s.ID + n*history.LaneStride }

// several returns the interface to several keys. Check sees to it that a
// workload has it that needs it.
func (s *Session) several() Batches { return s.Raw.(Batches) }

// batch reads, writes or deletes some of the registers together.
func (w *register) batch(t env.Task, s *Session, r *stream.Stream) {
	chosen := pick(r, w.current, 2+r.IntN(len(w.current)))
	switch draw := r.IntN(10); {
	case draw < 4:
		w.batchRead(t, s, chosen)
	case draw < 8:
		values := make([]*string, len(chosen))
		pairs := make([]client.Pair, len(chosen))
		for i, key := range chosen {
			value := w.filled(fmt.Sprintf("%d.%d.%d", s.ID, s.Steps(), i))
			values[i], pairs[i] = &value, client.Pair{Key: []byte(key), Value: []byte(value)}
		}
		w.batchWrite(s, chosen, values, func() error { return s.several().RawBatchPut(t, pairs) })
	default:
		w.batchWrite(s, chosen, make([]*string, len(chosen)), func() error { return s.several().RawBatchDelete(t, bytesOf(chosen)) })
	}
}

func (w *register) batchRead(t env.Task, s *Session, chosen []string) {
	ops := make([]*history.Op, len(chosen))
	for i, key := range chosen {
		ops[i] = s.Rec.Begin(history.Op{Client: s.lane(i), Kind: history.Read, Key: key}, s.Now())
	}
	pairs, err := s.several().RawBatchGet(t, bytesOf(chosen))
	for _, op := range ops {
		i := slices.IndexFunc(pairs, func(p client.Pair) bool { return string(p.Key) == op.Key })
		if i >= 0 {
			op.Value = optional(pairs[i].Value, true)
		}
		_ = s.end(op, err)
	}
}

// batchWrite records a write of values, nil for a deletion.
func (w *register) batchWrite(s *Session, chosen []string, values []*string, write func() error) {
	ops := make([]*history.Op, len(chosen))
	for i, key := range chosen {
		ops[i] = s.Rec.Begin(history.Op{Client: s.lane(i), Kind: history.Write, Key: key, Value: values[i]}, s.Now())
	}
	err := write()
	for i, op := range ops {
		_ = w.wrote(chosen[i], s.end(op, err))
	}
}

// scan is a scan of [start, end), at most limit pairs of it; 0 is no limit.
type scan struct {
	start, end string
	limit      int
	reverse    bool
}

// scanSome scans all registers or some that lie side by side. If it fails, the record
// says so.
func (w *register) scanSome(t env.Task, s *Session, r *stream.Stream) {
	c := scan{start: registerPrefix, end: after(registerPrefix), reverse: r.PerMille(400)}
	if r.PerMille(500) {
		c.start = w.current[r.IntN(len(w.current))]
	}
	if end := w.current[r.IntN(len(w.current))]; r.PerMille(300) && end > c.start {
		c.end = end
	}
	if r.PerMille(400) {
		c.limit = 1 + r.IntN(len(w.current))
	}
	_ = w.scan(t, s, c)
}

// scan runs a scan and records what it says of every register: those that it
// passed over were absent. Of what lies beyond its limit it says nothing.
func (w *register) scan(t env.Task, s *Session, c scan) error {
	invoke := s.Now()
	run := s.several().RawScan
	if c.reverse {
		run = s.several().RawReverseScan
	}
	pairs, err := run(t, []byte(c.start), []byte(c.end), c.limit)
	if err != nil {
		return s.end(s.Rec.Begin(history.Op{Client: s.ID, Kind: history.Read, Key: c.start}, invoke), err)
	}
	for i, found := range c.answers(w.all, pairs) {
		op := s.Rec.Begin(history.Op{Client: s.lane(i), Kind: history.Read, Key: found.key}, invoke)
		op.Value = found.value
		_ = s.end(op, nil)
	}
	return nil
}

// inOrder reports whether key may follow another one in the scan's direction.
func (c scan) inOrder(other, key string) bool {
	if c.reverse {
		return other > key
	}
	return other < key
}

// answer is what a scan says of one key.
type answer struct {
	key   string
	value *string // nil: it is absent
}

// answers returns what pairs say of the keys that they have and of the known
// ones that they should have if they were there. A pair that should not be where
// it is has a value that nobody wrote.
func (c scan) answers(known []string, pairs []client.Pair) []answer {
	var all []answer
	covered := c
	for i, p := range pairs {
		key, value := string(p.Key), string(p.Value)
		switch {
		case c.limit > 0 && i >= c.limit:
			value += ": beyond the limit of a scan"
		case key < c.start || key >= c.end:
			value += ": out of the range of a scan"
		case i > 0 && !c.inOrder(string(pairs[i-1].Key), key):
			value += ": out of the order of a scan"
		}
		all = append(all, answer{key, &value})
	}
	if n := len(pairs); c.limit > 0 && n >= c.limit {
		if last := string(pairs[n-1].Key); c.reverse {
			covered.start = last
		} else {
			covered.end = last
		}
	}
	for _, key := range known {
		has := slices.ContainsFunc(pairs, func(p client.Pair) bool { return string(p.Key) == key })
		if !has && key >= covered.start && key < covered.end {
			all = append(all, answer{key: key})
		}
	}
	return all
}
