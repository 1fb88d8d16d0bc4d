package raftstore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/nodes/env"
)

// snapshotDirName is the directory of the snapshot files, beside those of the
// databases.
const snapshotDirName = "snap"

// snapshotDir is the directory that holds a store's snapshot files. Who is to
// have a file, and for how long, is known by the sender (snapshot_make.go), the
// receiver (snapshot_recv.go) and the peer that applies it (snapshot_apply.go).
type snapshotDir struct {
	fs  vfs.FS
	dir vfs.File
}

// open makes the directory if there is none. Its entry is synced in any case: an
// earlier process may have made it and ended before.
func (d *snapshotDir) open(disk vfs.FS) error {
	d.fs = disk
	err := disk.MkdirAll(snapshotDirName, 0o755)
	if err != nil {
		return fmt.Errorf("raftstore: %w", err)
	}
	root, err := disk.OpenDir(".")
	if err == nil {
		err = root.Sync()
	}
	if err == nil {
		d.dir, err = disk.OpenDir(snapshotDirName)
	}
	if err != nil {
		return fmt.Errorf("raftstore: %w", err)
	}
	return nil
}

func (d *snapshotDir) path(name string) string { return d.fs.PathJoin(snapshotDirName, name) }

func (d *snapshotDir) create(name string) (vfs.File, error) {
	return d.fs.Create(d.path(name), vfs.WriteCategoryUnspecified)
}

// reopen opens a file to be continued.
func (d *snapshotDir) reopen(name string) (vfs.File, error) {
	return d.fs.OpenReadWrite(d.path(name), vfs.WriteCategoryUnspecified)
}

func (d *snapshotDir) read(name string) (vfs.File, error) { return d.fs.Open(d.path(name)) }

// remove deletes a file. Should that fail, or be lost with the power, the next
// start finds a file that is of no use, and deletes it.
func (d *snapshotDir) remove(name string) { _ = d.fs.Remove(d.path(name)) }

// rename gives a file another name, durable at the next barrier of the disk.
func (d *snapshotDir) rename(from, to string) error {
	if err := d.fs.Rename(d.path(from), d.path(to)); err != nil {
		return err
	}
	return d.dir.Sync()
}

// sync makes a file and its name durable at the next barrier of the disk.
func (d *snapshotDir) sync(f vfs.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	return d.dir.Sync()
}

// hasRoom reports whether a file of a size would fit on the disk.
func (d *snapshotDir) hasRoom(size uint64) bool {
	usage, err := d.fs.GetDiskUsage(snapshotDirName)
	return err != nil || usage.AvailBytes >= size
}

// SnapshotFiles returns the names of all snapshot files on the disk of a store
// that may or may not be running, in order.
func SnapshotFiles(disk vfs.FS) ([]string, error) {
	names, err := disk.List(snapshotDirName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

// durable waits until everything that was synced is durable. It reports whether
// the store still works then.
func (s *Store) durable(t env.Task) bool {
	synced := &env.Future[struct{}]{}
	s.env.Disk.Barrier(func() { synced.Resolve(struct{}{}, nil) })
	_, _ = synced.Await(t, -1) // without a limit there is no error
	return !s.dead
}

// admitted waits until the key-value database takes writes. It reports whether the
// store still works then.
func (s *Store) admitted(t env.Task) bool {
	for !s.dead {
		again := &env.Future[struct{}]{}
		if s.eng.KV.Admit(func() { again.Resolve(struct{}{}, nil) }) {
			return true
		}
		markSnapshotStalled.Reached()
		_, _ = again.Await(t, -1) // without a limit there is no error
	}
	return false
}
