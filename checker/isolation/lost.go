package isolation

import (
	"fmt"
	"slices"
	"strings"

	"simrun/checker/verdict"
)

// lost looks for a lost update among transactions that wrote a key and were committed: two of
// them have read one version before they wrote. Nobody may commit the key between the
// snapshot of a writer and its commit, so each of them has replaced just the version that it
// read, which only one can. That needs no order of the versions, nor of the two: who wrote
// the key blindly, or in which order all others did, does not matter.
func (c *cycles) lost(o *order, k *key, writers []int32) {
	if !c.alone || len(writers) < 2 {
		return
	}
	first := map[held]int32{} // who has read what
	var single func(what held) bool
	for _, t := range writers {
		from, known := c.ix.replaces(t, k)
		if !known || !c.trusted(t) {
			continue
		}
		other, twice := first[from]
		if !twice {
			first[from] = t
			continue
		}
		if single == nil {
			single = o.single(k)
		}
		if single(from) {
			c.wrong(verdict.LostUpdate, t, fmt.Sprintf("%s and %s both read %q = %s, and both wrote it: one has not seen what the other one wrote",
				c.name(t), c.name(other), k.name, show(from.value, from.found)), other)
			return
		}
	}
}

// single tells of what a key may hold whether one version alone does. Of a list that only
// grows each version holds something else. What a register holds has to be written once at
// most, also by those of unknown outcome.
func (o *order) single(k *key) func(what held) bool {
	versions := slices.Concat(k.versions, k.floating)
	if o.list {
		grows := !k.plain && !slices.ContainsFunc(versions[1:], func(v version) bool { return strings.TrimSpace(v.value) == "" })
		return func(held) bool { return grows }
	}
	count := map[held]int{}
	for i := range versions {
		count[versions[i].held()]++
	}
	return func(what held) bool { return !k.free && count[what] < 2 }
}
