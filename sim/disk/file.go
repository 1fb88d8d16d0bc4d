package disk

import (
	"io"
	"os"
	"path"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is an open file or directory.
type file struct {
	mount    *mount
	node     *node
	name     string // under which it was opened
	pos      int64  // of Read and Write
	readOnly bool
}

var _ vfs.File = (*file)(nil)

// Close implements vfs.File. Closing a log makes it complete: bytes that were
// only handed over are synced now.
func (f *file) Close() error {
	f.mount.lock()
	defer f.mount.disk.unlock()
	if f.node.class != ClassLog || f.readOnly {
		return nil
	}
	if err := f.report(); err != nil {
		return err
	}
	if f.node.handedOver > f.node.synced {
		return f.sync()
	}
	return nil
}

// Read implements vfs.File.
func (f *file) Read(p []byte) (int, error) {
	f.mount.lock()
	defer f.mount.disk.unlock()
	n, err := f.readAt(p, f.pos)
	f.pos += int64(n)
	if n > 0 && err == io.EOF { //nolint:errorlint // our own, unwrapped
		err = nil
	}
	return n, err
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.mount.lock()
	defer f.mount.disk.unlock()
	return f.readAt(p, off)
}

func (f *file) readAt(p []byte, off int64) (int, error) {
	if f.node.dir {
		return 0, f.fail("read", errIsDir)
	}
	if off < 0 {
		return 0, f.fail("read", oserror.ErrInvalid)
	}
	if f.node.class == ClassTable && f.mount.disk.strikesRead(f.node) {
		return 0, f.fail("read", errInjected)
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Write implements vfs.File.
func (f *file) Write(p []byte) (int, error) {
	f.mount.lock()
	defer f.mount.disk.unlock()
	n, err := f.writeAt(p, f.pos)
	f.pos += int64(n)
	return n, err
}

// WriteAt implements vfs.File.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.mount.lock()
	defer f.mount.disk.unlock()
	return f.writeAt(p, off)
}

func (f *file) writeAt(p []byte, off int64) (int, error) {
	switch {
	case f.node.dir:
		return 0, f.fail("write", errIsDir)
	case f.readOnly:
		return 0, f.fail("write", oserror.ErrPermission)
	case off < 0:
		return 0, f.fail("write", oserror.ErrInvalid)
	case len(p) == 0:
		return 0, nil
	case f.node.class == ClassLog:
		return f.collect(p, off)
	}
	end := off + int64(len(p))
	op := Op{Kind: OpWrite, Name: f.name, Offset: off, Length: int64(len(p))}
	switch f.node.class {
	case ClassOptions:
		op.Offset, op.Length = 0, 0
	case ClassManifest:
	case ClassOther, ClassLog, ClassTable, ClassDir, ClassSnapshot, numClasses:
		op.Hash = f.mount.hash(p)
	}
	if err := f.mount.admit(&op, f.node.class, end-int64(len(f.node.data))); err != nil {
		return 0, err
	}
	live := !f.mount.zombie
	if live {
		f.node.journal.add(op.Seq, off, int64(len(p)), int64(len(f.node.data)))
	}
	f.node.put(p, off, live)
	f.mount.charge(f.node, end)
	return len(p), nil
}

// collect takes bytes of a log. They reach the journal and the observer in one
// piece when the log is synced or closed.
func (f *file) collect(p []byte, off int64) (int, error) {
	n, live := f.node, !f.mount.zombie
	if live {
		e := n.journal.open()
		if e != nil && e.off+e.n != off {
			if err := f.report(); err != nil {
				return 0, err
			}
			e, live = nil, !f.mount.zombie
		}
		switch {
		case !live:
		case e == nil:
			n.journal.add(0, off, int64(len(p)), int64(len(n.data)))
		default:
			e.n += int64(len(p))
		}
	}
	n.put(p, off, live)
	return len(p), nil
}

// report makes one write of the bytes that a log has collected.
func (f *file) report() error {
	n := f.node
	e := n.journal.open()
	if e == nil || f.mount.zombie {
		return nil
	}
	off, end := e.off, e.off+e.n
	op := Op{
		Kind: OpWrite, Name: f.name, Offset: off, Length: end - off,
		Hash: f.mount.hash(n.data[off:end]),
	}
	if err := f.mount.admit(&op, ClassLog, end-n.charged); err != nil {
		return err
	}
	if !f.mount.zombie {
		n.journal.open().seq = op.Seq
		f.mount.charge(n, end)
	}
	return nil
}

// Sync implements vfs.File.
func (f *file) Sync() error {
	f.mount.lock()
	defer f.mount.disk.unlock()
	if f.node.class != ClassLog {
		return f.sync()
	}
	if err := f.report(); err != nil {
		return err
	}
	if f.mount.disk.unsynced > 0 && !f.mount.zombie {
		return f.handOver()
	}
	return f.sync()
}

func (f *file) sync() error {
	kind, class := OpSync, f.node.class
	if f.node.dir {
		kind, class = OpSyncDir, ClassDir
	}
	op := Op{Kind: kind, Name: f.name}
	if err := f.mount.admit(&op, class, 0); err != nil {
		return err
	}
	if !f.mount.zombie {
		f.node.synced = op.Seq
		device := &f.mount.disk.device
		device.lastSync = device.busy
		f.mount.syncs.push(syncOp{seq: op.Seq, complete: device.busy, node: f.node})
	}
	return nil
}

func (f *file) handOver() error {
	op := Op{Kind: OpHandOver, Name: f.name}
	if err := f.mount.admit(&op, ClassLog, 0); err != nil {
		return err
	}
	f.node.handedOver = op.Seq
	return nil
}

// SyncData implements vfs.File.
func (f *file) SyncData() error { return f.Sync() }

// SyncTo implements vfs.File. It promises nothing, as the interface allows.
func (f *file) SyncTo(int64) (fullSync bool, err error) { return false, nil }

// Preallocate implements vfs.File.
func (f *file) Preallocate(int64, int64) error { return nil }

// Prefetch implements vfs.File.
func (f *file) Prefetch(int64, int64) error { return nil }

// Fd implements vfs.File.
func (f *file) Fd() uintptr { return vfs.InvalidFd }

// Stat implements vfs.File.
func (f *file) Stat() (vfs.FileInfo, error) {
	f.mount.lock()
	defer f.mount.disk.unlock()
	return f.info(), nil
}

func (f *file) info() vfs.FileInfo {
	return &fileInfo{name: path.Base("/" + f.name), size: int64(len(f.node.data)), dir: f.node.dir}
}

func (f *file) fail(op string, err error) error {
	return &os.PathError{Op: op, Path: f.name, Err: err}
}

// hash returns the hash of written bytes if anybody wants it.
func (m *mount) hash(p []byte) uint64 {
	if m.zombie || m.disk.observer == nil {
		return 0
	}
	return xxhash.Sum64(p)
}
