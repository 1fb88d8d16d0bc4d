package workload

import (
	"cmp"
	"fmt"
	"strings"

	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// writeSkew keeps pairs of doctors of whom one should be on call. A transaction
// reads both and changes one: whoever goes off call writes so, or deletes the
// key, which whoever comes back inserts again. Under snapshot isolation two of them may each
// take a different doctor off call: write skew, which is allowed. For the last
// of the pairs the transaction locks both keys first, as SELECT FOR UPDATE does,
// and then write skew is a violation. Parameters: locked, the share of pairs that
// are locked in per mille; if all are, every cycle of dependencies is one.
type writeSkew struct {
	pairs  []string
	locked int // the pairs from here on
	probes int
}

const (
	pairPrefix = "pair/"
	onCall     = "on"
	offCall    = "off"
)

func newWriteSkew(cfg Config) *writeSkew {
	return &writeSkew{
		pairs:  Keys(pairPrefix, cfg.Keys),
		locked: cfg.Keys - (cfg.Keys*cfg.param("locked")+999)/1000,
	}
}

// Header implements Workload.
func (w *writeSkew) Header(h *history.Header) {
	if w.locked == 0 {
		h.Consistency = history.Serializable
	}
}

// Setup implements Workload.
func (w *writeSkew) Setup(t env.Task, s *Session) error {
	return s.transaction(t, func(x *txn) error {
		first, err := x.read(t, doctor(w.pairs[0], 0))
		if err != nil || first != "" {
			return err
		}
		for _, p := range w.pairs {
			for i := range 2 {
				x.write(doctor(p, i), onCall)
			}
		}
		return nil
	})
}

// Step implements Workload.
func (w *writeSkew) Step(t env.Task, s *Session, r *stream.Stream) {
	n := r.IntN(len(w.pairs))
	me, other := doctor(w.pairs[n], 0), doctor(w.pairs[n], 1)
	if r.PerMille(500) {
		me, other = other, me
	}
	leave := r.PerMille(300)
	locked := n >= w.locked
	_ = s.transaction(t, func(x *txn) error {
		if locked {
			if err := x.lock(t, me, other); err != nil {
				return err
			}
		}
		states, err := w.states(t, x, me, other, locked)
		if err != nil {
			return err
		}
		switch {
		case states[me] == "":
			return x.insert(t, me, fmt.Sprintf("%s %d.%d", onCall, s.ID, s.Steps()))
		case word(states[me]) == offCall:
			x.write(me, fmt.Sprintf("%s %d.%d", onCall, s.ID, s.Steps()))
		case word(states[other]) == onCall && leave:
			x.remove(me)
		case word(states[other]) == onCall:
			x.write(me, fmt.Sprintf("%s %d.%d", offCall, s.ID, s.Steps()))
		}
		return nil // the last one on call stays
	})
}

// states reads the states of both. A pessimistic transaction locks what it is
// going to write, and the other one only if both are to be locked.
func (*writeSkew) states(t env.Task, x *txn, me, other string, locked bool) (map[string]string, error) {
	if locked || !x.locking() {
		return x.readAll(t, []string{me, other})
	}
	mine, err := x.read(t, me)
	if err != nil {
		return nil, err
	}
	x.plain = true
	theirs, err := x.read(t, other)
	x.plain = false
	return map[string]string{me: mine, other: theirs}, err
}

// Probe implements Workload: it writes everybody's state again. Who has none is
// off call.
func (w *writeSkew) Probe(t env.Task, s *Session) error {
	w.probes++
	return s.transaction(t, func(x *txn) error {
		var all []string
		for _, p := range w.pairs {
			all = append(all, doctor(p, 0), doctor(p, 1))
		}
		states, err := x.readAll(t, all)
		if err != nil {
			return err
		}
		for _, p := range w.pairs {
			for i := range 2 {
				d := doctor(p, i)
				x.write(d, fmt.Sprintf("%s probe.%d", cmp.Or(word(states[d]), offCall), w.probes))
			}
		}
		return nil
	})
}

// Audit implements Workload.
func (w *writeSkew) Audit(t env.Task, s *Session) error {
	return s.reading(t, func(x *txn) error {
		_, err := x.scan(t, pairPrefix, after(pairPrefix), 0, false)
		return err
	})
}

func doctor(pair string, i int) string { return fmt.Sprintf("%s/%d", pair, i) }

// word returns the state of a doctor: the value up to the mark that makes every
// written value unique.
func word(value string) string {
	state, _, _ := strings.Cut(value, " ")
	return state
}
