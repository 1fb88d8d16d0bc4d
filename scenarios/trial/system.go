package trial

import (
	"fmt"
	"slices"
	"time"

	"simrun/faults"
	"simrun/nodes/invariant"
	"simrun/sim"
	"simrun/sim/history"
)

// System is a system under test: what its plans are like, and what they are plans of.
// Only Name and Build are needed.
type System struct {
	// Name is what plans and reports call it: letters, digits, dots, _ and -.
	Name string
	// Build adds the nodes to the world of a run, and tells what else there is to know of
	// them; see Trial.
	Build func(t *Trial)

	// World is the configuration of every world; seed and log are those of the run. If it
	// has an OnExit, that says what becomes of a process which has ended itself. Otherwise it
	// is started again after Restart, and if no fault of its disk explains why it has
	// ended, that is a violation.
	World sim.Config
	// Restart is how long after a process has ended itself its node starts the next one.
	// Zero means 200ms.
	Restart time.Duration
	// Header is what histories promise to the checkers; scenario and seed are set.
	Header history.Header

	// Clients is how many clients plans have. Zero means 3.
	Clients int
	// Operations is how many operations these begin in a storm, all together. Zero: as
	// many as there is time for.
	Operations uint64
	// Phases are how long the phases last; see there for what zero means.
	Phases Phases
	// Events is the most events of a run, which without such an end might never come to
	// one. Zero means 10,000,000.
	Events uint64
	// Params are the parameters of plans.
	Params []Param
	// Faults is the range from which the faults of a plan are drawn; length and clients are
	// those of the plan. Without kinds, there are none.
	Faults faults.StormConfig
	// Draw, if set, changes a plan that was drawn, by streams of its own.
	Draw func(p *Plan)
}

// Param is a parameter of the plans of a system: a size, or a switch that leaves out a
// step of the protocol, to see that it is found.
type Param struct {
	Name  string
	Usual int
	// Least and Most bound it; a shrink looks for the least that fails.
	Least, Most int
}

// With returns the system with another usual value of a parameter: one that leaves a step
// out, say.
func (s *System) With(name string, usual int) *System {
	other := *s
	other.Params = slices.Clone(s.Params)
	i := slices.IndexFunc(other.Params, func(param Param) bool { return param.Name == name })
	invariant.Check(i >= 0, "trial: %s has no parameter %q", s.Name, name)
	other.Params[i].Usual = usual
	return &other
}

// Defaults of a System.
const (
	clientsDefault = 3
	eventsDefault  = 10_000_000
	restartDefault = 200 * time.Millisecond
	clientsMax     = 1000
)

// Plan draws the plan of a seed.
func (s *System) Plan(seed uint64) *Plan {
	p := &Plan{
		System: s.Name, Seed: seed, Operations: s.Operations, Phases: s.Phases.withDefaults(),
		Clients: orDefault(s.Clients, clientsDefault), Events: orDefault(s.Events, eventsDefault),
		Params: map[string]int{},
	}
	for _, param := range s.Params {
		p.Params[param.Name] = param.Usual
	}
	storm := s.Faults
	storm.Length, storm.Clients = p.Phases.Storm, p.ClientNames()
	p.Faults = faults.Storm(seed, storm)
	if s.Draw != nil {
		s.Draw(p)
	}
	return p
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Check reports what is wrong with a plan, but for the names in its faults: which nodes
// there are is known when it is run.
func (s *System) Check(p *Plan) error {
	if p.System != s.Name {
		return fmt.Errorf("system is %q, and this is %q", p.System, s.Name)
	}
	if err := p.validate(); err != nil {
		return err
	}
	known := func(name string) bool {
		return slices.ContainsFunc(s.Params, func(param Param) bool { return param.Name == name })
	}
	for _, name := range p.paramNames() {
		if !known(name) {
			return fmt.Errorf("params.%s is no parameter of %s", name, s.Name)
		}
	}
	for _, param := range s.Params {
		if n, there := p.Params[param.Name]; !there || n < param.Least || n > param.Most {
			return fmt.Errorf("params.%s is %d: write %d to %d", param.Name, n, param.Least, param.Most)
		}
	}
	return nil
}

// Parse reads a plan of the system, as Plan.String prints it. file is its name in errors.
func (s *System) Parse(file, text string) (*Plan, error) {
	p, err := parse(text)
	if err == nil {
		err = s.Check(p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}
