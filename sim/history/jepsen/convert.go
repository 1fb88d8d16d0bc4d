package jepsen

import (
	"fmt"
	"slices"
	"strings"

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
		if s.bank && balances(e) {
			return b.bankRead(op, e)
		}
		return b.register(op, e, s)
	case "get", "put", "append":
		return b.keyValue(op, e)
	case "acquire", "release":
		return b.mutex(op, e)
	case "timestamp":
		op.Kind = history.Timestamp
		if op.Outcome == history.OK {
			op.Value = value(e.end)
		}
		return op, nil
	case "txn", "":
		return b.txn(op, e, s)
	}
	op.Kind = history.Kind(e.kind) // passed over by the checkers
	return op, nil
}

// mutex converts an operation on a mutex, which its value names if there is no key. An end
// may say what its beginning has left open, such as a number of the grant.
func (b *builder) mutex(op history.Op, e *event) (history.Op, error) {
	op.Kind = history.Kind(e.kind)
	name := e.key
	if !e.hasKey {
		name = e.begin
	}
	var err error
	if op.Key, err = b.key(e.line, name); err != nil || e.hasKey || name == nil {
		return op, err
	}
	return op, b.sameValue(e, e.begin, e.end)
}

// sameValue checks that an operation that was done was the one that had begun: that its end
// repeats the value, if it has one. Of an operation that failed, or whose outcome is
// unknown, the beginning alone tells what was tried.
func (b *builder) sameValue(e *event, begin, end any) error {
	began, there := text(begin)
	ended, repeated := text(end)
	if !repeated || !b.answered(e) || there && began == ended {
		return nil
	}
	return &history.Error{
		File: b.name, Line: e.endLine,
		Problem: fmt.Sprintf("process %d ends a :%s of %s, and what it began in line %d is one of %s", e.process, e.kind, exact(end), e.line, exact(begin)),
		Remedy:  "repeat the :value of the beginning or leave it out",
	}
}

// register converts an operation on a register; key and value may come as a
// tuple, or the key may stand beside.
func (b *builder) register(op history.Op, e *event, s shape) (history.Op, error) {
	begin, end := e.begin, e.end
	switch {
	case s.independent:
		var err error
		if op.Key, begin, end, err = b.tuple(e); err != nil {
			return op, err
		}
	case e.hasKey:
		var err error
		if op.Key, err = b.key(e.line, e.key); err != nil {
			return op, err
		}
	case s.keyed:
		return op, b.fail(e.line, "the :%s has no :key, and others have one", e.kind)
	}
	if s.versioned {
		begin, end = unversioned(begin), unversioned(end)
	}
	if e.kind != "read" {
		if err := b.sameValue(e, begin, end); err != nil {
			return op, err
		}
	}
	op.Kind = history.Kind(e.kind)
	switch e.kind {
	case "read":
		if op.Outcome == history.OK {
			op.Value = value(end)
			b.forms.returned(op.Key, begin, end, e)
		}
	case "write":
		op.Value = value(begin)
		b.forms.written(op.Key, begin)
	case "cas":
		pair, ok := begin.([]any)
		if !ok || len(pair) != 2 {
			return op, b.fail(e.line, "the value of a :cas is [expected new]")
		}
		op.Expected, op.Value = value(pair[0]), value(pair[1])
		if op.Value == nil {
			return op, b.fail(e.line, "a :cas to nil is not known here")
		}
		b.forms.written(op.Key, pair[1])
		op.Swapped = op.Outcome == history.OK
		if b.answered(e) {
			op.Outcome = history.OK
		}
	}
	return op, nil
}

// answered says whether the outcome of an operation is known and not that it was never done.
func (b *builder) answered(e *event) bool {
	return e.outcome == history.OK || e.outcome == history.Failed && e.kind == "cas" && b.casFails && e.err == ""
}

// tuple takes the values of an operation apart that are [k v]. The end of one that did not
// succeed may be anything.
func (b *builder) tuple(e *event) (key string, begin, end any, err error) {
	both := e.begin.([]any) // as the caller knows
	if key, err = b.key(e.line, both[0]); err != nil {
		return key, nil, nil, err
	}
	t, ok := e.end.([]any)
	if !ok || len(t) != 2 {
		return key, both[1], e.end, nil
	}
	if was, is := exact(both[0]), exact(t[0]); was != is && e.outcome == history.OK {
		return key, nil, nil, b.fail(e.endLine, "the :%s of %s, begun in line %d, ends as one of %s", e.kind, was, e.line, is)
	}
	return key, both[1], t[1], nil
}

// keyValue converts an operation of a store of strings, in which a key that was
// never written holds the empty one.
func (b *builder) keyValue(op history.Op, e *event) (history.Op, error) {
	begin, ended := e.begin, e.end
	var err error
	if t, ok := begin.([]any); ok && len(t) == 2 && !e.hasKey {
		op.Key, begin, ended, err = b.tuple(e)
	} else {
		op.Key, err = b.key(e.line, e.key)
	}
	if err == nil && e.kind != "get" {
		err = b.sameValue(e, begin, ended)
	}
	if err != nil {
		return op, err
	}
	v, end := value(begin), value(ended)
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
			b.forms.returned(op.Key, nil, ended, e)
		}
	case "put":
		op.Kind, op.Value = history.Write, v
		b.forms.written(op.Key, begin)
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
func (b *builder) bankRead(op history.Op, e *event) (history.Op, error) {
	scan := history.TxnOp{Kind: history.TxnScan}
	balances := e.end.(map[any]any)
	for _, k := range sortedKeys(balances) {
		key, err := b.keyInMap(e.endLine, k)
		if err != nil {
			return op, err
		}
		balance, _ := text(balances[k])
		scan.Pairs = append(scan.Pairs, history.Pair{Key: key, Value: balance})
	}
	slices.SortFunc(scan.Pairs, func(a, b history.Pair) int { return strings.Compare(a.Key, b.Key) })
	op.Kind = history.Txn
	op.Txn = &history.TxnRecord{Ops: []history.TxnOp{scan}}
	return op, nil
}
