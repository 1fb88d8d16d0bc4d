package sim

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"time"
)

// TraceLines writes a trace for people: a line for every record, of which the trace
// hash has only the digest.
//
//	lines := sim.NewTraceLines(w, world, 0, 0) // when all nodes are there
//	world.Trace.Watch(lines.Record)
//	...
//	lines.Close()                              // before the world is closed
type TraceLines struct {
	out      *bufio.Writer
	names    []string // of the nodes, by their addresses; the first is none
	from, to int64
}

// NewTraceLines returns the lines of a world from one instant of virtual time on and
// before another one; a to of zero is the end.
func NewTraceLines(w io.Writer, world *World, from, to time.Duration) *TraceLines {
	l := &TraceLines{out: bufio.NewWriterSize(w, 1<<16), names: []string{"-"}, from: int64(from), to: int64(to)}
	if to == 0 {
		l.to = math.MaxInt64
	}
	for _, n := range world.Nodes() {
		l.names = append(l.names, n.name)
	}
	return l
}

// WatchTrace shows the trace of a world to those who want to see it, each of whom may be
// nil: every record to watch, and lines of those from one instant on and before another,
// as NewTraceLines has them, to w. The lines are nil without w, and may be closed all the
// same.
func WatchTrace(world *World, watch func(r Record, subject string), w io.Writer, from, to time.Duration) *TraceLines {
	if w == nil {
		if watch != nil {
			world.Trace.Watch(watch)
		}
		return nil
	}
	lines := NewTraceLines(w, world, from, to)
	world.Trace.Watch(func(r Record, subject string) {
		if watch != nil {
			watch(r, subject)
		}
		lines.Record(r, subject)
	})
	return lines
}

// Record writes the line of a record: the instant, the node, the kind, and what it
// is about.
func (l *TraceLines) Record(r Record, subject string) {
	if r.Time < l.from || r.Time >= l.to {
		return
	}
	fmt.Fprintf(l.out, "%3d.%09ds %-8s %-8v %s\n", r.Time/1e9, r.Time%1e9, l.names[r.Node], r.Kind, aboutRecord(r, subject))
}

// aboutRecord completes the words of kinds that say less than their record.
func aboutRecord(r Record, subject string) string {
	switch r.Kind { //nolint:exhaustive // the others have words
	case TraceTimer:
		return fmt.Sprintf("%d", r.Arg)
	case TraceBarrier:
		return fmt.Sprintf("durable, %d in line", r.Arg)
	case TraceProcess:
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

// Close ends the lines: what ends when the world is closed is no part of the run. A nil
// one has none. An error of writing is the writer's to keep.
func (l *TraceLines) Close() {
	if l != nil {
		l.to = 0
		_ = l.out.Flush()
	}
}
