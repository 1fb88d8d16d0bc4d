// Package engine is a store's storage: Pebble, made deterministic.
//
// A store has two databases, the raft log and the key-value data:
//
//	es, err := engine.Open(e, engine.Options{})
//	b := es.KV.NewBatch()
//	b.Put(engine.Write, key, value)
//	err = es.KV.Write(b)                  // atomic over all column families
//	e.Disk.Barrier(func() { ... })        // ... and durable here
//	value, err := es.KV.Get(engine.Write, key)
//	...
//	es.Close()
//
// Column families are prefixes of one keyspace, so that they share a log and a
// batch. Write syncs the log; WriteUnsynced leaves the bytes to the operating
// system, until the next Write or Sync.
//
// # Determinism
//
// Pebble has goroutines of its own. They are serialised and made quiescent: a
// call returns only when nothing runs in the background, and nothing starts in
// the background unless this package starts it and waits for it.
//
//   - A flush starts when the memtable could be full in the worst case, or
//     earlier, at a seeded instant. Pebble itself would start it when the
//     memtable is full, which depends on the random heights of a skiplist.
//   - A batch that is too large for a memtable makes Pebble begin a new log within
//     the write. The write does not ask for a sync of its own then, because the
//     log's closing syncs it, and the two would race for the log's last bytes.
//   - A compaction starts at a seeded instant after Pebble has asked for it. If it
//     fails on the file of a table, it is wanted again at once: Pebble would leave
//     its tables alone for a while, by its own clock (tablefs.go).
//   - A flush that fails is tried again by Pebble at once, also while it is opened.
//   - No flush and no compaction begins before Pebble's cleaning goroutine has
//     come to rest, as what that has done decides whether they sync the directory.
//   - Obsolete files are deleted at a seeded instant after a flush, a compaction
//     or the opening of the database.
//
// These waits are native. What the work costs in virtual time comes after it: a
// flush or compaction is over when the disk has done its part and the bandwidth
// of background work allows (work.go), and as long as too much of it lags behind,
// writes are held back (stall.go):
//
//	if !es.KV.Admit(again) { return }     // calls again when it is worth asking
//	err = es.KV.Write(b)
//
// # Shape
//
// A write goes to the log and the memtable; a full memtable becomes immutable
// and is flushed to one table of level 0; four of these are compacted into the
// first level below that has tables, and from there down, each level being ten
// times as large as the one above. With the sizes that a simulation uses (a
// memtable of 64 KiB, a first level of half of that) some hundred kilobytes make
// three levels. Every table has a filter.
//
// # Failure
//
// A storage error is never swallowed. An error that Pebble cannot survive, a
// read that fails, corruption, a compaction that fails on anything but a table,
// and background work that fails again and again end the process through
// env.Env.Exit. From then on every call returns ErrClosed.
//
// After a crash the instance is abandoned. The world turns its file system
// into one on which every operation succeeds and nothing has an effect, and
// then calls Close, which frees goroutines and memory, open iterators and
// snapshots included. Close may be called at any time and more than once; it
// does not wait for anything but Pebble's own work.
package engine
