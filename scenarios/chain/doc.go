// Package chain is a system that is not the database's: registers replicated by a
// chain (van Renesse and Schneider, "Chain replication for supporting high
// throughput and availability", OSDI 2004), put under test by package trial.
//
// Writes enter at the head, pass from replica to replica, each of which has them on
// its disk before it hands them on, and are answered by the tail; the tail answers
// reads. A master says who is in the chain: it takes out who has been silent for
// longer than a lease lasts, and puts who comes back at the end, from where it
// catches up before it may be the only one that is left. The paper assumes that who
// is taken out has stopped. Here it need not have: epochs keep its writes out, and
// leases its reads.
//
// The protocol is master.go, replica.go and message.go, on a log that survives crashes
// (log.go). What tests it is chain.go, which describes nodes, faults and judges to the kit,
// and client.go. Parameters of a plan leave out single steps, each of which a test finds
// to be needed.
package chain
