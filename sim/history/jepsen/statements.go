package jepsen

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"simrun/sim/history"
)

// What a transaction did at other timestamps than that of its start is beside its
// :value, of which Elle and others know no such thing, at the end of the transaction:
//
//	:statements [[7 12]]  the timestamp of each of its statements, and when it was
//	                      invoked: the index of the first line that is no earlier
//	:op-ts [7 nil]        the timestamps of the operations in :value; nil is the start
//	:locks [["k" 7]]      the keys that it locked, and with which statement; an
//	                      optimistic transaction locks without one
//
// A foreign history has no instants but the places of its lines, and so an instant
// inside a transaction is one of these as well.

// lines knows at which instants the lines of a file are.
type lines struct {
	at    []int64     // of each line
	begun map[int]int // by operation, the line of its beginning
}

func newLines(all []moment) lines {
	l := lines{at: make([]int64, len(all)), begun: map[int]int{}}
	for i, m := range all {
		l.at[i] = m.at
		if !m.end {
			l.begun[m.op.ID] = i
		}
	}
	return l
}

// place returns the first line that is not before an instant at which an operation was
// under way. Whatever ends earlier stands above it, and nothing else does.
func (l *lines) place(op *history.Op, instant int64) int {
	return max(l.begun[op.ID], sort.Search(len(l.at), func(i int) bool { return l.at[i] >= instant }))
}

// statements writes what a transaction did at timestamps of its own.
func (x *exporter) statements(op *history.Op) error {
	var statements, stamps, locks []string
	apart := false
	for _, s := range op.Txn.Statements {
		statements = append(statements, fmt.Sprintf("[%d %d]", s.TS, x.lines.place(op, s.Invoke)))
	}
	for i := range op.Txn.Ops {
		o := &op.Txn.Ops[i]
		ts := "nil"
		if o.TS != 0 {
			ts = strconv.FormatUint(o.TS, 10)
			apart = apart || o.Kind != history.TxnLock
		}
		switch o.Kind {
		case history.TxnLock:
			key, err := scalar(&o.Key)
			if err != nil {
				return err
			}
			locks = append(locks, "["+key+" "+ts+"]")
		case history.TxnScan:
			for range o.Pairs {
				stamps = append(stamps, ts)
			}
		case history.TxnRead, history.TxnWrite, history.TxnDelete, history.TxnAppend:
			stamps = append(stamps, ts)
		}
	}
	if !apart {
		stamps = nil
	}
	for _, list := range []struct {
		name string
		what []string
	}{{"statements", statements}, {"op-ts", stamps}, {"locks", locks}} {
		if len(list.what) > 0 {
			fmt.Fprintf(x.w, ", :%s [%s]", list.name, strings.Join(list.what, " "))
		}
	}
	return nil
}

// statements reads what the function of the same name wrote, but for the timestamps of
// what is in :value.
func (b *builder) statements(e *event, t *history.TxnRecord) error {
	for _, v := range e.statements {
		s, _ := v.([]any)
		if len(s) != 2 {
			return b.fail(e.line, "one of :statements is [timestamp line]")
		}
		line, ok := s[1].(int64)
		ts := timestamp(s[0])
		if ts == 0 || !ok {
			return b.fail(e.line, "one of :statements is [timestamp line]")
		}
		t.Statements = append(t.Statements, history.Statement{TS: ts, Invoke: line})
	}
	for _, v := range e.locks {
		lock, _ := v.([]any)
		if len(lock) != 2 {
			return b.fail(e.line, "one of :locks is [key timestamp]")
		}
		key, err := b.key(e.endLine, lock[0])
		if err != nil {
			return err
		}
		t.Ops = append(t.Ops, history.TxnOp{Kind: history.TxnLock, Key: key, TS: timestamp(lock[1])})
	}
	return nil
}

// timestamp returns a timestamp; 0 if it is none.
func timestamp(v any) uint64 {
	if ts, ok := v.(int64); ok && ts > 0 {
		return uint64(ts)
	}
	return 0
}
