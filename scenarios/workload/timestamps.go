package workload

import (
	"strconv"

	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// timestamps asks for nothing but timestamps. Parameters: burst, the most that a
// client asks for in one step, one after the other.
type timestamps struct {
	burst int
}

func newTimestamps(cfg Config) *timestamps { return &timestamps{burst: cfg.param("burst")} }

// Header implements Workload.
func (*timestamps) Header(*history.Header) {}

// Setup implements Workload.
func (w *timestamps) Setup(t env.Task, s *Session) error { return w.ask(t, s) }

// Step implements Workload.
func (w *timestamps) Step(t env.Task, s *Session, r *stream.Stream) {
	for range 1 + r.IntN(w.burst) {
		_ = w.ask(t, s)
	}
}

// Probe implements Workload: nothing is stored.
func (w *timestamps) Probe(t env.Task, s *Session) error { return w.ask(t, s) }

// Audit implements Workload.
func (w *timestamps) Audit(t env.Task, s *Session) error { return w.ask(t, s) }

func (*timestamps) ask(t env.Task, s *Session) error {
	op := s.begin(history.Op{Kind: history.Timestamp})
	ts, err := s.DB.Timestamp(t)
	if err == nil {
		text := strconv.FormatUint(ts, 10)
		op.Value = &text
	}
	return s.end(op, err)
}
