package engine

import (
	"errors"
	"io"
	"path"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableFS is a file system on which whatever fails on a table fails with a
// tableError, and which mends logs (openLog).
type tableFS struct{ vfs.FS }

// tableError is an error of a table's file. For Pebble it is also the
// cancellation of a compaction. After any other error of a compaction Pebble leaves
// the tables that it should have compacted alone for half a minute of real time, so
// that the speed of the machine would decide what is compacted next. One that was
// cancelled is wanted again at once.
//
// For anything else that meets it, a read or a flush, it is an error like others.
type tableError struct{ error }

// Unwrap returns the error of the file.
func (e tableError) Unwrap() error { return e.error }

// Is makes the error match the cancellation of a compaction.
func (tableError) Is(target error) bool {
	return target == pebble.ErrCancelledCompaction
}

func asTableError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return tableError{err}
}

// Create implements vfs.FS.
func (fs tableFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	return asTable(name, f, err)
}

// Open implements vfs.FS.
func (fs tableFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.Open(name, opts...)
	if err == nil && path.Ext(name) == ".log" {
		return openLog(name, f)
	}
	return asTable(name, f, err)
}

// Unwrap implements vfs.FS.
func (fs tableFS) Unwrap() vfs.FS { return fs.FS }

// asTable returns what came of opening a file, as a table if it is one.
func asTable(name string, f vfs.File, err error) (vfs.File, error) {
	switch {
	case path.Ext(name) != ".sst":
		return f, err
	case err != nil:
		return nil, asTableError(err)
	default:
		return tableFile{f}, nil
	}
}

// tableFile is an open table.
type tableFile struct{ vfs.File }

// ReadAt implements vfs.File.
func (f tableFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, asTableError(err)
}

// Write implements vfs.File.
func (f tableFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, asTableError(err)
}

// Sync implements vfs.File.
func (f tableFile) Sync() error { return asTableError(f.File.Sync()) }

// SyncData implements vfs.File.
func (f tableFile) SyncData() error { return asTableError(f.File.SyncData()) }
