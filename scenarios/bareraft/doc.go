// Package bareraft is the scenario of bare raft: a group of replicas of a map
// of registers (package registers), without stores, regions or placement, and
// its clients, in a simulated world. A plan of the API raft describes it.
//
//	c, err := bareraft.New(p, bareraft.Options{...})
//	c.World.StartAll()
//
// Besides what the clients see, it checks what raft promises (Ongaro 2014,
// figure 3.2): a Ledger watches every member and stops the run at once where
// two lead in one term, equal positions of two logs differ, a leader lacks what
// was committed, members apply different entries, or what a disk holds goes
// back. At the end, CheckState compares logs and states.
package bareraft
