package state

import (
	"bytes"
	"slices"
)

// Stray is what a store holds outside the ranges of all its regions.
type Stray struct {
	Store string
	Rows
}

// Divide deals out all that a store holds to its replicas, each of which gets
// the rows in its range, and returns the rest. To read a store range by range
// would hide the rest: what a split or a snapshot has left behind.
func Divide(store string, all Rows, replicas []Replica) Stray {
	ranges := make([]*Replica, len(replicas))
	for i := range replicas {
		ranges[i] = &replicas[i]
	}
	slices.SortFunc(ranges, func(a, b *Replica) int { return bytes.Compare(a.Start, b.Start) })
	stray := Stray{Store: store}
	for _, f := range []struct {
		rows []Row
		rest *[]Row
		part func(*Replica) *[]Row
	}{
		{all.Default, &stray.Default, func(r *Replica) *[]Row { return &r.Default }},
		{all.Lock, &stray.Lock, func(r *Replica) *[]Row { return &r.Lock }},
		{all.Write, &stray.Write, func(r *Replica) *[]Row { return &r.Write }},
	} {
		covered := 0
		for _, r := range ranges {
			lo, hi := r.within(f.rows)
			*f.part(r) = f.rows[lo:hi:hi]
			if lo > covered {
				*f.rest = append(*f.rest, f.rows[covered:lo]...)
			}
			covered = max(covered, hi)
		}
		*f.rest = append(*f.rest, f.rows[covered:]...)
	}
	return stray
}

// within returns the bounds of the rows in the replica's range.
func (r *Replica) within(rows []Row) (lo, hi int) {
	at := func(key []byte) int {
		i, _ := slices.BinarySearchFunc(rows, key, func(row Row, key []byte) int { return bytes.Compare(row.Key, key) })
		return i
	}
	lo, hi = at(r.Start), len(rows)
	if len(r.End) > 0 {
		hi = max(lo, at(r.End))
	}
	return lo, hi
}
