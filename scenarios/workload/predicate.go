package workload

import (
	"fmt"
	"slices"
	"time"

	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// predicate keeps bookings of slots: a slot is booked if its key is there. Clients
// read by predicate only - the bookings from one slot to another, forward or
// backward, all or the first few of them - and change what the predicates of
// others select: they book a slot that they saw free if less than half of a range
// is booked, cancel one of the first few that they find, and move bookings. Within
// one snapshot there are no phantoms; but two transactions that count the same range
// may both book in it, which snapshot isolation allows (predicate write skew, Adya's
// G2). Some book without looking, so that several insert one key at a time, of whom
// one succeeds; some of them only want to know whether the slot is free. Parameters:
// read, the share of transactions that only read in per mille; claim, the share of
// bookings without a look among the changes; linger, the most milliseconds that a
// reader waits before it reads its range again.
type predicate struct {
	slots  []string
	reads  int
	claims int
	linger int
	probes int
}

const slotPrefix = "slot/"

func newPredicate(cfg Config) *predicate {
	return &predicate{
		slots: Keys(slotPrefix, cfg.Keys),
		reads: cfg.param("read"), claims: cfg.param("claim"), linger: cfg.param("linger"),
	}
}

// slotRange is some slots that follow one another, and how they are read.
type slotRange struct {
	slots      []string
	start, end string
	reverse    bool
}

// draw chooses a range of at least one slot.
func (w *predicate) draw(r *stream.Stream) slotRange {
	from, to := r.IntN(len(w.slots)), r.IntN(len(w.slots))
	from, to = min(from, to), max(from, to)+1
	sr := slotRange{slots: w.slots[from:to], start: w.slots[from], end: after(slotPrefix), reverse: r.PerMille(400)}
	if to < len(w.slots) {
		sr.end = w.slots[to]
	}
	return sr
}

// find reads the bookings of a range, at most limit of them.
func (sr *slotRange) find(t env.Task, x *txn, limit int) (booked []string, err error) {
	pairs, err := x.scan(t, sr.start, sr.end, limit, sr.reverse)
	for _, p := range pairs {
		booked = append(booked, p.Key)
	}
	return booked, err
}

// Header implements Workload.
func (*predicate) Header(*history.Header) {}

// Setup implements Workload: every fourth slot is booked.
func (w *predicate) Setup(t env.Task, s *Session) error {
	return s.transaction(t, func(x *txn) error {
		first, err := x.read(t, w.slots[0])
		if err != nil || first != "" {
			return err
		}
		for i := 0; i < len(w.slots); i += 4 {
			x.write(w.slots[i], "setup")
		}
		return nil
	})
}

// Step implements Workload.
func (w *predicate) Step(t env.Task, s *Session, r *stream.Stream) {
	value := fmt.Sprintf("%d.%d", s.ID, s.Steps())
	sr := w.draw(r)
	switch {
	case r.PerMille(w.reads):
		w.read(t, s, r, sr)
	case r.PerMille(w.claims):
		c := claim{slot: sr.slots[r.IntN(len(sr.slots))], first: w.slots[r.IntN(len(w.slots))]}
		c.after, c.lazy, c.undo = r.PerMille(500), r.PerMille(400), r.PerMille(250)
		_ = s.transaction(t, func(x *txn) error { return c.book(t, x, value) })
	default:
		change := []func(env.Task, *txn, *stream.Stream, slotRange, string) error{book, cancel, move}[r.IntN(3)]
		_ = s.transaction(t, func(x *txn) error { return change(t, x, r, sr, value) })
	}
}

// read reads a range, another one, and the first once more and the other way
// round, all of one snapshot.
func (w *predicate) read(t env.Task, s *Session, r *stream.Stream, sr slotRange) {
	other, limit := w.draw(r), r.IntN(5)
	paged := r.PerMille(300)
	pause := time.Duration(r.IntN(w.linger+1)) * time.Millisecond
	_ = s.reading(t, func(x *txn) error {
		if _, err := sr.find(t, x, 0); err != nil {
			return err
		}
		if _, err := other.find(t, x, limit); err != nil {
			return err
		}
		t.Sleep(pause)
		if paged {
			return x.pages(t, sr.start, sr.end, 1+limit, !sr.reverse)
		}
		_, err := x.scan(t, sr.start, sr.end, 0, !sr.reverse)
		return err
	})
}

// book books a free slot, if less than half of the range is booked.
func book(t env.Task, x *txn, r *stream.Stream, sr slotRange, value string) error {
	booked, err := sr.find(t, x, 0)
	if err != nil || 2*len(booked) >= len(sr.slots) {
		return err
	}
	return x.insert(t, sr.free(r, booked), value)
}

// claim is a booking without a look at the slot.
type claim struct {
	slot, first string
	// after: another slot, first, is locked before; lazy: the commit finds out whether the
	// slot is free; undo: it is given up again.
	after, lazy, undo bool
}

func (c *claim) book(t env.Task, x *txn, value string) error {
	x.lazy = c.lazy
	if c.after && c.first != c.slot {
		if err := x.lock(t, c.first); err != nil {
			return err
		}
	}
	if err := x.insert(t, c.slot, value); err != nil {
		return err
	}
	if c.undo {
		x.remove(c.slot)
	}
	return nil
}

// cancel cancels the last of the first few bookings.
func cancel(t env.Task, x *txn, r *stream.Stream, sr slotRange, _ string) error {
	booked, err := sr.find(t, x, 1+r.IntN(3))
	if err != nil || len(booked) == 0 {
		return err
	}
	_, err = x.take(t, booked[len(booked)-1])
	return err
}

// move moves a booking to a free slot, so that the range has as many as before.
func move(t env.Task, x *txn, r *stream.Stream, sr slotRange, value string) error {
	booked, err := sr.find(t, x, 0)
	if err != nil || len(booked) == 0 || len(booked) == len(sr.slots) {
		return err
	}
	taken, err := x.take(t, booked[r.IntN(len(booked))])
	if err != nil || !taken {
		return err
	}
	return x.insert(t, sr.free(r, booked), value)
}

// free returns one of the slots that are not booked, of which there is one.
func (sr *slotRange) free(r *stream.Stream, booked []string) string {
	var free []string
	for _, slot := range sr.slots {
		if !slices.Contains(booked, slot) {
			free = append(free, slot)
		}
	}
	return free[r.IntN(len(free))]
}

// take removes a booking, if it is still there: a pessimistic transaction locks it
// only now.
func (x *txn) take(t env.Task, slot string) (bool, error) {
	value, err := x.read(t, slot)
	if err != nil || value == "" {
		return false, err
	}
	x.remove(slot)
	return true, nil
}

// Probe implements Workload: it books every slot anew.
func (w *predicate) Probe(t env.Task, s *Session) error {
	w.probes++
	return s.transaction(t, func(x *txn) error {
		for _, slot := range w.slots {
			x.write(slot, fmt.Sprintf("probe.%d", w.probes))
		}
		return nil
	})
}

// Audit implements Workload.
func (*predicate) Audit(t env.Task, s *Session) error {
	return s.reading(t, func(x *txn) error {
		_, err := x.scan(t, slotPrefix, after(slotPrefix), 0, false)
		return err
	})
}
