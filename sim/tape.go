package sim

import (
	"fmt"
	"time"
)

// Tape is the trace of a run, record by record, for another run to be compared with.
//
//	var tape sim.Tape
//	first.Trace.Watch(tape.Record)
//	...
//	c := tape.Compare()
//	second.Trace.Watch(c.Record)
//	...
//	c.Difference()
type Tape struct{ records []Record }

// Record keeps a record.
func (t *Tape) Record(r Record, _ string) { t.records = append(t.records, r) }

// Compare begins the comparison with another run.
func (t *Tape) Compare() *Comparison { return &Comparison{tape: t} }

// Comparison is the comparison of a run with a tape.
type Comparison struct {
	tape       *Tape
	n          int // records of the run
	difference string
}

// Record takes a record of the run.
func (c *Comparison) Record(r Record, subject string) {
	switch taped := c.tape.records; {
	case c.difference != "":
	case c.n >= len(taped):
		c.difference = fmt.Sprintf("event %d: only the second run has it: %s", c.n, describe(r, subject))
	case taped[c.n] != r:
		c.difference = fmt.Sprintf("event %d: first %s, then %s", c.n, describe(taped[c.n], ""), describe(r, subject))
	}
	c.n++
}

// Difference describes, at the end of the run, the first record that differs from the
// tape; "" if none does.
func (c *Comparison) Difference() string {
	if taped := c.tape.records; c.difference == "" && c.n < len(taped) {
		return fmt.Sprintf("event %d: only the first run has it: %s", c.n, describe(taped[c.n], ""))
	}
	return c.difference
}

func describe(r Record, subject string) string {
	return fmt.Sprintf("%v at %v on node %d (%016x) %s", r.Kind, time.Duration(r.Time), r.Node, r.Arg, subject)
}
