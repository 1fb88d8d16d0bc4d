package faults

import (
	"slices"

	"simrun/sim/stream"
)

// restarts takes every node with a disk down and starts it again, one after the
// other, as when a cluster gets a new version: the order is drawn, and for the
// whole storm whether nodes hand their leaders over before, or some do. The storm is
// divided among the nodes. Whoever is back has a quarter of its share, at least,
// to make up for what it has missed before it is the next one's turn: no two are
// ever away.
func (c *StormConfig) restarts(seed uint64) (list [][]Fault) {
	d := draw{stream.New(seed, "storm restart"), c}
	nodes := d.shuffled(slices.Concat(c.Stores, c.Placement))
	share := int64(c.Length) / int64(len(nodes))
	relieved := []int{0, 500, perMille}[d.IntN(3)] // of a thousand nodes
	for i, name := range nodes {
		r := stream.New(seed, "storm restart", uint64(i))
		f := Fault{Kind: Restart, Targets: []Target{Node(name)}}
		f.At = rounded(int64(i)*share + r.Int64N(share/8+1))
		away := share * 5 / 8
		if r.PerMille(relieved) && slices.Contains(c.Stores, name) {
			f.Within = max(rounded(share/4), Resolution)
			away -= share / 4
		}
		away = max(min(away, int64(c.ForMax)), int64(Resolution))
		f.For = max(rounded(magnitude(r, min(int64(c.ForMin), away), away)), Resolution)
		list = append(list, []Fault{f})
	}
	return list
}
