package workload

import (
	"fmt"
	"math"
	"time"

	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// appends reads lists and appends to them, several keys in one transaction.
// Every element is unique, so a list tells the order of the transactions that
// wrote it. Lists soon outgrow the size of a value that is stored in its commit
// record. Parameters: keys-per-txn, the most keys of a transaction; read, the
// share of keys that are only read in per mille; length, the number of elements
// after which a list is only read; scan, the share of transactions in per mille
// that read all lists by scans; linger, the most milliseconds that such a
// transaction waits before it does so once more; locked, 1 if the others lock every
// key that they read, whether they append to it or not: then they are serializable,
// together with the scans, for each of them is as if it did everything at the
// instant of its commit; large, the share of transactions in per mille that read
// many lists at once and append to all of them; large-keys, the most lists of those;
// newest and past, see instants.
type appends struct {
	instants instants
	lists    []string
	width    int
	reads    int
	length   int
	scans    int
	linger   int
	locked   bool
	large    int
	widest   int
	probes   int
}

const listPrefix = "list/"

func newAppend(cfg Config) *appends {
	return &appends{
		instants: newInstants(&cfg),
		lists:    Keys(listPrefix, cfg.Keys),
		width:    cfg.param("keys-per-txn"),
		reads:    cfg.param("read"),
		length:   cfg.param("length"),
		scans:    cfg.param("scan"),
		linger:   cfg.param("linger"),
		locked:   cfg.param("locked") == 1,
		large:    cfg.param("large"),
		widest:   cfg.param("large-keys"),
	}
}

// Header implements Workload.
func (w *appends) Header(h *history.Header) {
	if w.locked {
		h.Consistency = history.Serializable
	}
}

// Setup implements Workload: the lists begin absent.
func (w *appends) Setup(t env.Task, s *Session) error {
	return s.transaction(t, func(x *txn) error {
		_, err := x.read(t, w.lists[0])
		return err
	})
}

// Step implements Workload.
func (w *appends) Step(t env.Task, s *Session, r *stream.Stream) {
	if w.instants.step(t, s, r, w.lists, listPrefix) {
		return
	}
	if r.PerMille(w.scans) {
		page, reverse := 1+r.IntN(len(w.lists)), r.PerMille(500)
		pause := time.Duration(r.IntN(w.linger+1)) * time.Millisecond
		_ = s.reading(t, func(x *txn) error {
			err := x.pages(t, listPrefix, after(listPrefix), page, reverse)
			if err != nil || pause == 0 {
				return err
			}
			t.Sleep(pause)
			return x.pages(t, listPrefix, after(listPrefix), page, !reverse)
		})
		return
	}
	if w.large > 0 && r.PerMille(w.large) {
		chosen, element := pick(r, w.lists, 1+r.IntN(w.widest)), fmt.Sprintf("%d.%d", s.ID, s.Steps())
		_ = s.transaction(t, func(x *txn) error { return x.appendAll(t, chosen, w.length, element) })
		return
	}
	chosen := pick(r, w.lists, 1+r.IntN(w.width))
	_ = s.transaction(t, func(x *txn) error {
		for i, key := range chosen {
			if w.locked && !x.locking() {
				if err := x.lock(t, key); err != nil {
					return err
				}
			}
			list, err := x.read(t, key)
			if err != nil {
				return err
			}
			if r.PerMille(w.reads) || elements(list) >= w.length {
				continue
			}
			x.append(key, list, fmt.Sprintf("%d.%d.%d", s.ID, s.Steps(), i))
		}
		return nil
	})
}

// Probe implements Workload: it appends to every list.
func (w *appends) Probe(t env.Task, s *Session) error {
	w.probes++
	if w.large > 0 {
		element := fmt.Sprintf("probe.%d", w.probes)
		return s.transaction(t, func(x *txn) error { return x.appendAll(t, w.lists, math.MaxInt, element) })
	}
	return s.transaction(t, func(x *txn) error {
		for i, key := range w.lists {
			list, err := x.read(t, key)
			if err != nil {
				return err
			}
			x.append(key, list, fmt.Sprintf("probe.%d.%d", w.probes, i))
		}
		return nil
	})
}

// Audit implements Workload.
func (w *appends) Audit(t env.Task, s *Session) error {
	return s.reading(t, func(x *txn) error {
		_, err := x.scan(t, listPrefix, after(listPrefix), 0, false)
		return err
	})
}

// appendAll reads lists at once and appends an element of its own to each that has
// less than length.
func (x *txn) appendAll(t env.Task, keys []string, length int, element string) error {
	lists, err := x.readAll(t, keys)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if list := lists[key]; elements(list) < length {
			x.append(key, list, fmt.Sprintf("%s.%d", element, i))
		}
	}
	return nil
}

// append writes a list with one more element than the list just read.
func (x *txn) append(key, list, element string) {
	x.note(history.TxnOp{Kind: history.TxnAppend, Key: key, Value: &element})
	if list != "" {
		list += " "
	}
	x.Set([]byte(key), []byte(list+element))
}

// elements counts the elements of a list.
func elements(list string) int {
	if list == "" {
		return 0
	}
	n := 1
	for i := range len(list) {
		if list[i] == ' ' {
			n++
		}
	}
	return n
}
