package plan

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"simrun/faults"
	"simrun/sim/bom"
)

// document is the text form of a plan: the sections in the order in which they
// are printed. It differs from Plan in that the faults come last, being the
// longest, and in that a seed may be larger than an integer of TOML.
type document struct {
	Version    string      `toml:"version"`
	Scenario   string      `toml:"scenario"`
	Seed       faults.Seed `toml:"seed"`
	Cluster    Cluster     `toml:"cluster"`
	Workload   Workload    `toml:"workload"`
	Phases     Phases      `toml:"phases"`
	Knobs      Knobs       `toml:"knobs"`
	Scheduling Scheduling  `toml:"scheduling"`
	Network    Network     `toml:"network"`
	Disk       Disk        `toml:"disk"`
	Clocks     Clocks      `toml:"clocks"`
	Limits     Limits      `toml:"limits"`
	Schedule   schedule    `toml:"schedule"`
}

type schedule struct {
	Faults []string `toml:"faults,multiline"`
}

// String prints the plan as Parse reads it. The plan must be valid.
func (p Plan) String() string {
	d := document{
		Version: p.Version, Scenario: p.Scenario, Seed: faults.Seed(p.Seed),
		Cluster: p.Cluster, Workload: p.Workload, Phases: p.Phases, Knobs: p.Knobs, Scheduling: p.Scheduling,
		Network: p.Network, Disk: p.Disk, Clocks: p.Clocks, Limits: p.Limits,
		Schedule: schedule{Faults: make([]string, len(p.Faults))},
	}
	if d.Cluster.SplitKeys == nil {
		d.Cluster.SplitKeys = []string{}
	}
	if d.Workload.Params == nil {
		d.Workload.Params = map[string]int{}
	}
	for i, f := range p.Faults {
		d.Schedule.Faults[i] = f.String()
	}
	var b bytes.Buffer
	encoder := toml.NewEncoder(&b).EnableMarshalerInterface()
	if err := encoder.Encode(d); err != nil {
		return "# not printable: " + err.Error() + "\n"
	}
	return b.String()
}

// Parse reads a plan and validates it. file is its name in errors. The error is
// an *Error.
func Parse(file, text string) (Plan, error) {
	p, err := parse(bom.Skip(text))
	if err != nil {
		err.File = file
		return Plan{}, err
	}
	return p, nil
}

func parse(text string) (Plan, *Error) {
	if err := checkVersion(text); err != nil {
		return Plan{}, err
	}
	at := positionsOf(text)
	if err := at.untyped(documentType()); err != nil {
		return Plan{}, err
	}
	var d document
	if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&d); err != nil {
		return Plan{}, decodeError(err)
	}
	if err := at.missing(); err != nil {
		return Plan{}, err
	}
	p := Plan{
		Version: d.Version, Scenario: d.Scenario, Seed: uint64(d.Seed),
		Cluster: d.Cluster, Workload: d.Workload, Phases: d.Phases, Knobs: d.Knobs, Scheduling: d.Scheduling,
		Network: d.Network, Disk: d.Disk, Clocks: d.Clocks, Limits: d.Limits,
		Faults: make([]faults.Fault, len(d.Schedule.Faults)),
	}
	if p.Cluster.SplitKeys == nil {
		p.Cluster.SplitKeys = []string{}
	}
	if p.Workload.Params == nil {
		p.Workload.Params = map[string]int{}
	}
	for i, line := range d.Schedule.Faults {
		f, err := faults.Parse(line)
		if err != nil {
			return Plan{}, at.faultError(faultField(i), err)
		}
		p.Faults[i] = f
	}
	if err := p.validate(); err != nil {
		return Plan{}, at.locate(err)
	}
	return p, nil
}

// checkVersion comes before everything else: about a plan of another version
// one thing has to be said, not that its fields are unknown.
func checkVersion(text string) *Error {
	var head struct {
		Version any `toml:"version"`
	}
	if err := toml.Unmarshal([]byte(text), &head); err != nil {
		return decodeError(err)
	}
	if head.Version == Version {
		return nil
	}
	message := fmt.Sprintf("is %#v, and this program reads %q only: take the program that wrote the plan, "+
		"or generate the plan anew from its scenario and seed", head.Version, Version)
	if head.Version == nil {
		message = fmt.Sprintf("is missing, so this is not a plan: write version = %q", Version)
	}
	return positionsOf(text).locate(&Error{Field: "version", Message: message})
}

func faultField(i int) string { return fmt.Sprintf("schedule.faults[%d]", i) }

// decodeError makes an Error of what the TOML decoder says.
func decodeError(err error) *Error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := &unknown.Errors[0]
		e := &Error{Field: strings.Join(first.Key(), "."), Message: "is no field of a plan: " + KnownFields(documentType(), first.Key())}
		e.Line, e.Column = first.Position()
		return e
	}
	var wrong *toml.DecodeError
	if !errors.As(err, &wrong) {
		return &Error{Line: 1, Column: 1, Message: "not a plan: " + trimmed(err)}
	}
	e := &Error{Field: strings.Join(wrong.Key(), ".")}
	e.Line, e.Column = wrong.Position()
	switch text, remedy := trimmed(wrong), expectedValue(fieldType(documentType(), wrong.Key())); {
	case e.Field == "":
		e.Message = "invalid TOML: " + text
	case strings.Contains(text, "cannot decode") && remedy != "":
		e.Message = "has a value of another type: write " + remedy
	case strings.Contains(text, "cannot be stored") && remedy != "":
		e.Message = "is out of range: write " + remedy
	case strings.Contains(text, "already defined"):
		e.Message = "stands twice: keep one"
	default:
		e.Message = ": " + text
	}
	return e
}

func trimmed(err error) string { return strings.TrimPrefix(err.Error(), "toml: ") }
