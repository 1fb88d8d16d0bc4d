package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// outFile is a file that appears whole or not at all: until it is kept, what is
// written goes to another one beside it. Opened before long work is done, it
// tells in time that it cannot be written.
type outFile struct {
	*os.File

	name string
	// final is where it is in the end, the name without symbolic links; "" if the
	// file is a device or the like, which is written as it is.
	final string
}

// openOut opens a file to be written. One that is there already is replaced only if it is one
// of ours: if its beginning has the sign, "" being the sign of them all.
func openOut(name, sign string) (*outFile, error) {
	mode := fs.FileMode(0o644)
	final := name
	switch info, err := os.Stat(name); {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("cannot write %s: it is a folder", name)
	case err == nil && !info.Mode().IsRegular():
		device, openErr := os.OpenFile(name, os.O_WRONLY, 0)
		if openErr != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, openErr)
		}
		return &outFile{File: device, name: name}, nil
	case err == nil && info.Size() > 0 && !begins(name, sign):
		return nil, fmt.Errorf("cannot write %s: it exists and was not written by this command; not overwriting, remove it or choose another name", name)
	case err == nil:
		mode = info.Mode().Perm()
		if final, err = filepath.EvalSymlinks(name); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	tmp, err := os.CreateTemp(filepath.Dir(final), "."+filepath.Base(final)+".*")
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", name, withoutPath(err))
	}
	if err = tmp.Chmod(mode); err != nil {
		_ = tmp.Close()
		_ = os.Remove(tmp.Name())
		return nil, fmt.Errorf("cannot write %s: %w", name, err)
	}
	return &outFile{File: tmp, name: name, final: final}, nil
}

// discard ends a file that is not to be kept: what was there before stays.
func (f *outFile) discard() {
	_ = f.Close()
	if f.final != "" {
		_ = os.Remove(f.Name())
	}
}

// begins reports whether the first part of a file holds a text.
func begins(name, text string) bool {
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // it was only read
	head := make([]byte, 512)
	n, _ := io.ReadFull(file, head) // what there is
	return strings.Contains(string(head[:n]), text)
}

// sameFile reports whether two names are of one file.
func sameFile(a, b string) bool {
	first, errA := os.Stat(a)
	second, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(first, second)
}

// withoutPath takes the name of a temporary file from an error.
func withoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// keep ends the file. err is the error of writing it, if there was one: then what
// was there before stays. Without a file it does nothing.
func (f *outFile) keep(err error) error {
	if f == nil {
		return nil
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil && f.final != "" {
		err = os.Rename(f.Name(), f.final)
	}
	if err == nil {
		return nil
	}
	if f.final != "" {
		_ = os.Remove(f.Name())
	}
	return fmt.Errorf("cannot write %s: %w", f.name, withoutPath(err))
}
