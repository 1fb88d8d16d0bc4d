// Package plan holds the plan of a run as a value: the cluster, its
// configuration knobs, the clients' work, the network and the disks, the
// schedule of faults, the lengths of the phases and the limits. A plan and the
// program that runs it decide everything that happens.
//
// A plan prints as TOML that a person can read and edit, and parses back to
// itself:
//
//	p := plan.Default()              // a valid plan; a scenario changes it
//	p.Seed = 7
//	text := p.String()
//	q, err := plan.Parse("plan.toml", text)
//
// Goals of the format: every field is printed, so that nothing about a run is
// implied by the version of the program; durations and faults are text; a
// mistake is reported with file, line and column, what is wrong and what to
// write instead. No goals: comments survive neither Parse nor String, and a
// plan of another format version is refused, not converted.
package plan
