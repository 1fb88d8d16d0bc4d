// Package raftstore replicates the regions of a store: many raft groups that
// share one log database, one key-value database and one message stream to each
// other store.
//
//	err := raftstore.Bootstrap(engines, 1, regions)         // once, on every store
//	s, err := raftstore.Open(e, cfg, engines, transport, pd)
//	...
//	s.OnRaftBatch(body)                                     // what Transport.Send carried
//	snap, regionErr := s.ReadSnapshot(task, ctx)            // linearizable read
//	snap, regionErr := s.LeaderSnapshot(ctx)                // unconfirmed, for commands
//	regionErr, err := s.Propose(task, ctx, snap.Term(), reqs, limit)
//
// # Life of a proposal
//
// Everything happens in three kinds of events. A turn takes all peers that have
// something to do, steps what was proposed since the last turn, asks raft what
// it wants (ready.go) and hands the parts on: messages for other stores leave
// in one datagram a store; log entries and hard states of all peers are written
// as one synced batch (append.go). When the disk says that the batch is durable,
// the answers that depended on it go out: acknowledgements, votes, and raft's
// own notice that its entries are stable. While a batch is under way the next
// one gathers; this is the group commit. Committed entries are applied in an
// event of their own (apply.go): one key-value batch holds the data of all
// entries and, for each region, the apply state. It is not synced, since the raft
// log can restore it; so before log entries are deleted, the key-value
// database is synced (compact.go).
//
// A caller learns the fate of its proposal (proposal.go) when the entry at the
// proposal's index is applied: its own, or one of another term, in which case
// the proposal will never be applied. Until then it has no answer.
//
// # Reads
//
// ReadSnapshot serves a read in one of three ways: from the leader's own state
// under its lease (lease.go, which holds the argument); from the
// leader's state after a quorum has confirmed it (readindex.go); or from a
// follower's state after it has asked its leader (replicaread.go).
//
// # Time
//
// Raft's clock counts ticks. A peer gets them when they may have an effect, all
// that were put off at once (ticks.go). A region that nobody uses hibernates and
// gets none (hibernate.go); then its stores watch each other (neighbour.go).
//
// # What is on disk
//
// keys.go lists the records. The key-value database holds the region's state,
// the data and the apply state; the raft log database holds the entries and one
// record with the hard state and the last index. Each of the two is consistent in
// itself. Between them only this holds: what the raft log knows of a region
// was preceded by what the key-value database has to know. A split is durable
// before the new region writes to the log, a snapshot before the log is reset,
// an applied index before the entries up to it are deleted.
//
// # Members
//
// ChangePeers changes the members of a region: membership.go has the rules,
// confchange.go what is checked and how it is applied, joint.go what a leader
// does so that a joint configuration ends. A peer that was removed is destroyed
// in two steps (destroy.go), whichever way it has found out (stale.go). A
// tombstone stays, by which messages for it are known to be late.
//
// # The placement driver
//
// Leaders report their regions and stores report themselves (heartbeat.go). What is
// answered to the first is carried out if it still fits (orders.go): a change of
// members, a transfer of the leadership, a split, a merge. Regions that have grown too
// large are split without being asked (splitcheck.go). A store tells how slow its disk is
// (slow.go).
//
// # Merges
//
// MergeRegion makes two neighbours one region: merge.go tells the three steps,
// merge_catchup.go what happens to a peer that lags, merge_records.go and
// merge_rollback.go how a store knows what has become of a merge that its peer has
// missed.
//
// # Being watched
//
// An Observer hears what happens, for reports; a Witness hears of leases and
// reads; an Auditor is shown whatever raft does on each peer (auditor.go). None of
// them can change anything. What they compare takes the view of all stores, which
// no store has.
//
// # Snapshots
//
// A snapshot is a file. The leader makes it from a consistent view of the engine
// (snapshot_make.go; snapshot_file.go has the format) and sends it frame by frame,
// no faster than Config.SnapshotRate (snapshot_send.go). The receiver appends the
// frames to a file of its own and says at which offset it wants the next one
// (snapshot_recv.go); so a transfer goes on after lost messages and restarts of
// either side, and even with another leader that has made the same. The whole file
// is checked and made durable before raft gets the snapshot. Then the peer is
// recorded as Applying, the log is reset, the data is read from the file into the
// database, and the peer is recorded as Normal (snapshot_apply.go). A start
// completes what it finds half done, and deletes what is of no use
// (snapshot_load.go).
package raftstore
