package reduce

import (
	"cmp"
	"slices"
	"time"

	"simrun/faults"
)

// Schedule are the steps that every kind of plans has and that make runs short: the
// end of the storm is cut, faults are taken away, and what is left comes earlier.
func (k Kind[P]) Schedule() []Step[P] {
	return []Step[P]{k.shorterStorm(), k.fewerFaults(), k.earlier()}
}

// Keep returns the faults that are to be kept. Keep is asked once of each, in order.
func Keep(list []faults.Fault, keep func(i int, f faults.Fault) bool) []faults.Fault {
	kept := []faults.Fault{}
	for i, f := range list {
		if keep(i, f) {
			kept = append(kept, f)
		}
	}
	return kept
}

// EndStorm ends the storm of a plan after length, and takes away the faults that begin
// later.
func (k Kind[P]) EndStorm(p P, length time.Duration) {
	list := k.Faults(p)
	*list = Keep(*list, func(_ int, f faults.Fault) bool { return f.At <= length })
	*k.Storm(p) = faults.Duration(length)
}

// shorterStorm cuts the end of the storm.
func (k Kind[P]) shorterStorm() Step[P] {
	return Number[P]{
		Least: int64(time.Millisecond), Grain: grainOf, Round: pleasant,
		Get: func(p P) int64 { return int64(*k.Storm(p)) },
		Set: func(p P, n int64) { k.EndStorm(p, time.Duration(n)) },
	}
}

// grainOf is how exactly a time is worth knowing.
func grainOf(n int64) int64 { return max(n/32, int64(time.Millisecond)) }

// pleasant is a time with few digits.
func pleasant(n int64) int64 {
	unit := time.Millisecond
	for _, u := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond} {
		if n >= int64(10*u) {
			unit = u
		}
	}
	return n - n%int64(unit)
}

// fewerFaults takes away faults.
func (k Kind[P]) fewerFaults() Step[P] {
	return List[P]{
		Count: func(p P) int { return len(*k.Faults(p)) },
		Without: func(p P, from, to int) {
			list := k.Faults(p)
			*list = slices.Delete(*list, from, to)
		},
	}
}

// earlier lets the schedule begin earlier, as a whole, and the storm end as much
// earlier: what comes before its first fault may not matter.
func (k Kind[P]) earlier() Step[P] {
	begin := func(p P) int64 {
		list := *k.Faults(p)
		if len(list) == 0 {
			return 0
		}
		first := slices.MinFunc(list, func(a, b faults.Fault) int { return cmp.Compare(a.At, b.At) })
		return int64(first.At)
	}
	return Number[P]{
		Grain: grainOf, Round: pleasant, Get: begin,
		Set: func(p P, n int64) {
			by := time.Duration(begin(p) - n)
			list, storm := *k.Faults(p), k.Storm(p)
			for i := range list {
				list[i].At -= by
			}
			*storm = max(*storm-faults.Duration(by), faults.Duration(time.Millisecond))
		},
	}
}
