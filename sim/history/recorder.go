package history

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// Recorder collects the operations of all clients of one simulation. It is used
// under the loop, by one thread of control.
//
//	op := rec.Begin(history.Op{Client: 3, Kind: history.Read, Key: "k"}, now)
//	... the client works, and fills op.Value, op.Txn, op.Error ...
//	rec.End(op, history.OK, later)
//
// What has ended is written to the stream at once. Close ends with outcome
// Unknown what is still under way, so that nothing that may have had an effect
// is missing from the record.
type Recorder struct {
	h       History
	out     *Writer
	err     error // the first failure of the stream; the record in memory goes on
	pending map[int]*Op
	open    map[int]int   // per client that has one, its operation under way
	returns map[int]int64 // per client, its latest return
	nextID  int
	phase   string
	observe func(*Op) // sees each operation as it ends; may be nil
}

// NewRecorder returns a recorder that streams to w; w may be nil.
// Whatever the header says of it, the ids are in the order of invocation.
func NewRecorder(header Header, w io.Writer) *Recorder {
	header.Numbered = true
	r := &Recorder{
		h:       History{Header: header},
		pending: map[int]*Op{},
		open:    map[int]int{},
		returns: map[int]int64{},
	}
	if w != nil {
		r.out, r.err = NewWriter(w, header)
	}
	return r
}

// SetPhase names the phase in which the operations that begin from now on are.
func (r *Recorder) SetPhase(phase string) { r.phase = phase }

// Observe has fn called with every operation that ends, before it is written.
func (r *Recorder) Observe(fn func(*Op)) { r.observe = fn }

// Begin records an invocation and returns the operation for the client to fill
// in. ID, Invoke and, if empty, Phase are set here.
//
// A client that invokes at the very instant at which its previous operation
// returned is recorded a nanosecond later: instants alone must tell the order,
// and the operation's effect cannot come before its request has crossed the
// network.
//
// A client is sequential. The process of one that was killed has left an operation under
// way, of which nobody will ever know the outcome: its next process is another client
// here, of another number. Begin panics if a client has an operation under way.
func (r *Recorder) Begin(op Op, now int64) *Op {
	if open, busy := r.open[op.Client]; busy {
		panic(fmt.Sprintf("history: client %d begins an operation while its operation %d is under way; "+
			"if its process was killed in between, the next one has another number", op.Client, open))
	}
	if last, ok := r.returns[op.Client]; ok && now <= last {
		now = last + 1
	}
	op.ID = r.nextID
	op.Invoke = now
	if op.Phase == "" {
		op.Phase = r.phase
	}
	r.nextID++
	p := &op
	r.pending[op.ID] = p
	r.open[op.Client] = op.ID
	return p
}

// End records a return. The operation must not be changed afterwards.
func (r *Recorder) End(op *Op, outcome Outcome, now int64) {
	if r.pending[op.ID] != op {
		panic(fmt.Sprintf("history: operation %d ends that is not under way", op.ID))
	}
	delete(r.pending, op.ID)
	delete(r.open, op.Client)
	op.Outcome = outcome
	op.Return = max(now, op.Invoke)
	// An operation recorded a nanosecond late may return before another one
	// that ended at the true instant: keep the order of return.
	if n := len(r.h.Ops); n > 0 {
		op.Return = max(op.Return, r.h.Ops[n-1].Return)
	}
	r.returns[op.Client] = op.Return
	if r.observe != nil {
		r.observe(op)
	}
	r.h.Ops = append(r.h.Ops, *op)
	if r.out != nil && r.err == nil {
		r.err = r.out.Op(op)
	}
}

// Drop takes back an invocation that never left the client.
func (r *Recorder) Drop(op *Op) {
	delete(r.pending, op.ID)
	delete(r.open, op.Client)
}

// Pending returns how many operations are under way.
func (r *Recorder) Pending() int { return len(r.pending) }

// Len returns how many operations have ended.
func (r *Recorder) Len() int { return len(r.h.Ops) }

// Err returns the first failure of the stream.
func (r *Recorder) Err() error { return r.err }

// History returns the record so far. The slice is the recorder's own.
func (r *Recorder) History() *History { return &r.h }

// AsOf returns what Close would, and leaves the record as it is: what is under way
// has an unknown outcome, for its client is gone, say.
func (r *Recorder) AsOf(now int64) *History {
	h := r.h
	h.Ops = slices.Clone(h.Ops)
	for _, id := range slices.Sorted(maps.Keys(r.pending)) {
		op := *r.pending[id]
		op.Outcome, op.Return = Unknown, max(now, op.Invoke)
		h.Ops = append(h.Ops, op)
	}
	return &h
}

// Close ends what is under way, writes the end line and returns the record and
// the first failure of the stream.
func (r *Recorder) Close(now int64) (*History, error) {
	for _, id := range slices.Sorted(maps.Keys(r.pending)) {
		op := r.pending[id]
		if op.Error == "" {
			op.Error = "under way at the end of the run"
		}
		r.End(op, Unknown, now)
	}
	if r.out != nil {
		if r.err == nil {
			r.err = r.out.Close()
		}
		r.out = nil
	}
	return &r.h, r.err
}
