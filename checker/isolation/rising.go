package isolation

import (
	"cmp"
	"slices"
)

// rising returns the places in a list in the order of what stands there, equals in
// the order in which they stand. To compare it looks at nothing but pairs that lie
// side by side: if what is compared is found through a pointer, a sort of many
// waits for memory at every step.
func rising[T cmp.Ordered](list []T) []int32 {
	type placed struct {
		what T
		at   int32
	}
	all := make([]placed, len(list))
	for i, what := range list {
		all[i] = placed{what, int32(i)} // fewer than 2^31
	}
	slices.SortFunc(all, func(a, b placed) int {
		if c := cmp.Compare(a.what, b.what); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
	places := make([]int32, len(list))
	for i := range all {
		places[i] = all[i].at
	}
	return places
}
