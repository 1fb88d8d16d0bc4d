package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/sim/disk"
)

// model is what a database should hold: keys with their column family's name
// as a prefix.
type model map[string]string

func (m model) key(cf CF, key string) string { return cf.String() + "/" + key }

// keys returns the keys of a column family in [lower, upper), in order; nil
// bounds are open.
func (m model) keys(cf CF, opts IterOptions) []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		key, ok := strings.CutPrefix(k, cf.String()+"/")
		if ok && (opts.Lower == nil || key >= string(opts.Lower)) && (opts.Upper == nil || key < string(opts.Upper)) {
			keys = append(keys, key)
		}
	}
	return keys
}

// view is a reader together with the model of what it should show.
type modelView struct {
	reader Reader
	model  model
}

// engineModel compares a database with its model. Batches and background work
// change both; gets and walks read either the database or a snapshot.
type engineModel struct {
	machine   *machine
	db        *DB
	model     model
	snapshots []modelView
	iterators []modelIterator
}

// modelIterator is an iterator that was opened some time ago.
type modelIterator struct {
	it   *Iterator
	keys []string
	vals model
	cf   CF
}

var (
	genCF = rapid.SampledFrom(AllCFs())
	// Few short keys, the empty one and prefixes of each other among them.
	genKey = rapid.StringMatching(`[ab\xff]{0,3}`)
)

func genBounds(t *rapid.T) IterOptions {
	var opts IterOptions
	if rapid.Bool().Draw(t, "has lower") {
		opts.Lower = []byte(genKey.Draw(t, "lower"))
	}
	if rapid.Bool().Draw(t, "has upper") {
		opts.Upper = []byte(genKey.Draw(t, "upper"))
	}
	return opts
}

// Write applies a batch of a few writes to several column families.
func (e *engineModel) Write(t *rapid.T) {
	b := e.db.NewBatch()
	defer b.Close()
	for range rapid.IntRange(0, 6).Draw(t, "writes") {
		cf, key := genCF.Draw(t, "cf"), genKey.Draw(t, "key")
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			b.Delete(cf, []byte(key))
			delete(e.model, e.model.key(cf, key))
		case 1:
			opts := genBounds(t)
			b.DeleteRange(cf, opts.Lower, opts.Upper)
			for _, k := range e.model.keys(cf, opts) {
				delete(e.model, e.model.key(cf, k))
			}
		default:
			value := strings.Repeat(rapid.StringMatching(`[a-z]{0,4}`).Draw(t, "value"), rapid.IntRange(1, 400).Draw(t, "times"))
			b.Put(cf, []byte(key), []byte(value))
			e.model[e.model.key(cf, key)] = value
		}
	}
	err := e.db.Write(b)
	if rapid.Bool().Draw(t, "again, unsynced") {
		err = e.db.WriteUnsynced(b.again())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// again returns a batch with the same contents, which can be written once more.
func (b *Batch) again() *Batch {
	c := &Batch{b.p}
	data := slices.Clone(b.p.Repr())
	b.p.Reset()
	if err := c.p.SetRepr(data); err != nil {
		panic(err)
	}
	return c
}

// Background lets time pass, so that granted work runs, or flushes.
func (e *engineModel) Background(t *rapid.T) {
	if rapid.Bool().Draw(t, "flush") {
		if err := e.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	e.machine.run(time.Duration(rapid.IntRange(0, 100).Draw(t, "ms")) * time.Millisecond)
}

// Snapshot takes a snapshot, or closes one.
func (e *engineModel) Snapshot(t *rapid.T) {
	if len(e.snapshots) < 4 && rapid.Bool().Draw(t, "take") {
		e.snapshots = append(e.snapshots, modelView{e.db.NewSnapshot(), maps.Clone(e.model)})
	} else if len(e.snapshots) > 0 {
		i := rapid.IntRange(0, len(e.snapshots)-1).Draw(t, "which")
		s := e.snapshots[i].reader.(*Snapshot)
		s.Close()
		s.Close()
		e.snapshots = slices.Delete(e.snapshots, i, i+1)
	}
}

func (e *engineModel) anyView(t *rapid.T) modelView {
	if i := rapid.IntRange(-1, len(e.snapshots)-1).Draw(t, "view"); i >= 0 {
		return e.snapshots[i]
	}
	return modelView{e.db, e.model}
}

// Get reads one key.
func (e *engineModel) Get(t *rapid.T) {
	v, cf, key := e.anyView(t), genCF.Draw(t, "cf"), genKey.Draw(t, "key")
	got, err := v.reader.Get(cf, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	want, ok := v.model[v.model.key(cf, key)]
	if (got != nil) != ok || string(got) != want {
		t.Fatalf("get %s %q: %q, want %q, %v", cf, key, got, want, ok)
	}
}

// OpenIterator opens an iterator, to be walked later.
func (e *engineModel) OpenIterator(t *rapid.T) {
	v, cf, opts := e.anyView(t), genCF.Draw(t, "cf"), genBounds(t)
	it, err := v.reader.NewIter(cf, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.iterators) == 4 {
		e.iterators[0].it.Close()
		e.iterators = e.iterators[1:]
	}
	e.iterators = append(e.iterators, modelIterator{it, v.model.keys(cf, opts), maps.Clone(v.model), cf})
}

// Walk moves one of the iterators about. It has not changed since it was
// opened.
func (e *engineModel) Walk(t *rapid.T) {
	if len(e.iterators) == 0 {
		t.Skip("no iterator")
	}
	w := e.iterators[rapid.IntRange(0, len(e.iterators)-1).Draw(t, "iterator")]
	at := -1 // index of the key at which the iterator should be
	ok := false
	for range rapid.IntRange(1, 8).Draw(t, "moves") {
		move := rapid.IntRange(0, 5).Draw(t, "move")
		switch {
		case move == 0 || !ok && move > 3: // an iterator at no key cannot be moved on
			ok, at = w.it.First(), 0
		case move == 1:
			ok, at = w.it.Last(), len(w.keys)-1
		case move == 2:
			key := genKey.Draw(t, "seek")
			ok, at = w.it.SeekGE([]byte(key)), slices.IndexFunc(w.keys, func(k string) bool { return k >= key })
		case move == 3:
			key := genKey.Draw(t, "seek")
			ok, at = w.it.SeekLT([]byte(key)), len(w.keys)-1
			for at >= 0 && w.keys[at] >= key {
				at--
			}
		case move == 4:
			ok, at = w.it.Next(), at+1
		default:
			ok, at = w.it.Prev(), at-1
		}
		if want := at >= 0 && at < len(w.keys); ok != want || w.it.Valid() != want {
			t.Fatalf("move %d: %v, %v, want %v; error %v", move, ok, w.it.Valid(), want, w.it.Error())
		}
		if ok {
			if key, value := string(w.it.Key()), string(w.it.Value()); key != w.keys[at] || value != w.vals[w.vals.key(w.cf, key)] {
				t.Fatalf("move %d: %q = %q, want %q", move, key, value, w.keys[at])
			}
		}
	}
}

// Restart kills the process and opens the database again.
func (e *engineModel) Restart(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "restart") > 0 {
		t.Skip("not now")
	}
	e.machine.crash(disk.ProcessKill)
	e.db.Close()
	e.db.Close()
	e.snapshots, e.iterators = nil, nil // the database has closed them
	db, err := OpenDB(e.machine.process(), "db", smallOptions())
	if err != nil {
		t.Fatal(err)
	}
	e.db = db
}

// Check compares one whole column family.
func (e *engineModel) Check(t *rapid.T) {
	if len(e.machine.exits) > 0 {
		t.Fatalf("the process ended: %q", e.machine.exits)
	}
	for _, cf := range AllCFs() {
		if got, want := dump(e.db, cf), e.model.dump(cf); got != want {
			t.Fatalf("%s is\n%s\nwant\n%s", cf, got, want)
		}
	}
}

func dump(r Reader, cf CF) string {
	it, err := r.NewIter(cf, IterOptions{})
	if err != nil {
		return err.Error()
	}
	defer it.Close()
	var b strings.Builder
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Fprintf(&b, "%q=%q ", it.Key(), it.Value())
	}
	return b.String()
}

func (m model) dump(cf CF) string {
	var b strings.Builder
	for _, key := range m.keys(cf, IterOptions{}) {
		fmt.Fprintf(&b, "%q=%q ", key, m[m.key(cf, key)])
	}
	return b.String()
}

// smallOptions make flushes and compactions frequent.
func smallOptions() Options {
	return Options{
		MemTableSize: memTableMin, L0CompactionThreshold: 2,
		LBaseMaxBytes: 16 << 10, TargetFileSize: 4 << 10, MaxManifestFileSize: 2 << 10,
	}
}

// TestModel drives a database with arbitrary batches, reads, snapshots,
// iterators, background work and kills, and compares it with a map.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(rapid.Uint64().Draw(t, "seed"), disk.DefaultConfig())
		db, err := OpenDB(m.process(), "db", smallOptions())
		if err != nil {
			t.Fatal(err)
		}
		e := &engineModel{machine: m, db: db, model: model{}}
		defer func() { e.db.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"write": e.Write, "background": e.Background, "snapshot": e.Snapshot, "get": e.Get,
			"open iterator": e.OpenIterator, "walk": e.Walk, "restart": e.Restart, "": e.Check,
		})
	})
}
