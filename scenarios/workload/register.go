package workload

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// register reads, writes and compares-and-swaps a few hot keys through the raw
// interface, one by one, in batches and by scans. Every value is written once, so
// that a read tells which write it saw. Parameters: write and cas, the shares of
// writes and of compare-and-swap in per mille; delete, the share of writes that
// delete; batch and scan, the shares of operations on several keys, in per mille of
// all; hot, the share of the others that are about one of the first hotKeys
// registers.
//
// Deciding linearizability takes time exponential in the number of writes of
// unknown outcome, each of which may take effect at any time. So a register
// that has collected unknownMax of them is retired: its successor has the same
// name with one more dot, and lies in the same region.
type register struct {
	writes, swaps, deletion int
	batches, scans, hot     int
	valueBytes              int            // values are no shorter
	current                 []string       // the registers in use
	all                     []string       // and the retired ones before them
	unknown                 map[string]int // writes of unknown outcome
	probes                  int
	probed                  int // keys that the probe under way has written
}

const (
	registerPrefix = "reg/"
	unknownMax     = 6
	hotKeys        = 4
	// createRate is the share of swaps, in per mille, that do not read first but
	// expect the register to be absent.
	createRate = 150
)

func newRegister(cfg Config) *register {
	return &register{
		current:  Keys(registerPrefix, cfg.Keys),
		all:      Keys(registerPrefix, cfg.Keys),
		unknown:  map[string]int{},
		writes:   cfg.param("write"),
		swaps:    cfg.param("cas"),
		deletion: cfg.param("delete"),
		batches:  cfg.param("batch"),
		scans:    cfg.param("scan"),
		hot:      cfg.param("hot"),

		valueBytes: cfg.param("value-bytes"),
	}
}

// Header implements Workload.
func (*register) Header(*history.Header) {}

// Setup implements Workload: the registers begin absent.
func (*register) Setup(t env.Task, s *Session) error {
	_, _, err := s.Raw.RawGet(t, []byte(registerPrefix))
	return err
}

// Step implements Workload.
func (w *register) Step(t env.Task, s *Session, r *stream.Stream) {
	among := w.current
	if w.hot > 0 && r.PerMille(w.hot) {
		among = among[:min(hotKeys, len(among))]
	}
	key := among[r.IntN(len(among))]
	value := w.filled(fmt.Sprintf("%d.%d", s.ID, s.Steps()))
	switch draw := r.IntN(1000); {
	case draw < w.writes:
		if r.PerMille(w.deletion) {
			_ = w.put(t, s, key, nil)
		} else {
			_ = w.put(t, s, key, &value)
		}
	case draw < w.writes+w.swaps && r.PerMille(createRate):
		w.create(t, s, key, value, r.PerMille(500))
	case draw < w.writes+w.swaps:
		w.swap(t, s, key, value)
	case draw < w.writes+w.swaps+w.batches:
		w.batch(t, s, r)
	case draw < w.writes+w.swaps+w.batches+w.scans:
		w.scanSome(t, s, r)
	default:
		_ = w.read(t, s, key)
	}
}

// filled is a value of the length that is asked for.
func (w *register) filled(value string) string {
	return value + strings.Repeat(".", max(w.valueBytes-len(value), 0))
}

// Probe implements Workload.
func (w *register) Probe(t env.Task, s *Session) error {
	if !s.Onward {
		w.probed = 0
	}
	for i, key := range slices.Clone(w.current) {
		if i < w.probed {
			continue
		}
		w.probes++
		value := w.filled(fmt.Sprintf("probe.%d", w.probes))
		if err := w.put(t, s, key, &value); err != nil {
			return err
		}
		w.probed++
	}
	w.probed = 0
	return nil
}

// wrote notes the outcome of a write and retires a register of too many unknown
// ones.
func (w *register) wrote(key string, err error) error {
	if !errors.Is(err, client.ErrUndetermined) {
		return err
	}
	w.unknown[key]++
	if i := slices.Index(w.current, key); i >= 0 && w.unknown[key] >= unknownMax {
		w.current[i] = key + "."
		w.all = append(w.all, w.current[i])
	}
	return err
}

// Audit implements Workload.
func (w *register) Audit(t env.Task, s *Session) error {
	for _, key := range w.all {
		if err := w.read(t, s, key); err != nil {
			return err
		}
	}
	if w.scans == 0 {
		return nil
	}
	return w.scan(t, s, scan{start: registerPrefix, end: after(registerPrefix)})
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
func (w *register) put(t env.Task, s *Session, key string, value *string) error {
	op := s.begin(history.Op{Kind: history.Write, Key: key, Value: value})
	var err error
	if value == nil {
		err = s.Raw.RawDelete(t, []byte(key))
	} else {
		err = s.Raw.RawPut(t, []byte(key), []byte(*value))
	}
	return w.wrote(key, s.end(op, err))
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
	w.exchange(t, s, key, read.Value, value)
}

// create writes a register that must be absent, after it has deleted it if told
// to.
func (w *register) create(t env.Task, s *Session, key, value string, deleted bool) {
	if deleted && w.put(t, s, key, nil) != nil {
		return
	}
	w.exchange(t, s, key, nil, value)
}

// exchange compares and swaps.
func (w *register) exchange(t env.Task, s *Session, key string, expected *string, value string) {
	op := s.begin(history.Op{Kind: history.CAS, Key: key, Expected: expected, Value: &value})
	var previous []byte
	if expected != nil {
		previous = []byte(*expected)
	}
	swapped, _, err := s.Raw.RawCompareAndSwap(t, []byte(key), previous, []byte(value))
	op.Swapped = err == nil && swapped
	_ = w.wrote(key, s.end(op, err))
}
