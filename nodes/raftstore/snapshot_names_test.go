package raftstore

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3"
)

// faultyReads is a file system that fails to open, or to read, snapshots that are
// to be sent, as long as there are failures left.
type faultyReads struct {
	vfs.FS
	opens, reads int
}

func (f *faultyReads) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if err != nil || !strings.Contains(name, outgoingFile+"-") {
		return file, err
	}
	if f.opens > 0 {
		f.opens--
		_ = file.Close()
		return nil, errInjectedRead
	}
	return &faultyFile{file, f}, nil
}

type faultyFile struct {
	vfs.File
	of *faultyReads
}

func (f *faultyFile) ReadAt(p []byte, at int64) (int, error) {
	if f.of.reads > 0 {
		f.of.reads--
		return 0, errInjectedRead
	}
	return f.File.ReadAt(p, at)
}

type readError struct{}

func (readError) Error() string { return "injected" }

var errInjectedRead error = readError{}

// A snapshot that cannot be opened or read is made anew, and has the same name if
// the region is idle. The end of the first one must not take the file of the
// second: the follower would never get it, for nothing else changes.
func TestSnapshotMadeAnewUnderTheSameName(t *testing.T) {
	for name, faults := range map[string]faultyReads{"open": {opens: 3}, "read": {reads: 3}} {
		t.Run(name, func(t *testing.T) {
			kept, unreadable := reached("snapshot that nobody needs has the name of one that is needed"), reached("snapshot to be sent is damaged")
			c := newCluster(t, clusterOptions{seed: 5, raft: eagerGC()})
			lag(c, 2)
			leader := c.waitLeader("")
			faults.FS = leader.snaps.fs
			leader.snaps.fs = &faults
			c.stores[2].node.Start()
			p := leader.byRegion[1]
			applied := p.applied
			c.soon("failure", func() bool { return unreadable() > 0 })
			old := p.outgoing
			old.sends++ // as if it were being sent to somebody else as well
			if _, err := p.generateSnapshot(); !errors.Is(err, raft.ErrSnapshotTemporarilyUnavailable) || p.outgoing == old {
				t.Fatalf("not made anew: %v", err)
			}
			c.soon("another snapshot", func() bool { return p.outgoing.ready })
			old.sends--
			leader.collectOutgoing()
			if p.outgoing.id != old.id || kept() != 1 {
				t.Fatalf("%+v, then %+v", old.id, p.outgoing.id)
			}
			c.until("snapshot", func() bool { return c.snapshots > 0 })
			if p.applied != applied || !p.isLeader() {
				t.Errorf("not idle: applied %d, then %d", applied, p.applied)
			}
			c.converged()
			c.tidy()
			if kept() == 0 || unreadable() < 3 {
				t.Errorf("%d names kept, %d times unreadable", kept(), unreadable())
			}
		})
	}
}

// Of two snapshots of one name the one that is needed keeps the file, whichever
// ends first.
func TestSnapshotNameIsShared(t *testing.T) {
	for first, name := range []string{"the older ends first", "the newer ends first"} {
		t.Run(name, func(t *testing.T) { endSharedName(t, first) })
	}
}

func endSharedName(t *testing.T, first int) {
	c := newCluster(t, clusterOptions{seed: 5, raft: eagerGC()})
	lag(c, 2)
	leader := c.waitLeader("")
	p := leader.byRegion[1]
	var both [2]*outgoing
	for i := range both {
		p.makeSnapshot()
		both[i] = p.outgoing
		both[i].sends++ // as if it were being sent
		c.soon("snapshot", func() bool { return both[i].ready })
	}
	if both[0].id != both[1].id {
		t.Fatalf("%+v, then %+v", both[0].id, both[1].id)
	}
	files := func() int {
		names, err := SnapshotFiles(leader.node.Disk().FS())
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	for i, want := range []int{1, 0} {
		o := both[(first+i)%2]
		o.sends, o.stale = 0, true
		leader.collectOutgoing()
		if got := files(); got != want {
			t.Errorf("%d files when %d of 2 have ended", got, i+1)
		}
	}
}
