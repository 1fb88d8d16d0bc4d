// Package placement is the placement driver: it hands out timestamps and ids,
// and knows which stores there are and which region is where. It runs on one,
// three or five members, of which one leads.
//
//	eng, err := engine.Open(e, engine.Options{})
//	err = placement.Prepare(e, cfg, eng)
//	e.Disk.Barrier(func() { srv, err := placement.Open(e, ep, cfg, eng) })
//
// Stores and clients reach it through a Client:
//
//	pd := placement.NewClient(e, ep, placement.ClientConfig{ClusterID: 1, Members: []string{"pd1", "pd2", "pd3"}})
//	ts, err := pd.GetTS(t, limit)
//	region, leader, err := pd.GetRegion(t, key, limit)
//
// # Members
//
// The members are stores of a cluster of their own, of one raft group: a
// raftstore.Store each, with one region that holds all records (replica.go). To
// write is to propose in a term. Raft gives an entry the term in which it was
// proposed, and no entry of a term is applied after one of a later term; so an
// entry that was proposed in term T takes effect before the first entry of any
// later leader, or not at all. That is a compare-and-swap on leadership.
//
// A leadership (leadership.go) is an object. It begins when this member is
// elected, and becomes ready when it has applied an entry of its term: then the
// applied state is what all earlier leaders have left, and cannot be added to by
// any of them. From it everything is loaded that a leader keeps in memory. It
// ends when the member's role or term changes, and then everybody who waits is
// turned away. A task holds on to the leadership in which it began: it can find
// that ended, but never act for a later one of the same process.
//
// # What it owns, and what it caches
//
// It owns timestamps, ids, the list of stores and the safe points of garbage
// collection (safepoint.go), which are replicated. Timestamps and ids are handed out
// from windows whose upper bound is committed before the first one is used; each
// leadership begins above the bound that it finds.
//
// Regions are owned by the stores. What placement knows of them comes from the
// heartbeats of their leaders; a heartbeat that is older than what is known, of
// the same region or of one that it overlaps, is rejected, for it may come from a
// leader that was deposed long ago. The regions as they changed last are
// replicated, so that this holds over a fail-over and clients find their way at
// once; nobody waits for that, since a region that is forgotten is reported
// again. Their leaders and terms are not: heartbeats tell them within a second,
// and a wrong one costs a client a redirection.
//
// Whether a store is up is what its last heartbeats say, to this leadership.
//
// # What it has done about regions
//
// With Config.Scheduling the leader looks at all regions now and then
// (scheduler.go). The checkers look at one region at a time, for what is wrong with
// it: a replica on a store that is down, being emptied or gone, one too few or too
// many, a learner or a joint configuration that was left behind, far more in it than
// it should hold (checkers.go). The schedulers look at all, for what could be better:
// leaders and peers spread evenly, none led by a slow store, small neighbours merged
// (balance.go). Either makes operators (operator.go), which are courses of steps, one at
// a time for a region; the leader of the region gets the step that is next as the answer
// to its heartbeat, and the heartbeats show when it is done. An operator ends when it is
// done, when it takes too long, and when the region shows a change that none of its
// steps explains. Operators live in the leader's memory only: what a leader has
// left half way, the next one finds as it finds everything else.
//
// A store is up, disconnected or down by how long it has been silent. By request it
// is emptied, and when no region has a peer on it, and it says so too unless it is down
// or destroyed, it becomes a tombstone, for good (stores.go).
//
// # Timestamps agree with real time
//
// Let A be returned before B is asked for. Then A < B:
//
//   - Both are of one leadership: it hands them out in this order, and an oracle
//     only goes up.
//   - A is of an earlier term than B. A lies below a bound that its leadership has
//     committed. B's leadership has loaded its state after all of that, so it
//     begins above the bound.
//   - A is of a later term than B. This is what must not happen: the old leader
//     does not know of the new one, and its timestamps are lower. So before it
//     hands out a timestamp, a leader has a majority confirm, after the request
//     came, that nobody leads in a later term (confirm.go). When B was asked for, A's
//     leader had been elected by a majority; one of them is asked, and refuses.
//
// The second case needs nothing but the windows, and so uniqueness does not
// depend on any confirmation. The confirmation has to come after the request and
// in the term of the leadership; whether a later leader begins between it and the
// answer does not matter, for then the request overlaps with all that this one
// hands out. No clock takes part. A leader's lease that is certain to last at an
// instant after the request came would do as well; replica.confirm is the place.
//
// The wall clocks of members decide only how far timestamps are from the time of
// day; see oracle.target.
package placement
