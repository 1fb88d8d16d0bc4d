package disk

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"simrun/sim/stream"
)

// injected begins the text of every error that a fault has caused.
const injected = "simulated: "

// errInjected is what a process sees of an injected read or write error.
var errInjected = fmt.Errorf(injected+"%w", syscall.EIO)

var errNoSpace = fmt.Errorf(injected+"%w", syscall.ENOSPC)

// ArmedCrash is the reason for the end of a process that CrashAtOp has armed.
const ArmedCrash = "crash at a disk operation"

// faults holds what is armed.
type faults struct {
	crashIn   int // operations up to the one that crashes; zero: none
	crashKind CrashKind
	capacity  int64
	noSpace   int    // table writes that failed for want of space
	arms      uint64 // calls of FailReadAt
	single    singleErrors
}

// CrashAtOp makes the n-th operation from now the end of the process (n counts
// from 1; zero disarms). The operation itself takes no effect. It stays armed
// when the process ends in another way before, so that it can strike in the
// middle of a recovery.
func (d *Disk) CrashAtOp(n int, kind CrashKind) {
	d.mu.Lock()
	defer d.mu.Unlock()
	check(n >= 0, "disk: crash at operation %d", n)
	d.faults.crashIn, d.faults.crashKind = n, kind
}

// newest returns up to n of the tables, those created last first.
func newest(tables []*node, n int) []*node {
	slices.SortStableFunc(tables, func(a, b *node) int { return cmp.Compare(b.id, a.id) })
	tables = slices.CompactFunc(tables, func(a, b *node) bool { return a == b })
	return tables[:min(len(tables), n)]
}

// readDraws returns a new stream for the choice of what cannot be read.
func (d *Disk) readDraws() *stream.Stream {
	d.faults.arms++
	return stream.New(d.keys.fault, "reads", d.faults.arms)
}

// tables appends the tables below dir, in the order of their names.
func (m *mount) tables(dir *node, found []*node) []*node {
	for _, name := range slices.Sorted(maps.Keys(dir.entries)) {
		switch n := dir.entries[name]; {
		case n.dir:
			found = m.tables(n, found)
		case n.class == ClassTable:
			found = append(found, n)
		}
	}
	return found
}

// SetCapacity sets the size of the disk in bytes; zero has no limit. To fill a
// disk, set what is Used. A write of a table or a snapshot that does not fit
// fails; any other is the death of the process, unless Config.ReturnErrors says otherwise.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	check(bytes >= 0, "disk: capacity of %d", bytes)
	d.faults.capacity = bytes
	d.faults.noSpace = 0
}

// fate is what the faults make of one operation.
type fate struct {
	err    error  // the operation fails
	reason string // the process dies, of this
	kind   CrashKind
}

// strike decides the fate of an operation that would make its file grow by
// that many bytes.
func (d *Disk) strike(op *Op, class Class, growth int64, used int64) fate {
	f := &d.faults
	if f.crashIn > 0 {
		if f.crashIn--; f.crashIn == 0 {
			return fate{reason: ArmedCrash, kind: f.crashKind}
		}
	}
	if f.single.strikeWrite(op.Kind, class) {
		d.stats.WriteErrors++
		if class == ClassTable || d.returns(class) {
			return fate{err: &os.PathError{Op: op.Kind.String(), Path: op.Name, Err: errInjected}}
		}
		return fate{reason: "disk error on " + class.String(), kind: PowerLoss}
	}
	if f.capacity > 0 && growth > 0 && used+growth > f.capacity {
		d.stats.SpaceErrors++
		if d.returns(class) {
			return fate{err: &os.PathError{Op: op.Kind.String(), Path: op.Name, Err: errNoSpace}}
		}
		if class == ClassTable && f.noSpace < d.cfg.SpaceErrors {
			f.noSpace++
			return fate{err: &os.PathError{Op: op.Kind.String(), Path: op.Name, Err: errNoSpace}}
		}
		return fate{reason: "no space", kind: ProcessKill}
	}
	return fate{}
}

// returns reports whether errors are returned to who writes files of the class.
func (d *Disk) returns(class Class) bool { return class == ClassSnapshot || d.cfg.ReturnErrors }

// admit numbers an operation, lets the faults strike, queues it on the device
// and shows it to the observer. If it returns nil, the operation is to take
// effect - on a zombie, if the process has died of it.
func (m *mount) admit(op *Op, class Class, growth int64) error {
	if m.zombie {
		return nil
	}
	d := m.disk
	now := d.loop.Now()
	m.settle(d.device.clock(now))
	d.seq++
	op.Seq, op.At, op.Complete = d.seq, now, now
	switch fate := d.strike(op, class, growth, m.used); {
	case fate.err != nil:
		op.Outcome = Failed
		d.show(op)
		return fate.err
	case fate.reason != "":
		op.Outcome = Fatal
		d.show(op)
		m.die(op, fate.reason, fate.kind)
		return nil
	}
	d.count(op, now)
	d.show(op)
	return nil
}

// count queues the operation on the device and counts it.
func (d *Disk) count(op *Op, now int64) {
	d.stats.Ops++
	switch op.Kind {
	case OpWrite:
		d.stats.Written += op.Length
		d.accept(now, &d.cfg.Write, op.Length)
	case OpSync:
		d.stats.Syncs++
		d.accept(now, &d.cfg.Sync, 0)
	case OpSyncDir:
		d.stats.DirSyncs++
		d.accept(now, &d.cfg.Sync, 0)
	case OpHandOver:
		return // it takes no time
	case OpRead:
		d.accept(now, &d.cfg.Write, op.Length)
	case OpCreate, OpRename, OpReuse, OpLink, OpRemove, OpMkdir:
		d.accept(now, &d.cfg.Entry, 0)
	case OpCrash, numKinds:
		panic("disk: operation of unknown kind " + op.Kind.String())
	}
	op.Complete = d.device.instant(now, d.device.busy)
}

func (d *Disk) show(op *Op) {
	if d.observer != nil {
		d.observer(*op)
	}
}

// IsInjected reports whether err comes from a fault of the disk.
func IsInjected(err error) bool {
	return errors.Is(err, errInjected) || errors.Is(err, errNoSpace)
}

// Explains reports whether the faults that a disk has injected since a process began are why
// it has ended, for the reason that it gives: it died of one, or it says so. An error that
// was survived, or that met an earlier process, explains nothing.
func Explains(before, after Stats, reason string) bool {
	errs := func(s Stats) uint64 { return s.ReadErrors + s.WriteErrors + s.SpaceErrors }
	return after.Deaths > before.Deaths || errs(after) > errs(before) && tellsOfInjection(reason)
}

// tellsOfInjection reports whether a text quotes an error that comes from a
// fault of the disk.
func tellsOfInjection(text string) bool { return strings.Contains(text, injected) }
