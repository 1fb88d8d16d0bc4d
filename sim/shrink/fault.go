package shrink

import (
	"slices"
	"time"

	"simrun/faults"
	"simrun/sim/plan"
)

// everyFault makes the faults simpler that are left, one after the other. No step of
// these takes a fault away, so that their numbers stay.
func (s *shrinker) everyFault() error {
	for i := range len(s.best.Faults) {
		for _, step := range []func(i int) error{s.at, s.targets, s.degradation, s.shorter} {
			if err := step(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// at lets a crash happen at its instant, not at a later operation of the disk.
func (s *shrinker) at(i int) error {
	f := s.best.Faults[i]
	var changes []func(p *plan.Plan)
	if f.Op > 0 {
		changes = append(changes, func(p *plan.Plan) { p.Faults[i].Op, p.Faults[i].Within = 0, 0 })
	}
	if f.Within > 0 {
		changes = append(changes, func(p *plan.Plan) { p.Faults[i].Within = 0 })
	}
	_, err := s.first(changes)
	return err
}

// targets takes away nodes of a fault that has several, on either side.
func (s *shrinker) targets(i int) error {
	for _, side := range []func(f *faults.Fault) *[]faults.Target{
		func(f *faults.Fault) *[]faults.Target { return &f.Targets },
		func(f *faults.Fault) *[]faults.Target { return &f.Peers },
	} {
		targets := func(p *plan.Plan) *[]faults.Target { return side(&p.Faults[i]) }
		if len(*targets(s.best)) < 2 {
			continue // one without any would be of all links
		}
		err := s.list(func(p *plan.Plan) int { return len(*targets(p)) }, func(p *plan.Plan, from, to int) {
			if t := targets(p); to-from < len(*t) {
				*t = slices.Delete(*t, from, to)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// degradation takes away what a fault of links does to them; one thing has to stay.
func (s *shrinker) degradation(i int) error {
	d := s.best.Faults[i].Degradation
	var changes []func(p *plan.Plan)
	for _, c := range []struct {
		there bool
		clear func(d *faults.Degradation)
	}{
		{d.Loss > 0, func(d *faults.Degradation) { d.Loss = 0 }},
		{d.Duplicate > 0, func(d *faults.Degradation) { d.Duplicate = 0 }},
		{d.Reorder > 0, func(d *faults.Degradation) { d.Reorder = 0 }},
		{d.Latency > 0, func(d *faults.Degradation) { d.Latency = 0 }},
	} {
		if c.there {
			changes = append(changes, func(p *plan.Plan) { c.clear(&p.Faults[i].Degradation) })
		}
	}
	for len(changes) > 0 {
		found, err := s.first(changes)
		if err != nil || found < 0 {
			return err
		}
		changes = slices.Delete(changes, 0, found+1)
	}
	return nil
}

// shorter lets a fault that ends by itself end earlier.
func (s *shrinker) shorter(i int) error {
	length := func(p *plan.Plan) int64 { return int64(p.Faults[i].For) }
	return s.number(int64(time.Millisecond), grainOf(length(s.best)), length,
		func(p *plan.Plan, n int64) { p.Faults[i].For = time.Duration(n) }, pleasant)
}
