package disk

import (
	"bytes"
	"testing"

	"simrun/sim/stream"
)

type instant int64

func (i *instant) Now() int64 { return int64(*i) }

// TestJournalStaysSmall writes for long on a device that is always some syncs
// behind, so that nothing is ever empty: journal, undo bytes and the queue must
// stay as large as what is pending. A power loss at the end, which undoes some of
// it, shows that nothing was mixed up.
func TestJournalStaysSmall(t *testing.T) {
	var now instant
	d := New(&now, DefaultConfig(), stream.New(1, "disk"))
	f, err := d.FS().Create("000001.log", LogCategory)
	if err != nil {
		t.Fatal(err)
	}
	root, err := d.FS().OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	if err = root.Sync(); err != nil {
		t.Fatal(err)
	}
	const behind = 50
	payload := make([]byte, blockSize)
	var completions []int64
	for round := range rounds { // the later ones overwrite a recycled log
		if round > 0 {
			if f, err = d.FS().ReuseForWrite("000001.log", "000001.log", LogCategory); err != nil {
				t.Fatal(err)
			}
		}
		for i := range writes {
			copy(payload, block(round, i))
			if _, err := f.Write(payload); err != nil {
				t.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			completions = append(completions, d.Durable())
			if n := len(completions); n > behind {
				now = instant(completions[n-behind])
			}
		}
	}
	n := d.mount.lookup("000001.log")
	if len(n.journal.pending()) == 0 {
		t.Error("nothing is pending")
	}
	if c := cap(n.journal.extents); c > 512 {
		t.Errorf("the journal has room for %d extents", c)
	}
	if c := cap(n.journal.undo); c > 64<<10 {
		t.Errorf("the journal has room for %d overwritten bytes", c)
	}
	if c := cap(d.mount.syncs.ops); c > 512 {
		t.Errorf("the queue has room for %d syncs", c)
	}
	left := n.data
	d.Crash(ProcessKill)
	d.Crash(PowerLoss)
	after := d.mount.lookup("000001.log").data
	if len(after) != len(left) {
		t.Fatalf("%d bytes became %d", len(left), len(after))
	}
	for i := range writes {
		is, was := block(rounds-1, i), block(rounds-2, i)
		for j, b := range after[i*blockSize : (i+1)*blockSize] {
			if durable := i < writes-behind; b != is[j] && (durable || b != was[j]) {
				t.Fatalf("byte %d of block %d is %d, want %d or, if not durable, %d", j, i, b, is[j], was[j])
			}
		}
	}
	if s := d.Stats(); s.Incomplete == 0 || s.Unissued == 0 {
		t.Errorf("nothing was lost: %+v", s)
	}
}

const blockSize, writes, rounds = 100, 3000, 4

// block is what is written as block i in a round.
func block(round, i int) []byte {
	return bytes.Repeat([]byte{byte(i*7 + round*101)}, blockSize)
}

// TestEnumsAreNamed checks that every kind of thing has a name of its own.
func TestEnumsAreNamed(t *testing.T) {
	for _, names := range [][]string{kindNames[:], outcomeNames[:], classNames[:], crashNames[:]} {
		seen := map[string]bool{}
		for i, name := range names {
			if name == "" || seen[name] {
				t.Errorf("number %d of %q has no name of its own", i, names)
			}
			seen[name] = true
		}
	}
}

func TestClassOf(t *testing.T) {
	for name, want := range map[string]Class{
		"kv/000012.log":      ClassLog,
		"kv/000012.sst":      ClassTable,
		"kv/000012.blob":     ClassTable,
		"kv/MANIFEST-000001": ClassManifest,
		"kv/marker.manifest.000001.MANIFEST-00001": ClassOther,
		"kv/OPTIONS-000003":                        ClassOptions,
		"kv/temporary.000003.dbtmp":                ClassOptions,
		"kv/LOCK":                                  ClassOther,
	} {
		if got := ClassOf(name); got != want {
			t.Errorf("%s is a %v, want %v", name, got, want)
		}
	}
}
