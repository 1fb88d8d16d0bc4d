package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Stage is a step in the life of a scheduled fault.
type Stage uint8

// The stages. The zero value is none.
const (
	_        Stage = iota
	Began          // in force, if Event.Effect, or armed
	Happened       // what was armed or asked for has taken effect
	Ended          // undone, at its end or by the calm; Event.Effect says whether it hit anything
	Expired        // what was armed did not happen in time, or not before the calm
	Skipped        // the calm came first
	stageEnd       // not a stage
)

func (s Stage) String() string {
	switch s {
	case Began:
		return "began"
	case Happened:
		return "happened"
	case Ended:
		return "ended"
	case Expired:
		return "expired"
	case Skipped:
		return "skipped"
	case stageEnd:
	}
	return fmt.Sprintf("Stage(%d)", uint8(s))
}

// Event is one step in the life of a scheduled fault, for trace and report.
type Event struct {
	At    int64 // virtual ns since the start of the loop
	Index int   // of the fault in the schedule
	Fault Fault
	Stage Stage
	// Targets and Peers are the nodes that were meant, when Stage is Began.
	// With Happened and Ended, Targets is the one node that it concerns; it is
	// empty where the whole fault is meant.
	Targets, Peers []string
	// Effect reports, when Stage is Began, whether something is in force from
	// then on; when it is Ended, whether that has met anything: a message on the
	// links, an operation of the disk. With Happened it is true.
	Effect bool
	// Armed reports, when Stage is Began, whether something waits to happen.
	Armed bool
}

// Meant returns Targets and Peers if the text of the fault does not name them all, as
// where a target is whoever leads a region.
func (e Event) Meant() []string {
	nodes := slices.Concat(e.Targets, e.Peers)
	text := e.Fault.String()
	if !slices.ContainsFunc(nodes, func(node string) bool { return !strings.Contains(text, node) }) {
		return nil
	}
	return nodes
}

// String is the event as a line of text.
func (e Event) String() string { return seconds(time.Duration(e.At)) + " " + e.Words() }

// Words is the event without its instant.
func (e Event) Words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "fault %d %v: %v", e.Index, e.Stage, e.Fault)
	if len(e.Targets) > 0 {
		b.WriteString(" [" + strings.Join(e.Targets, " "))
		if len(e.Peers) > 0 {
			b.WriteString(" / " + strings.Join(e.Peers, " "))
		}
		b.WriteString("]")
	}
	switch {
	case e.Effect:
	case e.Stage == Ended:
		b.WriteString(" (hit nothing)")
	case e.Stage != Began:
	case e.Armed:
		b.WriteString(" (armed)")
	default:
		b.WriteString(" (no effect)")
	}
	return b.String()
}

// Count says how often faults of one kind were applied.
type Count struct {
	Kind Kind
	// Scheduled is how many stand in the schedule.
	Scheduled int
	// Armed is how many of them came up.
	Armed int
	// Effective is how many of those took effect: a node was up to be hit, a
	// message met the links, an operation the disk.
	Effective int
}
