// Package disk is the simulator's disk: a deterministic, crashable file system
// in memory for Pebble (it implements vfs.FS) that knows what is durable when.
//
// A node has one Disk, which outlives its processes:
//
//	d := disk.New(loop, disk.DefaultConfig(), stream.New(seed, "disk", node))
//	fs := d.FS()                 // the process opens Pebble on it
//	at := d.Durable()            // acknowledge what was synced so far at this instant
//	d.Crash(disk.PowerLoss)      // fs is a zombie from here on
//	fs = d.FS()                  // the next process finds what the crash has left
//
// # Time
//
// A call returns at once in real time. What it costs in virtual time is added
// to the queue of one device, first in first out: an operation completes when
// everything before it has completed and its own cost has passed. Reads are
// free, because their number depends on caches and thus on GOMAXPROCS, but for
// what ReadBytes is told. A sync makes durable what its file or directory held
// when it was issued, at the instant at which it completes and not before. Durable returns the completion
// of the last sync; completions never overtake each other.
//
// A device that is frozen completes nothing, what it has accepted before
// included, and goes on after Thaw where it was stopped. When that will be is not
// known in advance. So completions are counted on the device's clock, which
// stands still meanwhile, and whoever has to wait for one asks Reaches again when
// the instant has come.
//
// # What a crash leaves
//
// A ProcessKill ends the process but not the operating system: all bytes that
// were written survive, and what was not durable still is not. (Of a log of Pebble's the
// bytes since its last sync do not: they have not been written yet, see ClassLog.) A PowerLoss at
// instant T leaves of each file what syncs that completed at or before T have
// covered, and of every later write (an extent) any part: nothing, all of it,
// a prefix torn at a byte, or some of its 512-byte sectors, where lost sectors
// beyond the old end of the file read as zeros. Of the entry operations of a
// directory (create, remove, rename, link) that were not yet synced a prefix
// survives; a rename is atomic, also between directories.
//
// An image is a function of the journal, the instant and the disk's stream. All
// draws are keyed by inode, so no file's fate depends on another's, and a file
// whose contents Pebble does not determine (see Op) has a fate that does not
// depend on its bytes.
//
// # Why nothing survives that comes after an incomplete sync
//
// A real process is blocked in a sync until it completes. Here the call has
// returned, and the process may have issued more before T, which in reality it
// could not: for example, close a log with a final sync, open the next log and
// write to it. If the second log survived while the tail of the first is torn,
// Pebble would find a log that is not its last without a clean end and refuse
// to open, and rightly so. So of each database - each top-level directory - an
// image holds nothing that was issued after the database's first incomplete
// sync F. What remains is a state that the blocked process could have left:
// since completions are in order of issue, everything before F is as it was
// issued, and nothing after F was ever acknowledged.
//
// Pebble has two threads of this kind. One commits: it writes logs, and syncs
// them and, when it starts a log, the directory. The other flushes and compacts:
// it syncs tables and the MANIFEST, while commits go on. So if F is a sync of
// the second kind, writes to a log that bore its name before F may survive (in
// part) up to the first incomplete sync of a log or directory. They depend
// on nothing that the second thread has done after F: a log that is recycled
// after F gets its new name after F, and does not count.
//
// Two databases of one process do not wait for each other's syncs; a program
// that needs an order between them waits for Durable. A sync of the root
// directory belongs to all of them.
//
// # Unsynced
//
// Inside Unsynced the sync of a log only hands its bytes to the operating
// system. A later sync of that file outside covers them; so does its Close,
// because a log that Pebble closes must be complete before the next one starts.
//
// # Death
//
// Some faults end the process from inside an operation: CrashAtOp, and errors
// that Pebble answers by ending the process, on a goroutine where nobody can
// recover. The image is taken before the operation takes effect, the file
// system becomes a zombie, Dead reports true and OnDeath's function is called,
// possibly on one of Pebble's goroutines while the simulation's loop waits for
// it. Crash then makes the image available, as after any other end of a process.
//
// So a program that is not Pebble dies of every write error and of every full disk too,
// but for what it writes to files that are called like Pebble's tables (*.sst, *.blob) or like snapshots
// (*.snap). One that wants to be told, because it has something to do about it, sets
// Config.ReturnErrors. What a failed write or sync was about has not happened; a sync
// that succeeds later covers it.
//
// A zombie is the file system of a process that has ended: all its operations
// go on to work, on state that nobody else sees, so that Pebble can be closed
// in peace. It takes no virtual time, and touches neither the loop nor the trace.
package disk
