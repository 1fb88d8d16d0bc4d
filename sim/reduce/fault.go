package reduce

import (
	"slices"
	"time"

	"simrun/faults"
)

// SimplerFaults makes the faults simpler that are left, one after the other. No step of
// these takes a fault away, so that their numbers stay.
func (k Kind[P]) SimplerFaults() Step[P] {
	return Func[P](func(s *Search[P]) error {
		for i := range *k.Faults(s.Best) {
			fault := func(p P) *faults.Fault { return &(*k.Faults(p))[i] }
			for _, step := range []Step[P]{at(fault), targets(fault), degradation(fault), shorter(fault)} {
				if err := step.Take(s); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// at lets a crash happen at its instant, not at a later operation of the disk.
func at[P any](fault func(p P) *faults.Fault) Step[P] {
	return Func[P](func(s *Search[P]) error {
		f := fault(s.Best)
		var changes []func(p P)
		if f.Op > 0 {
			changes = append(changes, func(p P) { fault(p).Op, fault(p).Within = 0, 0 })
		}
		if f.Within > 0 {
			changes = append(changes, func(p P) { fault(p).Within = 0 })
		}
		_, err := s.Try(changes)
		return err
	})
}

// targets takes away nodes of a fault that has several, on either side.
func targets[P any](fault func(p P) *faults.Fault) Step[P] {
	return Func[P](func(s *Search[P]) error {
		for _, side := range []func(f *faults.Fault) *[]faults.Target{
			func(f *faults.Fault) *[]faults.Target { return &f.Targets },
			func(f *faults.Fault) *[]faults.Target { return &f.Peers },
		} {
			targets := func(p P) *[]faults.Target { return side(fault(p)) }
			if len(*targets(s.Best)) < 2 {
				continue // one without any would be of all links
			}
			fewer := List[P]{
				Count: func(p P) int { return len(*targets(p)) },
				Without: func(p P, from, to int) {
					if t := targets(p); to-from < len(*t) {
						*t = slices.Delete(*t, from, to)
					}
				},
			}
			if err := fewer.Take(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// degradation takes away what a fault of links does to them; one thing has to stay.
func degradation[P any](fault func(p P) *faults.Fault) Step[P] {
	return Func[P](func(s *Search[P]) error {
		d := fault(s.Best).Degradation
		var changes []func(p P)
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
				changes = append(changes, func(p P) { c.clear(&fault(p).Degradation) })
			}
		}
		for len(changes) > 0 {
			found, err := s.Try(changes)
			if err != nil || found < 0 {
				return err
			}
			changes = slices.Delete(changes, 0, found+1)
		}
		return nil
	})
}

// shorter lets a fault that ends by itself end earlier.
func shorter[P any](fault func(p P) *faults.Fault) Step[P] {
	return Number[P]{
		Least: int64(time.Millisecond), Grain: grainOf, Round: pleasant,
		Get: func(p P) int64 { return int64(fault(p).For) },
		Set: func(p P, n int64) { fault(p).For = time.Duration(n) },
	}
}
