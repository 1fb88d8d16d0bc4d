package placement

import "time"

// OperatorProgress is how far an operator is.
type OperatorProgress struct {
	Kind OperatorKind
	// Regions are those that it holds: the one that it changes, and of a merge the
	// one that absorbs it.
	Regions []uint64
	// Step is what is to be done next, the Number-th of Steps, and has been so for
	// Waited.
	Step          string
	Number, Steps int
	Waited        time.Duration
}

// Progress tells how far the operators are that the leader has under way, in the
// order of regions; nil unless this member leads.
func (s *Server) Progress() (list []OperatorProgress) {
	if s.leadership == nil || !s.leadership.ready {
		return nil
	}
	now := s.env.Clock.Monotonic()
	for _, op := range s.leadership.operators.all() {
		list = append(list, OperatorProgress{
			Kind: op.kind, Regions: op.regions(), Step: op.steps[op.current].String(),
			Number: op.current + 1, Steps: len(op.steps), Waited: now - op.since,
		})
	}
	return list
}
