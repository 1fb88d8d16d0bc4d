package engine

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// deferringCleaner collects the files that Pebble wants to delete. Pebble asks
// on a goroutine of its own, which while a database is opened runs beside the
// opening itself.
type deferringCleaner struct {
	mu    sync.Mutex
	files []obsoleteFile
}

type obsoleteFile struct {
	fs   vfs.FS
	path string
}

// clean deletes all files collected so far.
func (c *deferringCleaner) clean() error {
	c.mu.Lock()
	files := c.files
	c.files = nil
	c.mu.Unlock()
	var errs error
	for _, f := range files {
		if err := f.fs.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

// adapter returns the cleaner as Pebble's interface, one of whose types cannot
// be named outside Pebble but can be inferred.
func (c *deferringCleaner) adapter() pebble.Cleaner {
	return adaptCleaner(c, pebble.DeleteCleaner{}.Clean)
}

type cleanerAdapter[FileType any] struct{ c *deferringCleaner }

func adaptCleaner[FileType any](c *deferringCleaner, _ func(vfs.FS, FileType, string) error) cleanerAdapter[FileType] {
	return cleanerAdapter[FileType]{c}
}

// Clean implements pebble.Cleaner.
func (a cleanerAdapter[FileType]) Clean(fs vfs.FS, _ FileType, path string) error {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	a.c.files = append(a.c.files, obsoleteFile{fs, path})
	return nil
}

// String is recorded in the OPTIONS file.
func (cleanerAdapter[FileType]) String() string { return "delete" }
