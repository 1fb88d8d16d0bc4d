package disk

import (
	"encoding/binary"
	"fmt"
	"path"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Kind is the kind of an operation.
type Kind uint8

// The kinds of operations. Their order is part of the trace format.
const (
	OpCreate Kind = iota
	OpWrite
	OpSync
	OpHandOver // the sync of a log inside Unsynced
	OpSyncDir
	OpRename
	OpReuse
	OpLink
	OpRemove
	OpMkdir
	OpCrash // not an operation of the process: the end of it
	OpRead  // of many bytes at once; see Disk.ReadBytes
	numKinds
)

var kindNames = [numKinds]string{ //nolint:gochecknoglobals // constant table
	OpCreate:   "create",
	OpWrite:    "write",
	OpSync:     "sync",
	OpHandOver: "hand-over",
	OpSyncDir:  "sync-dir",
	OpRename:   "rename",
	OpReuse:    "reuse",
	OpLink:     "link",
	OpRemove:   "remove",
	OpMkdir:    "mkdir",
	OpCrash:    "crash",
	OpRead:     "read",
}

func (k Kind) String() string { return kindNames[k] }

// Outcome says what came of an operation.
type Outcome uint8

// The outcomes of an operation.
const (
	Done   Outcome = iota // it took effect
	Failed                // it took no effect, and the process was told so
	Fatal                 // the process died before it took effect
	numOutcomes
)

var outcomeNames = [numOutcomes]string{"done", "failed", "fatal"} //nolint:gochecknoglobals // constant table

func (o Outcome) String() string { return outcomeNames[o] }

// Class is what a file is to those who write it, by its name: to Pebble, or, of
// ClassSnapshot, to a store that keeps snapshots in files of its own.
type Class uint8

// The classes of files.
const (
	ClassOther Class = iota
	// ClassLog is a log of Pebble's. Its bytes are collected until it is synced or closed:
	// they lie in Pebble's own memory until then, as far as anybody can tell, since its flush
	// loop hands them over in pieces that depend on the scheduling of goroutines. So a
	// kill loses them.
	ClassLog
	ClassTable
	ClassManifest
	ClassOptions // the OPTIONS file, also under its temporary name
	ClassDir     // directories: syncs and entry operations
	ClassSnapshot
	numClasses
)

var classNames = [numClasses]string{ //nolint:gochecknoglobals // constant table
	ClassOther:    "other",
	ClassLog:      "log",
	ClassTable:    "table",
	ClassManifest: "manifest",
	ClassOptions:  "options",
	ClassDir:      "directory",
	ClassSnapshot: "snapshot",
}

func (c Class) String() string { return classNames[c] }

// LogCategory is what Pebble calls what it writes into its logs, when it creates one.
const LogCategory vfs.DiskWriteCategory = "pebble-wal"

// classOf returns the class of a file that is created, by its name and by who says that
// it writes it. Only Pebble's logs are logs, whatever others call theirs: see ClassLog.
func classOf(name string, category vfs.DiskWriteCategory) Class {
	class := ClassOf(name)
	if class == ClassLog && category != LogCategory {
		return ClassOther
	}
	return class
}

// ClassOf returns the class that a file of that name has for Pebble.
func ClassOf(name string) Class {
	base := path.Base(name)
	switch {
	case strings.HasSuffix(base, ".log"):
		return ClassLog
	case strings.HasSuffix(base, ".sst"), strings.HasSuffix(base, ".blob"):
		return ClassTable
	case strings.HasPrefix(base, "MANIFEST-"):
		return ClassManifest
	case strings.HasPrefix(base, "OPTIONS-"), strings.HasSuffix(base, ".dbtmp"):
		return ClassOptions
	case strings.HasSuffix(base, ".snap"):
		return ClassSnapshot
	}
	return ClassOther
}

// Op is an operation that changes the disk, in canonical form: two runs of a
// seed produce equal sequences, whatever the scheduler of the Go runtime does.
//
// The bytes of a log are one write per sync, because Pebble's flush loop splits
// them arbitrarily. The contents of a MANIFEST are left out (they hold a map in
// iteration order and the wall clock, but have equal lengths), and contents
// and length of OPTIONS (they hold GOMAXPROCS).
type Op struct {
	Seq      uint64 // number among the operations of this disk, from 1
	At       int64  // instant of issue
	Complete int64  // instant of completion, unless a freeze delays it; equals At unless the device was used
	Kind     Kind
	Outcome  Outcome
	Name     string // the file's name when it was opened; the old name of a rename
	Target   string // the new name of a rename, reuse or link; the reason of a crash
	Offset   int64  // of a write
	Length   int64  // of a write or read; of a crash the bytes that were lost
	Hash     uint64 // xxhash of the bytes of a write; of a crash of what it left
}

func (o Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %s %s", o.Seq, o.Kind, o.Name)
	if o.Target != "" {
		fmt.Fprintf(&b, " -> %s", o.Target)
	}
	if o.Kind == OpWrite {
		fmt.Fprintf(&b, " [%d,+%d)", o.Offset, o.Length)
	}
	if o.Kind == OpRead {
		fmt.Fprintf(&b, "%d bytes", o.Length)
	}
	if o.Kind == OpCrash {
		fmt.Fprintf(&b, " lost=%d", o.Length)
	}
	if o.Hash != 0 {
		fmt.Fprintf(&b, " hash=%016x", o.Hash)
	}
	fmt.Fprintf(&b, " at=%d", o.At)
	if o.Complete != o.At {
		fmt.Fprintf(&b, " complete=+%d", o.Complete-o.At)
	}
	if o.Outcome != Done {
		fmt.Fprintf(&b, " %s", o.Outcome)
	}
	return b.String()
}

// Digest returns a hash of the operation for a rolling trace hash. It allocates
// nothing.
func (o *Op) Digest() uint64 {
	var fixed [64]byte
	le := binary.LittleEndian
	le.PutUint64(fixed[0:], o.Seq)
	le.PutUint64(fixed[8:], uint64(o.At))
	le.PutUint64(fixed[16:], uint64(o.Complete))
	le.PutUint64(fixed[24:], uint64(o.Kind)|uint64(o.Outcome)<<8)
	le.PutUint64(fixed[32:], uint64(o.Offset))
	le.PutUint64(fixed[40:], uint64(o.Length))
	le.PutUint64(fixed[48:], o.Hash)
	le.PutUint64(fixed[56:], xxhash.Sum64String(o.Name)*31+xxhash.Sum64String(o.Target))
	return xxhash.Sum64(fixed[:])
}
