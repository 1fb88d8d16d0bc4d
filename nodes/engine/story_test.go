package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"simrun/sim/disk"
)

// TestStories plays the stories of testdata: batches, reads, snapshots,
// background work, crashes. The commands are
//
//	open                                 opens the database (again, after a crash)
//	write [unsynced]                     writes the batch given line by line:
//	                                     put CF KEY VALUE, delete CF KEY,
//	                                     delete-range CF START END, fill CF COUNT SIZE
//	sync, flush, run FOR, metrics
//	get [snapshot=NAME]                  CF KEY line by line
//	snapshot NAME, close-snapshot NAME
//	iter cf=CF [lower=KEY] [upper=KEY] [snapshot=NAME]   moves line by line
//	crash kill|power-loss
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{t: t, machine: newMachine(1, disk.DefaultConfig())}
		s.machine.disk.SetObserver(func(op disk.Op) {
			if op.Kind == disk.OpRemove {
				s.deletions++
			}
		})
		datadriven.RunTest(t, path, s.command)
	})
}

type story struct {
	t         *testing.T
	machine   *machine
	db        *DB
	snapshots map[string]*Snapshot
	deletions int // of files, since the database was opened
}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "open":
		s.db = reopen(t, s.machine, smallOptions())
		s.snapshots, s.deletions = map[string]*Snapshot{}, 0
		return ""
	case "write":
		return s.write(d)
	case "sync":
		return outcome(s.db.Sync())
	case "flush":
		return outcome(s.db.Flush())
	case "run":
		duration, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.machine.run(duration)
		return ""
	case "metrics":
		m := s.db.p.Metrics()
		total := m.Total()
		return fmt.Sprintf("logged=%d flushes=%d compactions=%d deletions=%d L0=%d tables=%d\n",
			m.WAL.BytesIn, m.Flush.Count, m.Compact.Count, s.deletions, m.Levels[0].TablesCount, total.TablesCount)
	case "get":
		return s.get(d)
	case "snapshot":
		s.snapshots[d.CmdArgs[0].Key] = s.db.NewSnapshot()
		return ""
	case "close-snapshot":
		s.snapshots[d.CmdArgs[0].Key].Close()
		return ""
	case "iter":
		return s.iter(d)
	case "crash":
		kind := map[string]disk.CrashKind{"kill": disk.ProcessKill, "power-loss": disk.PowerLoss}[d.CmdArgs[0].Key]
		s.machine.crash(kind)
		s.db.Close()
		return ""
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
		return ""
	}
}

func outcome(err error) string {
	if err != nil {
		return err.Error() + "\n"
	}
	return ""
}

func (s *story) write(d *datadriven.TestData) string {
	b := s.db.NewBatch()
	defer b.Close()
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		cf, err := ParseCF(f[1])
		if err != nil {
			return outcome(err)
		}
		switch f[0] {
		case "put":
			b.Put(cf, []byte(f[2]), []byte(f[3]))
		case "delete":
			b.Delete(cf, []byte(f[2]))
		case "delete-range":
			b.DeleteRange(cf, []byte(f[2]), []byte(f[3]))
		case "fill":
			var count, size int
			_, _ = fmt.Sscan(f[2]+" "+f[3], &count, &size)
			for i := range count {
				b.Put(cf, fmt.Appendf(nil, "fill%05d", i), []byte(strings.Repeat("x", size)))
			}
		default:
			s.t.Fatalf("%s: unknown write %q", d.Pos, line)
		}
	}
	if d.HasArg("unsynced") {
		return outcome(s.db.WriteUnsynced(b))
	}
	return outcome(s.db.Write(b))
}

func (s *story) reader(d *datadriven.TestData) Reader {
	if d.HasArg("snapshot") {
		var name string
		d.ScanArgs(s.t, "snapshot", &name)
		return s.snapshots[name]
	}
	return s.db
}

func (s *story) get(d *datadriven.TestData) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		cf, err := ParseCF(f[0])
		if err != nil {
			return outcome(err)
		}
		value, err := s.reader(d).Get(cf, []byte(f[1]))
		switch {
		case err != nil:
			fmt.Fprintln(&out, err)
		case value == nil:
			fmt.Fprintln(&out, "-")
		case len(value) > 20:
			fmt.Fprintf(&out, "%d bytes\n", len(value))
		default:
			fmt.Fprintf(&out, "%s\n", value)
		}
	}
	return out.String()
}

func (s *story) iter(d *datadriven.TestData) string {
	var opts IterOptions
	var cfName, lower, upper string
	d.ScanArgs(s.t, "cf", &cfName)
	if d.HasArg("lower") {
		d.ScanArgs(s.t, "lower", &lower)
		opts.Lower = []byte(lower)
	}
	if d.HasArg("upper") {
		d.ScanArgs(s.t, "upper", &upper)
		opts.Upper = []byte(upper)
	}
	cf, err := ParseCF(cfName)
	if err != nil {
		return outcome(err)
	}
	it, err := s.reader(d).NewIter(cf, opts)
	if err != nil {
		return outcome(err)
	}
	defer it.Close()
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		switch f[0] {
		case "first":
			it.First()
		case "last":
			it.Last()
		case "next":
			it.Next()
		case "prev":
			it.Prev()
		case "seek-ge":
			it.SeekGE([]byte(f[1]))
		case "seek-lt":
			it.SeekLT([]byte(f[1]))
		case "set-bounds":
			it.SetBounds(IterOptions{Lower: []byte(f[1]), Upper: []byte(f[2])})
		default:
			s.t.Fatalf("%s: unknown move %q", d.Pos, line)
		}
		if it.Valid() {
			fmt.Fprintf(&out, "%s=%s ", it.Key(), it.Value())
		} else {
			out.WriteString(". ")
		}
	}
	return strings.TrimRight(out.String(), " ") + "\n"
}
