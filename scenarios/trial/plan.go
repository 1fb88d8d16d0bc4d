package trial

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"simrun/faults"
	"simrun/sim/bom"
)

// Duration is a time.Duration that is text in plans: "1.5s".
type Duration = faults.Duration

// Units of Duration.
const (
	Millisecond = Duration(time.Millisecond)
	Second      = Duration(time.Second)
)

// Version is the format of plans that this program writes and reads.
const Version = "1"

// Plan is everything that decides a run besides the program. It prints as TOML that can be
// read and edited, and System.Parse reads that.
type Plan struct {
	// System is the name of the system.
	System string
	// Seed decides everything that the plan leaves to chance.
	Seed uint64
	// Clients is the number of clients, named client1, ...
	Clients int
	// Operations is the most that all clients together begin in the storm; zero sets no
	// limit but the phases.
	Operations uint64
	// Phases are the lengths of the phases.
	Phases Phases
	// Events is the most events that the loop runs.
	Events uint64
	// Params are the system's own parameters.
	Params map[string]int
	// Faults is the schedule; instants count from the start of the storm.
	Faults []faults.Fault
}

// Phases are how long the phases last, in virtual time.
type Phases struct {
	// Boot is the most that it takes until every client has succeeded once; the storm
	// begins then. Zero means 10s.
	Boot Duration `toml:"boot"`
	// Storm is how long the clients work under faults. Zero means 5s.
	Storm Duration `toml:"storm"`
	// Calm is how long they go on when everything is undone: each has to succeed in it.
	// Zero means 5s.
	Calm Duration `toml:"calm"`
	// Audit is how long the system has to come to rest, without clients, before judges look at
	// it. Zero means 1s.
	Audit Duration `toml:"audit"`
}

func (p Phases) withDefaults() Phases {
	return Phases{
		Boot: orDefault(p.Boot, 10*Second), Storm: orDefault(p.Storm, 5*Second),
		Calm: orDefault(p.Calm, 5*Second), Audit: orDefault(p.Audit, Second),
	}
}

// document is the text form of a plan, in the order in which it is printed.
type document struct {
	Version    string         `toml:"version"`
	System     string         `toml:"system"`
	Seed       faults.Seed    `toml:"seed"`
	Clients    int            `toml:"clients"`
	Operations uint64         `toml:"operations"`
	Events     uint64         `toml:"events"`
	Phases     Phases         `toml:"phases"`
	Params     map[string]int `toml:"params"`
	Schedule   schedule       `toml:"schedule"`
}

type schedule struct {
	Faults []string `toml:"faults,multiline"`
}

// String prints the plan as System.Parse reads it.
func (p *Plan) String() string {
	d := document{
		Version: Version, System: p.System, Seed: faults.Seed(p.Seed), Clients: p.Clients, Operations: p.Operations, Events: p.Events,
		Phases: p.Phases, Params: p.Params, Schedule: schedule{Faults: make([]string, len(p.Faults))},
	}
	for i, f := range p.Faults {
		d.Schedule.Faults[i] = f.String()
	}
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).EnableMarshalerInterface().Encode(d); err != nil {
		return "# not printable: " + err.Error() + "\n"
	}
	return b.String()
}

// parse reads a plan of any system.
func parse(text string) (*Plan, error) {
	var d document
	err := toml.NewDecoder(strings.NewReader(bom.Skip(text))).DisallowUnknownFields().Decode(&d)
	var wrong *toml.DecodeError
	var unknown *toml.StrictMissingError
	switch {
	case errors.As(err, &unknown):
		line, _ := unknown.Errors[0].Position()
		return nil, fmt.Errorf("line %d: %s is no field of a plan", line, strings.Join(unknown.Errors[0].Key(), "."))
	case errors.As(err, &wrong):
		line, column := wrong.Position()
		return nil, fmt.Errorf("line %d, column %d: %w", line, column, err)
	case err != nil:
		return nil, err
	case d.Version != Version:
		return nil, fmt.Errorf("version is %q, and this program reads %q only", d.Version, Version)
	}
	p := &Plan{
		System: d.System, Seed: uint64(d.Seed), Clients: d.Clients, Operations: d.Operations, Events: d.Events,
		Phases: d.Phases, Params: d.Params, Faults: make([]faults.Fault, len(d.Schedule.Faults)),
	}
	if p.Params == nil {
		p.Params = map[string]int{}
	}
	for i, line := range d.Schedule.Faults {
		if p.Faults[i], err = faults.Parse(line); err != nil {
			return nil, fmt.Errorf("schedule.faults[%d], %q: %w", i, line, err)
		}
	}
	return p, nil
}

// validate reports what is wrong with a plan of any system.
func (p *Plan) validate() error {
	switch {
	case p.Clients < 1 || p.Clients > clientsMax:
		return fmt.Errorf("clients is %d: write 1 to %d", p.Clients, clientsMax)
	case p.Operations > math.MaxInt64:
		return fmt.Errorf("operations is %d: write 0 to %d", p.Operations, uint64(math.MaxInt64))
	case p.Events == 0 || p.Events > math.MaxInt64:
		return fmt.Errorf("events is %d: write 1 to %d", p.Events, uint64(math.MaxInt64))
	}
	for _, phase := range []struct {
		name string
		d    Duration
	}{{"boot", p.Phases.Boot}, {"storm", p.Phases.Storm}, {"calm", p.Phases.Calm}, {"audit", p.Phases.Audit}} {
		if phase.d <= 0 || time.Duration(phase.d) > faults.TimeMax {
			return fmt.Errorf("phases.%s is %v: write more than nothing, up to %v", phase.name, phase.d, faults.TimeMax)
		}
	}
	for i, f := range p.Faults {
		if err := f.Validate(); err != nil {
			return fmt.Errorf("schedule.faults[%d], %q: %w", i, f.String(), err)
		}
	}
	return nil
}

// ClientNames returns the names of the clients' nodes.
func (p *Plan) ClientNames() []string { return Names("client", p.Clients) }

// Names returns the names of n nodes of a kind: node1, node2, ...
func Names(kind string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", kind, i+1)
	}
	return list
}

func (p *Plan) paramNames() []string { return slices.Sorted(maps.Keys(p.Params)) }

// Clone returns a copy that shares nothing with the plan.
func (p *Plan) Clone() *Plan {
	q := *p
	q.Params = maps.Clone(p.Params)
	q.Faults = slices.Clone(p.Faults)
	for i := range q.Faults {
		f := &q.Faults[i]
		f.Targets, f.Peers = slices.Clone(f.Targets), slices.Clone(f.Peers)
	}
	return &q
}
