package disk_test

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// ownFile writes "hello" into a new file of a disk, and does not sync it.
func ownFile(t *testing.T, cfg disk.Config, name string, category vfs.DiskWriteCategory) (*disk.Disk, vfs.File) {
	t.Helper()
	d := disk.New(&clock{}, cfg, stream.New(1, "own"))
	f, err := d.FS().Create(name, category)
	if err == nil {
		_, err = f.Write([]byte("hello"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return d, f
}

// A kill leaves what was written, whatever the file is called, and as volatile as it was.
// Only what lies in the memory of Pebble's log writer is gone with it.
func TestKillKeepsWritten(t *testing.T) {
	for _, c := range []struct {
		name     string
		category vfs.DiskWriteCategory
		want     string
	}{
		{"x.log", vfs.WriteCategoryUnspecified, "hello"},
		{"x.dat", vfs.WriteCategoryUnspecified, "hello"},
		{"x.sst", vfs.WriteCategoryUnspecified, "hello"},
		{"MANIFEST-1", vfs.WriteCategoryUnspecified, "hello"},
		{"x.log", disk.LogCategory, ""},
	} {
		d, _ := ownFile(t, disk.Config{}, c.name, c.category)
		d.Crash(disk.ProcessKill)
		f, err := d.FS().Open(c.name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || string(got) != c.want || !d.Volatile() {
			t.Errorf("%s (%s): %q, %v, volatile %v", c.name, c.category, got, err, d.Volatile())
		}
	}
}

// A file that is no log stays none when it is called one, and a log remains one as long as it
// is called one.
func TestRenamedLog(t *testing.T) {
	for category, want := range map[vfs.DiskWriteCategory]string{vfs.WriteCategoryUnspecified: "hello more", disk.LogCategory: "hello"} {
		d, f := ownFile(t, disk.Config{}, "a.log", category)
		if err := errors.Join(f.Sync(), d.FS().Rename("a.log", "b.log")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(" more")); err != nil {
			t.Fatal(err)
		}
		d.Crash(disk.ProcessKill)
		g, err := d.FS().Open("b.log")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(g); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", category, got, err)
		}
	}
}

// Nothing is volatile once file and directory are synced and the syncs complete.
func TestVolatile(t *testing.T) {
	d, f := ownFile(t, disk.Config{}, "x", vfs.WriteCategoryUnspecified)
	root, err := d.FS().OpenDir("")
	if err != nil {
		t.Fatal(err)
	}
	for i, sync := range []func() error{f.Sync, root.Sync} {
		if !d.Volatile() {
			t.Errorf("durable before sync %d", i)
		}
		if err = sync(); err != nil {
			t.Fatal(err)
		}
	}
	if d.Volatile() {
		t.Error("volatile after both syncs")
	}
}

// A process that asks for it is told of write errors and of a full disk, and lives.
func TestReturnErrors(t *testing.T) {
	for _, asks := range []bool{false, true} {
		d, f := ownFile(t, disk.Config{ReturnErrors: asks}, "x", vfs.WriteCategoryUnspecified)
		d.FailWriteAt(disk.AnyClass, 1)
		if err := f.Sync(); errors.Is(err, syscall.EIO) != asks || d.Dead() == asks {
			t.Errorf("asks %v: %v, dead %v", asks, err, d.Dead())
		}
		d, f = ownFile(t, disk.Config{ReturnErrors: asks}, "x", vfs.WriteCategoryUnspecified)
		d.SetCapacity(d.Used())
		if _, err := f.Write([]byte("more")); errors.Is(err, syscall.ENOSPC) != asks || d.Dead() == asks {
			t.Errorf("asks %v: %v, dead %v", asks, err, d.Dead())
		}
		d.SetCapacity(0)
		if err := f.Sync(); err != nil {
			t.Error(err)
		}
	}
}
