package disk_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// TestStories runs small scripts against a disk. `run` prints the operations as
// the observer sees them and what is on the disk at the end. `outcomes` runs the
// script under many seeds and prints every end that it can have, which pins
// what a crash may and may not do.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "run":
				s := newScript(1)
				s.disk.SetObserver(func(op disk.Op) { fmt.Fprintln(&s.out, op) })
				s.play(d.Input)
				return s.out.String() + s.tree()
			case "outcomes":
				seeds := 1000
				d.MaybeScanArgs(t, "seeds", &seeds)
				return outcomes(d.Input, seeds)
			default:
				t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
				return ""
			}
		})
	})
}

func outcomes(input string, seeds int) string {
	ends := map[string]bool{}
	for seed := range seeds {
		s := newScript(uint64(seed))
		s.play(input)
		ends[s.out.String()+s.tree()] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(ends)), "or\n")
}

// script is a disk and the files that the script has open on it.
type script struct {
	clock *clock
	disk  *disk.Disk
	files map[string]vfs.File
	out   strings.Builder
}

func newScript(seed uint64) *script {
	c := &clock{}
	cfg := disk.Config{
		Write:       disk.Latency{Min: 10 * time.Microsecond, Max: 10 * time.Microsecond, PerKiB: time.Microsecond},
		Sync:        disk.Latency{Min: time.Millisecond, Max: time.Millisecond},
		Entry:       disk.Latency{Min: 10 * time.Microsecond, Max: 10 * time.Microsecond},
		SpaceErrors: 1,
	}
	s := &script{clock: c, disk: disk.New(c, cfg, stream.New(seed, "story")), files: map[string]vfs.File{}}
	s.disk.OnDeath(func(reason string, kind disk.CrashKind) {
		fmt.Fprintf(&s.out, "died by %v: %s\n", kind, reason)
	})
	return s
}

func (s *script) play(input string) {
	for _, line := range strings.Split(input, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			if err := s.do(words[0], words[1:]); err != nil {
				fmt.Fprintf(&s.out, "%s: %v\n", strings.TrimSpace(line), err)
			}
		}
	}
}

// do executes one line. The commands:
//
//	mkdir DIR         create FILE        write FILE TEXT     write-at FILE OFFSET TEXT
//	sync NAME         sync-dir [DIR]      unsynced-sync FILE  close FILE
//	rename OLD NEW    reuse OLD NEW      link OLD NEW        remove NAME     remove-all NAME
//	read FILE         wait               pass DURATION       crash KIND      wipe
//	freeze            thaw               stall DURATION
//	slow PER-MILLE    capacity BYTES     crash-at-op N KIND  usage
//	fail-writes CLASS N                  fail-reads N
//
// TEXT is a word or a byte and how often it is written, as in a*600. wait lets
// everything complete that was synced.
func (s *script) do(cmd string, args []string) error {
	fs := s.disk.FS()
	switch cmd {
	case "mkdir":
		return fs.MkdirAll(args[0], 0)
	case "create":
		return s.keep(args[0])(fs.Create(args[0], disk.LogCategory))
	case "write":
		_, err := s.files[args[0]].Write(text(args[1]))
		return err
	case "write-at":
		off, _ := strconv.ParseInt(args[1], 10, 64)
		_, err := s.files[args[0]].WriteAt(text(args[2]), off)
		return err
	case "sync":
		return s.files[args[0]].Sync()
	case "sync-dir":
		dir, err := fs.OpenDir(strings.Join(args, "")) // without a name, the root
		if err != nil {
			return err
		}
		return dir.Sync()
	case "unsynced-sync":
		var err error
		s.disk.Unsynced(func() { err = s.files[args[0]].Sync() })
		return err
	case "close":
		return s.files[args[0]].Close()
	case "rename":
		return fs.Rename(args[0], args[1])
	case "reuse":
		return s.keep(args[1])(fs.ReuseForWrite(args[0], args[1], disk.LogCategory))
	case "link":
		return fs.Link(args[0], args[1])
	case "remove":
		return fs.Remove(args[0])
	case "remove-all":
		return fs.RemoveAll(args[0])
	case "read":
		return s.read(args[0])
	}
	return s.control(cmd, args)
}

func (s *script) control(cmd string, args []string) error {
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			panic(err)
		}
		return n
	}
	duration := func() time.Duration {
		d, err := time.ParseDuration(args[0])
		if err != nil {
			panic(err)
		}
		return d
	}
	switch cmd {
	case "wait":
		s.clock.now = s.disk.Durable()
	case "pass":
		s.clock.now += int64(duration())
	case "crash":
		s.disk.Crash(crashKind(args[0]))
	case "wipe":
		s.disk.Wipe()
	case "freeze":
		s.disk.Freeze()
	case "thaw":
		s.disk.Thaw()
	case "read-bytes":
		s.disk.ReadBytes(int64(number(0)))
	case "slow":
		s.disk.Slow(number(0))
	case "capacity":
		s.disk.SetCapacity(int64(number(0)))
	case "crash-at-op":
		s.disk.CrashAtOp(number(0), crashKind(args[1]))
	case "fail-writes":
		for n := range number(1) {
			s.disk.FailWriteAt(class(args[0]), n+1)
		}
	case "fail-reads":
		fmt.Fprintf(&s.out, "armed %v\n", s.disk.FailReadAt(number(0)) != 0)
	case "usage":
		usage, err := s.disk.FS().GetDiskUsage("")
		fmt.Fprintf(&s.out, "used %d, available %d\n", usage.UsedBytes, usage.AvailBytes)
		return err
	default:
		panic("unknown line " + cmd)
	}
	return nil
}

func crashKind(name string) disk.CrashKind {
	if name == "kill" {
		return disk.ProcessKill
	}
	return disk.PowerLoss
}

func class(name string) disk.Class {
	for c := disk.ClassOther; ; c++ {
		if c.String() == name {
			return c
		}
	}
}

func (s *script) keep(name string) func(vfs.File, error) error {
	return func(f vfs.File, err error) error {
		if err == nil {
			s.files[name] = f
		}
		return err
	}
}

func (s *script) read(name string) error {
	f, err := s.disk.FS().Open(name)
	if err != nil {
		return err
	}
	p := make([]byte, 1<<16)
	n, err := f.Read(p)
	fmt.Fprintf(&s.out, "read %s\n", brief(p[:n]))
	return err
}

func text(word string) []byte {
	if char, count, ok := strings.Cut(word, "*"); ok {
		n, err := strconv.Atoi(count)
		if err != nil {
			panic(err)
		}
		return []byte(strings.Repeat(char, n))
	}
	return []byte(word)
}

// brief prints contents; long runs of a byte as byte*count, zeros as 0.
func brief(p []byte) string {
	var parts []string
	for len(p) > 0 {
		n := 1
		for n < len(p) && p[n] == p[0] {
			n++
		}
		char := string(p[:1])
		if p[0] == 0 {
			char = "0"
		}
		if n >= 4 {
			parts = append(parts, fmt.Sprintf(" %s*%d ", char, n))
		} else {
			parts = append(parts, strings.Repeat(char, n))
		}
		p = p[n:]
	}
	return strings.TrimSpace(strings.ReplaceAll(strings.Join(parts, ""), "  ", " "))
}

// tree lists the disk: names, and contents of files.
func (s *script) tree() string {
	var b strings.Builder
	fs := s.disk.FS()
	var walk func(dir string)
	walk = func(dir string) {
		names, err := fs.List(dir)
		if err != nil {
			panic(err)
		}
		for _, name := range names {
			path := strings.TrimPrefix(dir+"/"+name, "/")
			info, err := fs.Stat(path)
			if err != nil {
				panic(err)
			}
			if info.IsDir() {
				fmt.Fprintf(&b, "  %s/\n", path)
				walk(path)
				continue
			}
			f, err := fs.Open(path)
			if err != nil {
				panic(err)
			}
			data := make([]byte, info.Size())
			if len(data) > 0 {
				if _, err := f.ReadAt(data, 0); err != nil {
					fmt.Fprintf(&b, "  %s: %v\n", path, err)
					continue
				}
			}
			fmt.Fprintf(&b, "  %s: %s\n", path, brief(data))
		}
	}
	walk("")
	if b.Len() == 0 {
		return "  (empty)\n"
	}
	return b.String()
}
