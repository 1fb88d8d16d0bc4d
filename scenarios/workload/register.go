package workload

import (
	"fmt"

	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// register reads, writes and compares-and-swaps a few hot keys through the raw
// interface. Every value is written once, so that a read tells which write it
// saw. Parameters: write and cas, the shares of writes and of compare-and-swap
// in per mille; delete, the share of writes that delete.
type register struct {
	cfg                     Config
	names                   []string
	writes, swaps, deletion int
}

func newRegister(cfg Config) *register {
	return &register{
		cfg:      cfg,
		names:    keys("reg/", cfg.Keys),
		writes:   cfg.param("write", 350),
		swaps:    cfg.param("cas", 250),
		deletion: cfg.param("delete", 50),
	}
}

// Header implements Workload.
func (*register) Header(*history.Header) {}

// Setup implements Workload: the registers begin absent.
func (*register) Setup(t env.Task, s *Session) error {
	_, _, err := s.Raw.RawGet(t, []byte("reg/"))
	return err
}

// Step implements Workload.
func (w *register) Step(t env.Task, s *Session, r *stream.Stream) {
	key := w.names[r.IntN(len(w.names))]
	value := fmt.Sprintf("%d.%d", s.ID, s.Steps())
	switch draw := r.IntN(1000); {
	case draw < w.writes:
		if r.PerMille(w.deletion) {
			w.put(t, s, key, nil)
		} else {
			w.put(t, s, key, &value)
		}
	case draw < w.writes+w.swaps:
		w.swap(t, s, key, value)
	default:
		_ = w.read(t, s, key)
	}
}

// Audit implements Workload.
func (w *register) Audit(t env.Task, s *Session) error {
	for _, key := range w.names {
		if err := w.read(t, s, key); err != nil {
			return err
		}
	}
	return nil
}

func (w *register) read(t env.Task, s *Session, key string) error {
	op := s.begin(history.Op{Kind: history.Read, Key: key})
	value, ok, err := s.Raw.RawGet(t, []byte(key))
	if err == nil {
		op.Value = optional(value, ok)
	}
	return s.end(op, err)
}

// put writes a value, or deletes the key if there is none.
func (w *register) put(t env.Task, s *Session, key string, value *string) {
	op := s.begin(history.Op{Kind: history.Write, Key: key, Value: value})
	var err error
	if value == nil {
		err = s.Raw.RawDelete(t, []byte(key))
	} else {
		err = s.Raw.RawPut(t, []byte(key), []byte(*value))
	}
	_ = s.end(op, err)
}

// swap reads the key and then exchanges what it has read for a new value.
func (w *register) swap(t env.Task, s *Session, key, value string) {
	read := s.begin(history.Op{Kind: history.Read, Key: key})
	current, ok, err := s.Raw.RawGet(t, []byte(key))
	if err == nil {
		read.Value = optional(current, ok)
	}
	if s.end(read, err) != nil {
		return
	}
	op := s.begin(history.Op{Kind: history.CAS, Key: key, Expected: read.Value, Value: &value})
	expected := current
	if !ok {
		expected = nil
	}
	swapped, _, err := s.Raw.RawCompareAndSwap(t, []byte(key), expected, []byte(value))
	op.Swapped = err == nil && swapped
	_ = s.end(op, err)
}
