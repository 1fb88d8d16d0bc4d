package reports

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fileLock is, in the folder of a run that is under way, the file by which no other run
// writes there. It holds the number of the process, for people. The lock is the operating
// system's and ends with the process, however that ends: the file that a run leaves which was
// killed keeps nobody out.
const fileLock = ".simrun-lock"

// errHeld says that another run has the lock.
var errHeld = errors.New("the lock is held")

// hold keeps other runs out of a folder until release.
func (f *Folder) hold(path string) error {
	name := filepath.Join(path, fileLock)
	file, err := lockFile(name)
	switch {
	case errors.Is(err, errHeld):
		return &Error{
			File: path, Remedy: "wait until that has ended, or " + remedyOther,
			Problem: fmt.Sprintf("another run%s is writing into the folder", holder(name)),
		}
	case err != nil:
		return unwritable(name, err, nil)
	case file == nil:
		return nil
	}
	if file.Truncate(0) == nil {
		_, _ = fmt.Fprintln(file, os.Getpid()) // on a full disk the number is missing, and the lock is there all the same
	}
	f.lock = file
	return nil
}

// holder names the process that a lock says it is held by, if it does.
func holder(name string) string {
	text, _ := os.ReadFile(name)
	id, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", id)
}

// release lets other runs into the folder. The file goes first, while nobody else has it.
func (f *Folder) release() {
	if f.lock == nil {
		return
	}
	_ = os.Remove(f.lock.Name())
	_ = f.lock.Close()
	f.lock = nil
}
