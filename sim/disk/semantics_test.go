package disk_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// TestSemantics drives the disk and Pebble's own in-memory file system with the
// same random operations, without crashes, and compares every answer.
func TestSemantics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &clock{}
		d := disk.New(c, disk.DefaultConfig(), stream.New(1, "disk"))
		p := &pair{t: t, clock: c, ours: d.FS(), theirs: vfs.NewMem()}
		t.Repeat(map[string]func(*rapid.T){
			"mkdir":  p.mkdir,
			"create": p.create,
			"open":   p.open,
			"write":  p.write,
			"sync":   p.sync,
			"read":   p.read,
			"names":  p.names,
			"remove": p.remove,
			"":       p.same,
		})
	})
}

// pair is the two file systems, and files that are open on both.
type pair struct {
	t            *rapid.T
	clock        *clock
	ours, theirs vfs.FS
	files        [][2]vfs.File
}

var (
	dirNames  = []string{"", "a", "b", "a/c"}
	fileNames = []string{"1.log", "2.log", "3.sst", "MANIFEST-4", "OPTIONS-5"}
)

func drawDir(t *rapid.T) string { return rapid.SampledFrom(dirNames).Draw(t, "dir") }

func drawFile(t *rapid.T) string {
	return drawDir(t) + "/" + rapid.SampledFrom(fileNames).Draw(t, "file")
}

// agree checks that both calls failed, or neither, and for the same reason.
func (p *pair) agree(what string, ours, theirs error) bool {
	p.t.Helper()
	if (ours == nil) != (theirs == nil) || oserror.IsNotExist(ours) != oserror.IsNotExist(theirs) ||
		oserror.IsExist(ours) != oserror.IsExist(theirs) {
		p.t.Fatalf("%s: %v, but MemFS: %v", what, ours, theirs)
	}
	return ours == nil
}

func (p *pair) keep(what string, ours vfs.File, err error, theirs vfs.File, theirErr error) {
	if p.agree(what, err, theirErr) {
		p.files = append(p.files, [2]vfs.File{ours, theirs})
	}
}

func (p *pair) mkdir(t *rapid.T) {
	dir := drawDir(t)
	p.agree("mkdir "+dir, p.ours.MkdirAll(dir, 0), p.theirs.MkdirAll(dir, 0))
}

func (p *pair) create(t *rapid.T) {
	name := drawFile(t)
	f, err := p.ours.Create(name, disk.LogCategory)
	g, theirErr := p.theirs.Create(name, disk.LogCategory)
	p.keep("create "+name, f, err, g, theirErr)
}

func (p *pair) open(t *rapid.T) {
	name := drawFile(t)
	if rapid.Bool().Draw(t, "for writing") {
		f, err := p.ours.OpenReadWrite(name, disk.LogCategory)
		g, theirErr := p.theirs.OpenReadWrite(name, disk.LogCategory)
		p.keep("open for writing "+name, f, err, g, theirErr)
		return
	}
	f, err := p.ours.Open(name)
	g, theirErr := p.theirs.Open(name)
	p.keep("open "+name, f, err, g, theirErr)
}

func (p *pair) drawOpen(t *rapid.T) (int, [2]vfs.File) {
	if len(p.files) == 0 {
		t.Skip("no file is open")
	}
	i := rapid.IntRange(0, len(p.files)-1).Draw(t, "open file")
	return i, p.files[i]
}

func (p *pair) write(t *rapid.T) {
	_, f := p.drawOpen(t)
	data := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.IntRange(1, 40).Draw(t, "length"))
	p.clock.now += int64(rapid.IntRange(0, 2_000_000).Draw(t, "pause"))
	if rapid.Bool().Draw(t, "at an offset") {
		off := int64(rapid.IntRange(0, 60).Draw(t, "offset"))
		_, err := f[0].WriteAt(slices.Clone(data), off)
		_, theirErr := f[1].WriteAt(slices.Clone(data), off)
		p.agree("write at", err, theirErr)
		return
	}
	_, err := f[0].Write(slices.Clone(data))
	_, theirErr := f[1].Write(slices.Clone(data))
	p.agree("write", err, theirErr)
}

func (p *pair) sync(t *rapid.T) {
	i, f := p.drawOpen(t)
	p.agree("sync", f[0].Sync(), f[1].Sync())
	if rapid.Bool().Draw(t, "close") {
		p.agree("close", f[0].Close(), f[1].Close())
		p.files = slices.Delete(p.files, i, i+1)
	}
}

func (p *pair) read(t *rapid.T) {
	_, f := p.drawOpen(t)
	ours, theirs := make([]byte, 30), make([]byte, 30)
	var n, m int
	var err, theirErr error
	if rapid.Bool().Draw(t, "at an offset") {
		off := int64(rapid.IntRange(0, 60).Draw(t, "offset"))
		n, err = f[0].ReadAt(ours, off)
		m, theirErr = f[1].ReadAt(theirs, off)
	} else {
		n, err = f[0].Read(ours)
		m, theirErr = f[1].Read(theirs)
	}
	if n != m || (err == io.EOF) != (theirErr == io.EOF) || !bytes.Equal(ours[:n], theirs[:m]) { //nolint:errorlint // as io.Reader demands
		t.Fatalf("read %q %v, but MemFS %q %v", ours[:n], err, theirs[:m], theirErr)
	}
	p.agree("read", err, theirErr)
}

// names renames, reuses or links a file. Where MemFS does what no real file system does
// (it loses a file that is renamed into a directory that does not exist) the
// operation is left out.
func (p *pair) names(t *rapid.T) {
	from, dir := drawFile(t), drawDir(t)
	if _, err := p.theirs.Stat(dir); err != nil {
		t.Skip("no such directory")
	}
	to := dir + "/" + rapid.SampledFrom(fileNames).Draw(t, "new name")
	switch rapid.IntRange(0, 2).Draw(t, "operation") {
	case 0:
		p.agree("rename "+from+" "+to, p.ours.Rename(from, to), p.theirs.Rename(from, to))
	case 1:
		p.agree("link "+from+" "+to, p.ours.Link(from, to), p.theirs.Link(from, to))
	case 2:
		f, err := p.ours.ReuseForWrite(from, to, disk.LogCategory)
		g, theirErr := p.theirs.ReuseForWrite(from, to, disk.LogCategory)
		if p.agree("reuse "+from+" "+to, err, theirErr) {
			p.agree("close", f.Close(), g.Close())
		}
	}
	// A rename between two names of one file does nothing in POSIX; MemFS
	// removes the old one.
	_, err := p.ours.Stat(from)
	_, theirErr := p.theirs.Stat(from)
	if err == nil && oserror.IsNotExist(theirErr) {
		p.agree("remove the old name", p.ours.Remove(from), nil)
	}
}

func (p *pair) remove(t *rapid.T) {
	name := drawFile(t)
	if rapid.IntRange(0, 3).Draw(t, "a directory") == 0 {
		name = rapid.SampledFrom(dirNames[1:]).Draw(t, "name")
	}
	if rapid.IntRange(0, 3).Draw(t, "all") == 0 {
		p.agree("remove all "+name, p.ours.RemoveAll(name), p.theirs.RemoveAll(name))
		return
	}
	p.agree("remove "+name, p.ours.Remove(name), p.theirs.Remove(name))
}

// same compares names, sizes and contents of everything.
func (p *pair) same(t *rapid.T) {
	if ours, theirs := listing(p.ours, ""), listing(p.theirs, ""); ours != theirs {
		t.Fatalf("we have:\n%s\nMemFS has:\n%s", ours, theirs)
	}
}

func listing(fs vfs.FS, dir string) string {
	names, err := fs.List(dir)
	if err != nil {
		return err.Error()
	}
	slices.Sort(names)
	var b bytes.Buffer
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			return err.Error()
		}
		if info.IsDir() {
			fmt.Fprintf(&b, "%s/\n%s", path, listing(fs, path))
			continue
		}
		f, err := fs.Open(path)
		if err != nil {
			return err.Error()
		}
		data, err := io.ReadAll(f)
		fmt.Fprintf(&b, "%s %d %q %v\n", path, info.Size(), data, err)
		if err := f.Close(); err != nil {
			return err.Error()
		}
	}
	return b.String()
}
