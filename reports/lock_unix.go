//go:build unix && !aix && !solaris

package reports

import (
	"errors"
	"os"
	"syscall"
)

// lockFile opens a file, making it if need be, and locks it. The error is errHeld if
// somebody else has. It returns no file where the file system knows no locks.
func lockFile(name string) (*os.File, error) {
	for {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // a descriptor is small
		if err == nil && isStill(name, file) {
			return file, nil
		}
		_ = file.Close()
		switch {
		case err == nil, errors.Is(err, syscall.EINTR): // again, with the file that is there now
		case errors.Is(err, syscall.EWOULDBLOCK):
			return nil, errHeld
		case errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOLCK):
			_ = os.Remove(name)
			return nil, nil // no lock, and nothing wrong
		default:
			return nil, err
		}
	}
}

// isStill reports whether an open file is the one of its name: who had the lock before may
// have removed it after it was opened here.
func isStill(name string, file *os.File) bool {
	there, errThere := os.Stat(name)
	open, errOpen := file.Stat()
	return errThere == nil && errOpen == nil && os.SameFile(there, open)
}
