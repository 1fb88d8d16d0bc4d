// Package consensus checks, while a system runs, what raft promises of all peers
// of a group together: the properties of figure 3.2 of the Raft thesis, that what
// is promised to others is durable first, and that a read misses nothing that was
// committed before it began. No peer could check any of this, for it takes the
// view of all of them at the same true instant.
//
// A Ledger is told what happens to every peer, in the order in which it does:
//
//	l := consensus.New(func(b consensus.Breach) { panic(b) })
//	p := consensus.Peer{Group: 7, ID: 12}
//	l.Started(p, "store2", consensus.Start{...})  // what a process has found on its disk
//	l.Promised(p, 6, 12)                          // a term and a vote, not yet on disk
//	l.Appended(p, consensus.Entry{6, 6, digest})  // to the log, not yet on disk
//	l.Durable(p, hard, consensus.Position{6, 6})  // now they are
//	l.Elected(p, 6)
//	l.Committed(p, 6)
//	l.Applied(p, consensus.Entry{6, 6, digest}, effect)
//
// What it checks, by the anomaly under which it is told:
//
//	election-safety         at most one leader in a term, over the whole run
//	leader-append-only      a leader neither overwrites nor deletes entries
//	log-matching            equal index and term, equal entry and equal logs before it
//	leader-completeness     a leader has what was committed in earlier terms
//	state-machine-safety    all peers apply the same entry at an index
//	second-vote             one vote a term, over restarts and losses of power too
//	not-durable             nothing is acknowledged, or voted, before it is on disk;
//	                        a process finds on its disk what was
//	configuration-conflict  what an applied entry makes of a group is the same on
//	                        all peers, and an epoch names one range and one set of
//	                        members
//	resurrected             a peer's id is given once, and who was removed, or has
//	                        lost its disk, does not come back
//	stale-read              what was committed when a read began is in what it sees
//
// It needs nothing of the database: any system on top of raft can tell it.
package consensus
