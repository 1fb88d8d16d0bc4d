package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A file appears when it is whole; an error leaves what was there, and nothing
// else. A link stays one.
func TestOutFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name, link := filepath.Join(dir, "suite.xml"), filepath.Join(dir, "link.xml")
	if err := os.Symlink(name, link); err != nil {
		t.Skip("no symbolic links here")
	}
	write := func(name, text string, writeErr error) error {
		f, err := openOut(name, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		return f.keep(writeErr)
	}
	if err := write(name, "first", nil); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := write(name, "half", broken); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "first" {
		t.Errorf("after an error: %q, %v", text, err)
	}
	if err := write(link, "second", nil); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "second" {
		t.Errorf("through a link: %q, %v", text, err)
	}
	if entries := folders(t, dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}
