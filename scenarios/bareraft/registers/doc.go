// Package registers is a replicated map of registers: a raft group over logs
// in memory, a state machine that reads, writes and compares and swaps, and the
// client that talks to it.
//
// It is the smallest system that is worth simulating: no storage engine, no
// regions, one process per replica. What it measures is the simulator and raft;
// what it checks is that raft is driven by its contract.
//
//	log := registers.NewLog(3)                             // outlives the process
//	r := registers.Start(e, log, registers.Config{...})    // in the replica's process
//	c := registers.NewClient(e, registers.ClientConfig{..}) // in a client's process
//	value, found, err := c.Get(t, "k")
//
// The log is raft.MemoryStorage. It stands for a disk on which everything is
// durable at once: it survives the process, which loses its state machine,
// what it was asked and whom it took for the leader.
//
// Writes go through the log, reads through ReadIndex. A request is executed at
// most once: every process of a replica has a number, its incarnation, and
// every attempt of a client names the incarnation that it is meant for. The
// process drops what it has seen and refuses what was meant for another one.
// A refusal is therefore definite, and a refused attempt may be repeated. A
// write that is not answered has an unknown outcome and is never sent again.
package registers
