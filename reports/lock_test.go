//go:build unix && !aix && !solaris

package reports

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// While a run writes into a folder, another one is refused there and changes nothing, over an
// earlier run as in an empty folder. When the first is saved or given up, it may.
func TestOneRunAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	for _, end := range []func(f *Folder) error{
		func(f *Folder) error { return f.Save(bankRun(100)) },
		func(f *Folder) error { f.Discard(); return nil },
		func(f *Folder) error { return f.Save(bankRun(110)) },
	} {
		f, err := Create(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if err = f.SavePlan("# mine\n"); err != nil {
			t.Fatal(err)
		}
		_, err = Create(dir, "")
		want := fmt.Sprintf("%s: another run (process %d) is writing into the folder; wait until that has ended, or choose another folder (--out)", dir, os.Getpid())
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if text, lost := os.ReadFile(f.file(FilePlan)); lost != nil || string(text) != "# mine\n" {
			t.Errorf("the plan of the first run is %q, %v", text, lost)
		}
		if err = end(f); err != nil {
			t.Fatal(err)
		}
		if _, err = os.Stat(filepath.Join(dir, fileLock)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the lock is left: %v", err)
		}
	}
	if _, err := Load(dir); err != nil {
		t.Error(err)
	}
}

// The lock that a killed run has left keeps nobody out, whatever it says.
func TestLockOfADeadRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileLock), []byte(strings.Repeat("1", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	save(t, dir, bankRun(100))
	if _, err := os.Stat(filepath.Join(dir, fileLock)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock is left: %v", err)
	}
}

// Who had opened the lock before its owner removed it does not have the folder by it. The
// method: the owner ends between the two steps of another one.
func TestLockThatWasRemoved(t *testing.T) {
	name := filepath.Join(t.TempDir(), fileLock)
	removed, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = removed.Close() }()
	if !isStill(name, removed) {
		t.Error("a file is not taken for the one of its name")
	}
	if err = os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if isStill(name, removed) {
		t.Error("a file that was removed is taken for the one of its name")
	}
	if err = os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if isStill(name, removed) {
		t.Error("a file is taken for another one of its name")
	}
}
