package workload

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// longFork writes groups of keys, each key once, blindly, and in a transaction of
// its own, while others read all keys of a group at once. Writers of different
// keys know nothing of each other, so only the readers can tell that their writes
// have an order: if one reader sees the first and not the second, and another one
// the second and not the first, the database has forked (Jepsen's long-fork test;
// the anomaly that parallel snapshot isolation allows). The keys of a group are
// all over the regions. Parameters: read, the share of reads in per mille; groups,
// how many groups are written at a time.
type longFork struct {
	members []string // what the keys of a group begin with
	reads   int
	groups  []*forkGroup // those that are written, and the last ones that were
	open    int
	next    int
	probes  int
}

// forkGroup is one group of keys.
type forkGroup struct {
	keys []string
	free []string // those that nobody has written, or is writing
}

const (
	forkPrefix = "fork/"
	// forkKept is how many groups that are written are still read, by readers that
	// may be behind.
	forkKept = 2
	// forkPage is how many keys are read by one scan in the end.
	forkPage = 50
	// forkLinger bounds the pause between two reads of one reader.
	forkLinger = int(40 * time.Millisecond)
)

func newLongFork(cfg Config) *longFork {
	return &longFork{members: Keys(forkPrefix, cfg.Keys), reads: cfg.param("read"), open: cfg.param("groups")}
}

// Header implements Workload.
func (*longFork) Header(h *history.Header) { h.WriteOnce = true }

// Setup implements Workload: every key begins absent.
func (w *longFork) Setup(t env.Task, s *Session) error {
	return s.reading(t, func(x *txn) error {
		_, err := x.read(t, w.members[0])
		return err
	})
}

// Step implements Workload.
func (w *longFork) Step(t env.Task, s *Session, r *stream.Stream) {
	w.refill()
	if r.PerMille(w.reads) {
		w.read(t, s, r, w.groups[r.IntN(len(w.groups))])
		return
	}
	var open []*forkGroup
	for _, g := range w.groups {
		if len(g.free) > 0 {
			open = append(open, g)
		}
	}
	w.write(t, s, r, open[r.IntN(len(open))])
}

// refill begins groups for those of which every key is taken, and forgets the
// oldest of these.
func (w *longFork) refill() {
	taken := func(g *forkGroup) bool { return len(g.free) == 0 }
	full := 0
	for _, g := range w.groups {
		if taken(g) {
			full++
		}
	}
	for ; full > forkKept; full-- {
		oldest := slices.IndexFunc(w.groups, taken)
		w.groups = slices.Delete(w.groups, oldest, oldest+1)
	}
	for len(w.groups)-full < w.open {
		g := &forkGroup{}
		for _, m := range w.members {
			g.keys = append(g.keys, fmt.Sprintf("%s/%06d", m, w.next))
		}
		g.free = slices.Clone(g.keys)
		w.groups = append(w.groups, g)
		w.next++
	}
}

// write writes a key of the group that nobody has written. One whose writer has
// failed for certain is free again.
func (*longFork) write(t env.Task, s *Session, r *stream.Stream, g *forkGroup) {
	i := r.IntN(len(g.free))
	key := g.free[i]
	g.free = slices.Delete(g.free, i, i+1)
	err := s.transaction(t, func(x *txn) error {
		if x.locking() {
			if err := x.lock(t, key); err != nil {
				return err
			}
		}
		x.write(key, fmt.Sprintf("%d.%d", s.ID, s.Steps()))
		return nil
	})
	if err != nil && !errors.Is(err, client.ErrUndetermined) {
		g.free = append(g.free, key)
	}
}

// read reads all keys of a group: at once, or one after the other in any order and
// at leisure, so that others with later snapshots read before it does.
func (*longFork) read(t env.Task, s *Session, r *stream.Stream, g *forkGroup) {
	order := pick(r, g.keys, len(g.keys))
	singly, pause := r.PerMille(500), time.Duration(r.IntN(forkLinger))
	_ = s.reading(t, func(x *txn) error {
		if !singly {
			_, err := x.readAll(t, order)
			return err
		}
		for _, key := range order {
			if _, err := x.read(t, key); err != nil {
				return err
			}
			t.Sleep(pause)
		}
		return nil
	})
}

// Probe implements Workload: it writes another group.
func (w *longFork) Probe(t env.Task, s *Session) error {
	w.probes++
	return s.transaction(t, func(x *txn) error {
		for _, m := range w.members {
			x.write(fmt.Sprintf("%s/probe.%04d", m, w.probes), fmt.Sprintf("probe.%d", w.probes))
		}
		return nil
	})
}

// Audit implements Workload. It turns pages: there are many keys.
func (*longFork) Audit(t env.Task, s *Session) error {
	return s.reading(t, func(x *txn) error { return x.pages(t, forkPrefix, after(forkPrefix), forkPage, false) })
}
