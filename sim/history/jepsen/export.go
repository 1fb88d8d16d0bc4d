package jepsen

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"olympos.io/encoding/edn"

	"simrun/sim/history"
)

// WriteEDN writes a history as Jepsen does: an :invoke and an :ok, :fail or
// :info for each operation. Registers are independent [k v] tuples, transactions
// are [[:r k v] [:append k v] ...]. Where other checkers know less, less is
// written:
//
//   - a compare-and-swap that found another value is :fail, as in Jepsen;
//   - a scan is a read of each pair that it returned; what it did not find is lost;
//   - a delete writes nil; a lock is no operation.
//
// The end of a transaction has what is known of its timestamps: :start-ts and
// :commit-ts, and the flags :calculated, :newest, :as-of, :pessimistic and
// :read-committed, which mean what they do in history.TxnRecord. Where single
// operations have timestamps of their own these two do not say what was seen: see
// statements.go for what does.
//
// The first line also has what the header says of the state before it, :initial and
// :initial-unknown, and the :consistency that is promised: see state.go.
//
// A process that has an operation of unknown outcome goes on as another one.
//
// A history of which registers cannot be judged is refused: the forms of its values would be lost.
func WriteEDN(w io.Writer, h *history.History) error {
	if h.Unjudged != "" {
		return fmt.Errorf("history: cannot be written for other checkers: %s", h.Unjudged)
	}
	all := moments(h)
	out := &exporter{w: bufio.NewWriter(w), header: &h.Header, lists: listKeys(h), lines: newLines(all)}
	for i, m := range all {
		if err := out.line(i, m); err != nil {
			return fmt.Errorf("history: export operation %d: %w", m.op.ID, err)
		}
	}
	if err := out.w.Flush(); err != nil {
		return fmt.Errorf("history: export: %w", err)
	}
	return nil
}

// moment is the beginning or the end of an operation.
type moment struct {
	op      *history.Op
	process int
	at      int64
	rank    int // order within an instant
	end     bool
}

// moments orders beginnings and ends. Within an instant beginnings come first,
// for operations that touch are concurrent; but a client is always sequential.
func moments(h *history.History) []moment {
	clients := 0
	for i := range h.Ops {
		clients = max(clients, h.Ops[i].Client+1)
	}
	type session struct {
		process int
		last    moment
		begun   bool
	}
	sessions := map[int]*session{}
	out := make([]moment, 0, 2*len(h.Ops))
	for i := range h.Ops { // in the order of return, so each client's are in order
		op := &h.Ops[i]
		s := sessions[op.Client]
		if s == nil {
			s = &session{process: op.Client}
			sessions[op.Client] = s
		}
		begin := moment{op: op, process: s.process, at: op.Invoke}
		if s.begun && s.last.at == begin.at {
			begin.rank = s.last.rank + 1
		}
		end := moment{op: op, process: s.process, at: op.Return, rank: 1, end: true}
		if end.at == begin.at {
			end.rank = begin.rank + 1
		}
		out = append(out, begin, end)
		s.last, s.begun = end, true
		if op.Outcome == history.Unknown {
			s.process += clients
		}
	}
	slices.SortStableFunc(out, func(a, b moment) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank))
	})
	return out
}

// listKeys returns the keys that some transaction appends to.
func listKeys(h *history.History) map[string]struct{} {
	keys := map[string]struct{}{}
	for i := range h.Ops {
		if h.Ops[i].Txn == nil {
			continue
		}
		for _, t := range h.Ops[i].Txn.Ops {
			if t.Kind == history.TxnAppend {
				keys[t.Key] = struct{}{}
			}
		}
	}
	return keys
}

type exporter struct {
	w      *bufio.Writer
	header *history.Header
	lists  map[string]struct{}
	lines  lines
}

// line writes one line.
func (x *exporter) line(index int, m moment) error {
	kind, f := "invoke", string(m.op.Kind)
	if m.end {
		switch m.op.Outcome {
		case history.OK:
			kind = "ok"
			if m.op.Kind == history.CAS && !m.op.Swapped {
				kind = "fail"
			}
		case history.Failed:
			kind = "fail"
		case history.Unknown:
			kind = "info"
		}
	}
	answered := m.end && m.op.Outcome == history.OK
	v, err := x.value(m.op, answered)
	if err != nil {
		return err
	}
	fmt.Fprintf(x.w, "{:index %d, :time %d, :process %d, :type :%s, :f :%s, :value %s", index, m.at, m.process, kind, f, v)
	if index == 0 {
		if err = x.state(); err != nil {
			return err
		}
	}
	if m.end && m.op.Txn != nil {
		x.stamps(m.op.Txn)
		if err = x.statements(m.op); err != nil {
			return err
		}
	}
	if m.end && m.op.Error != "" {
		quoted, merr := edn.Marshal(m.op.Error)
		if merr != nil {
			return merr
		}
		fmt.Fprintf(x.w, ", :error %s", quoted)
	}
	_, err = x.w.WriteString("}\n")
	return err
}

// stamps writes what is known of a transaction's timestamps. One that reads what is
// newest has none.
func (x *exporter) stamps(t *history.TxnRecord) {
	if !t.Newest {
		fmt.Fprintf(x.w, ", :start-ts %d", t.StartTS)
	}
	if t.CommitTS != 0 {
		fmt.Fprintf(x.w, ", :commit-ts %d", t.CommitTS)
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"calculated", t.Calculated}, {"newest", t.Newest}, {"as-of", t.AsOf}, {"pessimistic", t.Pessimistic}, {"read-committed", t.ReadCommitted}} {
		if flag.set {
			fmt.Fprintf(x.w, ", :%s true", flag.name)
		}
	}
}

func (x *exporter) value(op *history.Op, answered bool) (string, error) {
	switch op.Kind {
	case history.Txn:
		return x.txn(op.Txn, answered)
	case history.Acquire, history.Release:
		return scalar(&op.Key)
	case history.Timestamp:
		if !answered {
			return "nil", nil
		}
		return scalar(op.Value)
	case history.CAS:
		return tuple(op.Key, func() (string, error) { return pair(op.Expected, op.Value) })
	case history.Read:
		if !answered {
			return tuple(op.Key, func() (string, error) { return "nil", nil })
		}
	case history.Write, history.Append:
	}
	return tuple(op.Key, func() (string, error) { return scalar(op.Value) })
}

func (x *exporter) txn(t *history.TxnRecord, answered bool) (string, error) {
	var parts []string
	add := func(f, key, v string, err error) error {
		if err != nil {
			return err
		}
		k, err := scalar(&key)
		parts = append(parts, "[:"+f+" "+k+" "+v+"]")
		return err
	}
	for i := range t.Ops {
		o := &t.Ops[i]
		var err error
		switch o.Kind {
		case history.TxnRead:
			v, e := x.read(o.Key, o.Value, answered)
			err = add("r", o.Key, v, e)
		case history.TxnScan:
			for _, p := range o.Pairs {
				v, e := x.read(p.Key, &p.Value, answered)
				if err = add("r", p.Key, v, e); err != nil {
					break
				}
			}
		case history.TxnWrite, history.TxnDelete:
			v, e := scalar(o.Value)
			err = add("w", o.Key, v, e)
		case history.TxnAppend:
			v, e := scalar(o.Value)
			err = add("append", o.Key, v, e)
		case history.TxnLock:
		}
		if err != nil {
			return "", err
		}
	}
	return "[" + strings.Join(parts, " ") + "]", nil
}

// read prints what was read; of a list its elements.
func (x *exporter) read(key string, v *string, answered bool) (string, error) {
	if !answered {
		return "nil", nil
	}
	if _, list := x.lists[key]; !list || v == nil {
		return scalar(v)
	}
	var parts []string
	for e := range strings.FieldsSeq(*v) {
		s, err := scalar(&e)
		if err != nil {
			return "", err
		}
		parts = append(parts, s)
	}
	return "[" + strings.Join(parts, " ") + "]", nil
}

func tuple(key string, v func() (string, error)) (string, error) {
	k, err := scalar(&key)
	if err != nil {
		return "", err
	}
	s, err := v()
	return "[" + k + " " + s + "]", err
}

func pair(a, b *string) (string, error) {
	x, err := scalar(a)
	if err != nil {
		return "", err
	}
	y, err := scalar(b)
	return "[" + x + " " + y + "]", err
}

// scalar prints a value: nil, a number where it looks like one, or a string.
func scalar(v *string) (string, error) {
	if v == nil {
		return "nil", nil
	}
	if n, err := strconv.ParseInt(*v, 10, 64); err == nil && strconv.FormatInt(n, 10) == *v {
		return *v, nil
	}
	b, err := edn.Marshal(*v)
	return string(b), err
}
