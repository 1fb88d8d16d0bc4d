package jepsen

import (
	"slices"
	"strings"
	"unicode"

	"simrun/sim/history"
)

// convert turns one event into an operation.
func (b *builder) convert(e *event, s shape) (history.Op, error) {
	op := history.Op{
		Client: int(e.process), Invoke: e.invoke, Return: e.ret,
		Outcome: e.outcome, Error: e.err,
	}
	switch e.kind {
	case "read", "write", "cas":
		if balances(e) {
			return b.bankRead(op, e), nil
		}
		return b.register(op, e, s)
	case "get", "put", "append":
		return b.keyValue(op, e)
	case "acquire", "release":
		op.Kind = history.Kind(e.kind)
		op.Key, _ = text(e.begin)
		if e.hasKey {
			op.Key, _ = text(e.key)
		}
		return op, nil
	case "timestamp":
		op.Kind = history.Timestamp
		if op.Outcome == history.OK {
			op.Value = value(e.end)
		}
		return op, nil
	case "txn", "":
		return b.txn(op, e, s)
	case "transfer":
		if b.h.Bank == nil {
			b.h.Bank = &history.Bank{Negative: true}
		}
	}
	op.Kind = history.Kind(e.kind) // passed over by the checkers
	return op, nil
}

// register converts an operation on a register; key and value may come as a
// tuple, or the key may stand beside.
func (b *builder) register(op history.Op, e *event, s shape) (history.Op, error) {
	begin, end := e.begin, e.end
	switch {
	case s.independent:
		both := begin.([]any) // as every beginning is
		op.Key, _ = text(both[0])
		begin = both[1]
		if t, ok := end.([]any); ok && len(t) == 2 {
			if key, _ := text(t[0]); key != op.Key && op.Outcome == history.OK {
				return op, b.fail(e.line, "the :%s of %q ends as one of %q", e.kind, op.Key, key)
			}
			end = t[1]
		}
	case e.hasKey:
		op.Key, _ = text(e.key)
	case s.keyed:
		return op, b.fail(e.line, "the :%s has no :key, and others have one", e.kind)
	}
	op.Kind = history.Kind(e.kind)
	switch e.kind {
	case "read":
		if op.Outcome == history.OK {
			op.Value = value(end)
		}
	case "write":
		op.Value = value(begin)
	case "cas":
		pair, ok := begin.([]any)
		if !ok || len(pair) != 2 {
			return op, b.fail(e.line, "the value of a :cas is [expected new]")
		}
		op.Expected, op.Value = value(pair[0]), value(pair[1])
		if op.Value == nil {
			return op, b.fail(e.line, "a :cas to nil is not known here")
		}
		op.Swapped = op.Outcome == history.OK
		if op.Outcome == history.Failed && b.casFails {
			op.Outcome = history.OK
		}
	}
	return op, nil
}

// keyValue converts an operation of a store of strings, in which a key that was
// never written holds the empty one.
func (b *builder) keyValue(op history.Op, e *event) (history.Op, error) {
	op.Key, _ = text(e.key)
	begin := e.begin
	if t, ok := begin.([]any); ok && len(t) == 2 && !e.hasKey {
		op.Key, _ = text(t[0])
		begin = t[1]
	}
	v, end := value(begin), value(e.end)
	for _, p := range []**string{&v, &end} {
		if *p != nil && **p == "" {
			*p = nil
		}
	}
	switch e.kind {
	case "get":
		op.Kind = history.Read
		if op.Outcome == history.OK {
			op.Value = end
		}
	case "put":
		op.Kind, op.Value = history.Write, v
	case "append":
		op.Kind, op.Value = history.Append, v
		if v == nil {
			empty := ""
			op.Value = &empty
		}
	}
	return op, nil
}

// balances says whether a :read returned a map, as that of a bank does.
func balances(e *event) bool {
	_, ok := e.end.(map[any]any)
	return ok && e.kind == "read"
}

// bankRead converts a read of all accounts to a transaction with one scan.
func (b *builder) bankRead(op history.Op, e *event) history.Op {
	if b.h.Bank == nil {
		b.h.Bank = &history.Bank{Negative: true} // whether accounts may be overdrawn is not told
	}
	scan := history.TxnOp{Kind: history.TxnScan}
	for k, v := range e.end.(map[any]any) {
		key, _ := text(k)
		balance, _ := text(v)
		scan.Pairs = append(scan.Pairs, history.Pair{Key: key, Value: balance})
	}
	slices.SortFunc(scan.Pairs, func(a, b history.Pair) int { return strings.Compare(a.Key, b.Key) })
	op.Kind = history.Txn
	op.Txn = &history.TxnRecord{Ops: []history.TxnOp{scan}}
	return op
}

// txn converts a transaction. What it read is known only if it ended well.
func (b *builder) txn(op history.Op, e *event, s shape) (history.Op, error) {
	op.Kind = history.Txn
	op.Txn = &history.TxnRecord{
		StartTS: e.start, CommitTS: e.commit, Calculated: e.calculated, Newest: e.newest, AsOf: e.asOf,
		Pessimistic: e.pessimistic, ReadCommitted: e.readCommitted,
	}
	if err := b.statements(e, op.Txn); err != nil {
		return op, err
	}
	list, ends := e.begin, e.end
	if op.Outcome == history.OK && ends != nil {
		list = ends
	}
	ops, ok := list.([]any)
	if !ok && list != nil {
		return op, b.fail(e.line, "the value of a transaction is a vector of [f k v]")
	}
	for i, o := range ops {
		micro, ok := o.([]any)
		if !ok || len(micro) != 3 {
			return op, b.fail(e.line, "an operation of a transaction is [f k v]")
		}
		t, err := b.micro(e, micro, s)
		if err != nil {
			return op, err
		}
		if t.Kind == history.TxnRead && op.Outcome != history.OK {
			continue
		}
		if i < len(e.opTS) {
			t.TS = timestamp(e.opTS[i])
		}
		op.Txn.Ops = append(op.Txn.Ops, t)
	}
	return op, nil
}

func (b *builder) micro(e *event, micro []any, s shape) (history.TxnOp, error) {
	var t history.TxnOp
	t.Key, _ = text(micro[1])
	f := word(micro[0])
	switch f {
	case "r", "read":
		t.Kind, t.Value = history.TxnRead, value(micro[2])
		if list, ok := micro[2].([]any); ok && s.lists {
			var err error
			if t.Value, err = b.joined(e, list); err != nil {
				return t, err
			}
		}
	case "w", "write":
		t.Kind, t.Value = history.TxnWrite, value(micro[2])
		if t.Value == nil {
			t.Kind = history.TxnDelete
		}
	case "append":
		t.Kind, t.Value = history.TxnAppend, value(micro[2])
		if t.Value == nil {
			return t, b.fail(e.line, "nothing is appended")
		}
		if _, err := b.element(e, micro[2]); err != nil {
			return t, err
		}
	default:
		return t, b.fail(e.line, "operation %q of a transaction is none of :r, :w, :append", f)
	}
	if f == "read" || f == "write" { // the words of Knossos's multi-register
		b.h.Consistency, b.h.InitialUnknown = history.StrictSerializable, true
	}
	return t, nil
}

// joined is a list as a space-separated string; an empty one is absent.
func (b *builder) joined(e *event, list []any) (value *string, err error) {
	if len(list) == 0 {
		return value, nil
	}
	parts := make([]string, len(list))
	for i := range list {
		if parts[i], err = b.element(e, list[i]); err != nil {
			return nil, err
		}
	}
	s := strings.Join(parts, " ")
	return &s, nil
}

// element prints an element of a list. Two lists are not to look the same when they are
// joined, so it has to be one word.
func (b *builder) element(e *event, v any) (string, error) {
	s, ok := text(v)
	if !ok || s == "" || strings.ContainsFunc(s, unicode.IsSpace) {
		return "", b.fail(e.line, "element %q of a list is empty or has white space, and is not told from several", s)
	}
	return s, nil
}
