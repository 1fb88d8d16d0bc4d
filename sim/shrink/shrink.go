// Package shrink looks for the smallest plan of the database that still fails in the
// same way: few faults, few clients, few operations, a short storm, settings as usual.
//
//	result, err := shrink.Shrink(p, shrink.Options{First: reduce.OneByOne(fails)})
//	result.Plan
//
// How it looks is told by package reduce, which does so for plans of any kind. This one
// knows what a plan.Plan is made of.
//
// No goals: lengths of boot, calm and audit, and the limits, which stay as they are: with
// less of them every plan fails, at being in time.
package shrink

import (
	"simrun/faults"
	"simrun/sim/plan"
	"simrun/sim/reduce"
)

// Options say how to shrink.
type Options struct {
	// First returns the index of the first of some plans that fails in the same way, -1
	// if none does. All are valid, and it keeps none of them for itself. An error ends
	// the shrink.
	First func(candidates []*plan.Plan) (int, error)
	// Valid tells what is wrong with a plan, which is not tried then; nil is
	// plan.Validate.
	Valid func(p *plan.Plan) error
	// Tries bounds the candidates that are tried, those aside that First has looked at
	// ahead of need; zero is no bound.
	Tries int
	// Smaller, if set, is told each plan that takes the place of the one before.
	Smaller func(p *plan.Plan)
}

// Result is what a shrink has come to.
type Result = reduce.Result[*plan.Plan]

// Shrink returns the smallest plan that it finds. With an error it is the smallest
// until then. The plan that is given stays as it is; it has to fail, and one that is not
// valid is refused.
func Shrink(p *plan.Plan, o Options) (Result, error) {
	k := kind()
	if o.Valid != nil {
		k.Valid = o.Valid
	}
	return k.Reduce(p, reduce.Options[*plan.Plan]{First: o.First, Tries: o.Tries, Smaller: o.Smaller})
}

// kind is what the database's plans are made of.
func kind() reduce.Kind[*plan.Plan] {
	k := parts()
	k.Steps = append(
		k.Schedule(),
		operations(),
		clients(slower),
		clients(Clients),
		reduce.Func[*plan.Plan](cluster),
		splitKeys(),
		k.SimplerFaults(),
		keys(),
		params(),
		settings(),
	)
	return k
}

// parts is kind without its steps.
func parts() reduce.Kind[*plan.Plan] {
	return reduce.Kind[*plan.Plan]{
		Clone:  (*plan.Plan).Clone,
		Text:   func(p *plan.Plan) string { return p.String() },
		Valid:  (*plan.Plan).Validate,
		Faults: func(p *plan.Plan) *[]faults.Fault { return &p.Faults },
		Storm:  func(p *plan.Plan) *faults.Duration { return &p.Phases.Storm },
	}
}
