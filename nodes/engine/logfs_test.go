package engine

import (
	"bytes"
	"fmt"
	"path"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// lostBeginning writes records of which the third begins so many bytes before the end of
// the first block, and loses the block's last sector from there on, as a power loss may. It
// returns the keys that are there when the log is replayed on a file system.
func lostBeginning(t *testing.T, before int, on func(vfs.FS) vfs.FS) []string {
	t.Helper()
	disk := vfs.NewMem()
	options := func(fs vfs.FS) *pebble.Options {
		return &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatColumnarBlocks, Logger: nothing{}}
	}
	db, err := pebble.Open("db", options(disk))
	if err != nil {
		t.Fatal(err)
	}
	set := func(key string, value int) {
		if setErr := db.Set([]byte(key), make([]byte, value), pebble.NoSync); setErr != nil {
			t.Fatal(setErr)
		}
	}
	const batch = 12 + 1 + 1 + 1 // header, kind, length of a key of one byte, the key
	set("a", 100)
	first := logHeader + batch + 1 + 100
	set("b", logBlock-before-first-logHeader-batch-3) // the length of a long value takes 3 bytes
	set("c", 300)
	set("d", 5)
	if err = db.Close(); err != nil { // which writes the log
		t.Fatal(err)
	}
	logs, err := disk.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		if path.Ext(name) == ".log" {
			lose(t, disk, "db/"+name, logBlock-before, logBlock)
		}
	}
	db, err = pebble.Open("db", options(on(disk)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = it.Close() }()
	var keys []string
	for it.First(); it.Valid(); it.Next() {
		keys = append(keys, string(it.Key()))
	}
	return keys
}

// nothing logs nothing.
type nothing struct{}

func (nothing) Infof(string, ...any)      {}
func (nothing) Errorf(string, ...any)     {}
func (nothing) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// lose makes a part of a file zeros.
func lose(t *testing.T, fs vfs.FS, name string, from, to int) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := contents(f)
	if err != nil {
		t.Fatal(err)
	}
	if to > len(data) || bytes.Equal(data[from:to], make([]byte, to-from)) {
		t.Fatalf("%s has %d bytes, and nothing to lose", name, len(data))
	}
	clear(data[from:to])
	out, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = out.Write(data); err != nil {
		t.Fatal(err)
	}
	if err = out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLogWithLostBeginning: what is replayed of a log is a beginning of what was written,
// wherever the chunk is that is lost. Pebble alone replays what comes after the record, if
// the chunk was close to the end of a block; should it not do so any more, openLog can go.
func TestLogWithLostBeginning(t *testing.T) {
	skipped := 0
	for before := logHeader; before < 40; before++ {
		got := fmt.Sprint(lostBeginning(t, before, func(fs vfs.FS) vfs.FS { return tableFS{fs} }))
		if got != "[a b]" {
			t.Errorf("lost from %d bytes before the end of the block: %s", before, got)
		}
		if fmt.Sprint(lostBeginning(t, before, func(fs vfs.FS) vfs.FS { return fs })) == "[a b d]" {
			skipped++
		}
	}
	if skipped != logHeaderSynced-logHeader {
		t.Errorf("Pebble alone skips a record at %d places", skipped)
	}
}
