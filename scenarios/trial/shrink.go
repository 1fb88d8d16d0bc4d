package trial

import (
	"slices"

	"simrun/faults"
	"simrun/sim/reduce"
)

// Shrink looks for the smallest plan that fails as this one does: with the same signature
// (reports.Result.Signature). tries bounds the plans that are run; zero is no bound.
func (s *System) Shrink(p *Plan, signature string, tries int) (reduce.Result[*Plan], error) {
	fails := func(p *Plan) (bool, error) {
		run, err := s.Run(p, Options{})
		if run == nil {
			return false, nil // a fault names what is no longer there
		}
		return run.Result.Signature() == signature, err
	}
	return s.kind().Reduce(p, reduce.Options[*Plan]{First: reduce.OneByOne(fails), Tries: tries})
}

// kind is what the plans of the system are made of.
func (s *System) kind() reduce.Kind[*Plan] {
	k := reduce.Kind[*Plan]{
		Clone:  (*Plan).Clone,
		Text:   (*Plan).String,
		Valid:  s.Check,
		Faults: func(p *Plan) *[]faults.Fault { return &p.Faults },
		Storm:  func(p *Plan) *faults.Duration { return &p.Phases.Storm },
	}
	k.Steps = slices.Concat([]reduce.Step[*Plan]{bound()}, k.Schedule(), []reduce.Step[*Plan]{operations(), clients(), k.SimplerFaults()})
	for _, param := range s.Params {
		k.Steps = append(k.Steps, reduce.Number[*Plan]{
			Least: int64(param.Least),
			Get:   func(p *Plan) int64 { return int64(p.Params[param.Name]) },
			Set:   func(p *Plan, n int64) { p.Params[param.Name] = int(n) },
		})
	}
	return k
}

// guess is how many operations a plan without a bound is taken to begin in its storm.
func guess(p *Plan) int64 { return 500 * (int64(p.Phases.Storm/Second) + 1) }

// bound gives a plan without one a bound of its operations, which changes little in the storm:
// but for it, the operations of the calm could take the place of those in the storm, and the
// storm would go before them.
func bound() reduce.Step[*Plan] {
	return reduce.Func[*Plan](func(s *reduce.Search[*Plan]) error {
		if s.Best.Operations > 0 {
			return nil
		}
		_, err := s.Try([]func(p *Plan){func(p *Plan) { p.Operations = uint64(guess(p)) }})
		return err
	})
}

func operations() reduce.Step[*Plan] {
	return reduce.Number[*Plan]{
		Least: 1,
		Get: func(p *Plan) int64 {
			if p.Operations > 0 {
				return int64(p.Operations) // validated
			}
			return guess(p)
		},
		Set: func(p *Plan, n int64) { p.Operations = uint64(n) },
	}
}

// clients takes away clients, the last ones, with the faults that name them.
func clients() reduce.Step[*Plan] {
	return reduce.Number[*Plan]{
		Least: 1,
		Get:   func(p *Plan) int64 { return int64(p.Clients) },
		Set:   func(p *Plan, n int64) { p.KeepClients(int(n)) },
	}
}

// KeepClients leaves a plan its first n clients, and takes away the faults that name
// another one.
func (p *Plan) KeepClients(n int) {
	gone := map[string]bool{}
	for _, name := range p.ClientNames()[n:] {
		gone[name] = true
	}
	p.Clients = n
	p.Faults = reduce.Keep(p.Faults, func(_ int, f faults.Fault) bool {
		return !slices.ContainsFunc(slices.Concat(f.Targets, f.Peers), func(target faults.Target) bool {
			return target.Kind == faults.TargetNode && gone[target.Name]
		})
	})
}
