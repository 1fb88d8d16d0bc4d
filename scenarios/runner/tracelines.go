package runner

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"time"

	"simrun/sim"
)

// traceLines writes the trace for people: a line for every record, of which the
// trace hash has only the digest.
type traceLines struct {
	out      *bufio.Writer
	names    []string // of the nodes, by their addresses; the first is none
	from, to int64
}

// watchTrace lets whoever wants to see the trace see it.
func (r *run) watchTrace() {
	watch := r.opts.Watch
	if r.opts.Trace != nil {
		r.trace = newTraceLines(r.opts.Trace, r.world, r.opts.TraceFrom, r.opts.TraceTo)
		watch = r.trace.record
		if other := r.opts.Watch; other != nil {
			watch = func(record sim.Record, subject string) {
				other(record, subject)
				r.trace.record(record, subject)
			}
		}
	}
	if watch != nil {
		r.world.Trace.Watch(watch)
	}
}

func newTraceLines(w io.Writer, world *sim.World, from, to time.Duration) *traceLines {
	l := &traceLines{out: bufio.NewWriterSize(w, 1<<16), names: []string{"-"}, from: int64(from), to: int64(to)}
	if to == 0 {
		l.to = math.MaxInt64
	}
	for _, n := range world.Nodes() {
		l.names = append(l.names, n.Name())
	}
	return l
}

// record writes the line of a record: the instant, the node, the kind, and what it
// is about.
func (l *traceLines) record(r sim.Record, subject string) {
	if r.Time < l.from || r.Time >= l.to {
		return
	}
	fmt.Fprintf(l.out, "%3d.%09ds %-8s %-8v %s\n", r.Time/1e9, r.Time%1e9, l.names[r.Node], r.Kind, aboutRecord(r, subject))
}

// aboutRecord completes the words of kinds that say less than their record.
func aboutRecord(r sim.Record, subject string) string {
	switch r.Kind { //nolint:exhaustive // the others have words
	case sim.TraceTimer:
		return fmt.Sprintf("%d", r.Arg)
	case sim.TraceBarrier:
		return fmt.Sprintf("durable, %d in line", r.Arg)
	case sim.TraceProcess:
		switch r.Arg {
		case 0:
			return "ended"
		case 1:
			return "started"
		}
		return "ended itself: " + subject
	}
	return subject
}

// flush ends the lines: what ends when the world is closed is no part of the run.
func (l *traceLines) flush() {
	if l != nil {
		l.to = 0
		_ = l.out.Flush() // an error is the writer's to keep
	}
}
