package jepsen

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"simrun/sim/history"
)

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
	ops, err := b.micros(e.line, asked(e.begin), s)
	if err != nil {
		return op, err
	}
	if op.Outcome == history.OK {
		begun := ops
		if ops, err = b.ended(e, begun, s); err != nil {
			return op, err
		}
	}
	for i, t := range ops {
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

// asked is the value of a transaction at its beginning, when its reads have returned
// nothing, whatever stands there.
func asked(value any) any {
	list, ok := value.([]any)
	if !ok {
		return value
	}
	list = slices.Clone(list)
	for i := range list {
		micro, _ := list[i].([]any)
		if len(micro) == 2 || len(micro) == 3 {
			if f := word(micro[0]); f == "r" || f == "read" {
				list[i] = []any{micro[0], micro[1], nil}
			}
		}
	}
	return list
}

// micros converts the operations of a transaction that stand in a line.
func (b *builder) micros(line int, value any, s shape) ([]history.TxnOp, error) {
	list, ok := value.([]any)
	if !ok && value != nil {
		return nil, b.fail(line, "the value of a transaction is a vector of [f k v]")
	}
	var ops []history.TxnOp
	for _, o := range list {
		micro, ok := o.([]any)
		if !ok || len(micro) != 3 {
			return nil, b.fail(line, "an operation of a transaction is [f k v]")
		}
		t, err := b.micro(line, micro, s)
		if err != nil {
			return nil, err
		}
		ops = append(ops, t)
	}
	return ops, nil
}

// ended returns the operations of a transaction that was done, with what it has read. For
// the rest they are those that had begun, if the beginning has said which.
func (b *builder) ended(e *event, begun []history.TxnOp, s shape) ([]history.TxnOp, error) {
	wrong := func(format string, args ...any) error {
		return &history.Error{
			File: b.name, Line: e.endLine, Problem: fmt.Sprintf(format, args...),
			Remedy: "repeat the operations of the beginning and fill in what its reads returned",
		}
	}
	if e.end == nil {
		return nil, wrong("process %d ends a transaction that was done, begun in line %d, without its operations", e.process, e.line)
	}
	ops, err := b.micros(e.endLine, e.end, s)
	if err != nil || e.begin == nil {
		return ops, err
	}
	if len(ops) != len(begun) {
		return nil, wrong("process %d ends a transaction with another number of operations, %d, than it began with in line %d, %d", e.process, len(ops), e.line, len(begun))
	}
	for i := range ops {
		is, was := &ops[i], &begun[i]
		same := is.Kind == was.Kind && is.Key == was.Key
		if is.Kind != history.TxnRead {
			same = same && reflect.DeepEqual(is.Value, was.Value)
		}
		if !same {
			return nil, wrong("process %d ends a transaction with %s, and what it began in line %d has %s there",
				e.process, exact(e.end.([]any)[i]), e.line, exact(e.begin.([]any)[i]))
		}
	}
	return ops, nil
}

// micro converts one operation of a transaction.
func (b *builder) micro(line int, micro []any, s shape) (t history.TxnOp, err error) {
	if t.Key, err = b.key(line, micro[1]); err != nil {
		return t, err
	}
	f := word(micro[0])
	switch f {
	case "r", "read":
		t.Kind, t.Value = history.TxnRead, value(micro[2])
		if list, ok := micro[2].([]any); ok && s.lists {
			if t.Value, err = b.joined(line, list); err != nil {
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
			return t, b.fail(line, "nothing is appended")
		}
		if _, err := b.element(line, micro[2]); err != nil {
			return t, err
		}
	default:
		return t, b.fail(line, "operation %q of a transaction is none of :r, :w, :append", f)
	}
	if f == "read" || f == "write" { // the words of Knossos's multi-register
		b.h.Consistency, b.h.InitialUnknown = history.StrictSerializable, true
	}
	return t, nil
}

// joined is a list as a space-separated string; an empty one is absent.
func (b *builder) joined(line int, list []any) (value *string, err error) {
	if len(list) == 0 {
		return value, nil
	}
	parts := make([]string, len(list))
	for i := range list {
		if parts[i], err = b.element(line, list[i]); err != nil {
			return nil, err
		}
	}
	s := strings.Join(parts, " ")
	return &s, nil
}

// element prints an element of a list. Two lists are not to look the same when they are
// joined, so it has to be one word.
func (b *builder) element(line int, v any) (string, error) {
	s, ok := text(v)
	if !ok || s == "" || strings.ContainsFunc(s, unicode.IsSpace) {
		return "", b.fail(line, "element %q of a list is empty or has white space, and is not told from several", s)
	}
	return s, nil
}
