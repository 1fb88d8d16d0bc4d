// Package bareraft is the scenario of bare raft: a group of replicas of a map
// of registers (package registers), without stores, regions or placement, and
// its clients, in a simulated world. A plan of the API raft describes it.
//
//	c, err := bareraft.New(p, bareraft.Options{...})
//	c.World.StartAll()
//
// Besides what the clients see, it checks what raft promises: a
// consensus.Ledger watches every member and stops the run at the first promise
// that is broken. At the end, CheckState compares logs and states.
package bareraft
