package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"simrun/nodes/env"
)

func (s *story) rawOp(t env.Task, f []string) string {
	c := s.c.client
	switch f[0] {
	case "put":
		return s.c.describeError(c.RawPut(t, []byte(f[1]), []byte(f[2])))
	case "get":
		value, found, err := c.RawGet(t, []byte(f[1]))
		return s.value(value, found, err)
	case "delete":
		return s.c.describeError(c.RawDelete(t, []byte(f[1])))
	case "cas":
		var expected []byte
		if f[2] != "none" {
			expected = []byte(f[2])
		}
		swapped, previous, err := c.RawCompareAndSwap(t, []byte(f[1]), expected, []byte(f[3]))
		if err != nil {
			return s.c.describeError(err)
		}
		return fmt.Sprintf("swapped=%v previous=%s", swapped, describeValue(previous, previous == nil))
	case "batch-get":
		pairs, err := c.RawBatchGet(t, keysIn(f[1:]))
		return s.pairs(pairs, err)
	case "batch-put":
		var pairs []Pair
		for i := 1; i < len(f); i += 2 {
			pairs = append(pairs, Pair{[]byte(f[i]), []byte(f[i+1])})
		}
		return s.c.describeError(c.RawBatchPut(t, pairs))
	case "batch-delete":
		return s.c.describeError(c.RawBatchDelete(t, keysIn(f[1:])))
	case "scan":
		start, end, limit := scanArgs(f[1:])
		pairs, err := c.RawScan(t, start, end, limit)
		return s.pairs(pairs, err)
	case "reverse-scan":
		start, end, limit := scanArgs(f[1:])
		pairs, err := c.RawReverseScan(t, start, end, limit)
		return s.pairs(pairs, err)
	}
	panic("unknown operation " + f[0])
}

func (s *story) txnOp(t env.Task, name string, f []string) string {
	tx := s.txns[name]
	switch f[0] {
	case "begin":
		var err error
		var options TxnOptions
		for _, word := range f[1:] {
			options.set(word)
		}
		if tx, err = s.c.client.BeginWith(t, options); err != nil {
			return s.c.describeError(err)
		}
		s.c.tsNames[tx.StartTS()] = name
		s.txns[name] = tx
		return "ok"
	case "get":
		value, found, err := tx.Get(t, []byte(f[1]))
		return s.value(value, found, err)
	case "batch-get":
		pairs, err := tx.BatchGet(t, keysIn(f[1:]))
		return s.pairs(pairs, err)
	case "scan":
		start, end, limit := scanArgs(f[1:])
		pairs, err := tx.Scan(t, start, end, limit)
		return s.pairs(pairs, err)
	case "reverse-scan":
		start, end, limit := scanArgs(f[1:])
		pairs, err := tx.ReverseScan(t, start, end, limit)
		return s.pairs(pairs, err)
	case "set":
		tx.Set([]byte(f[1]), []byte(f[2]))
	case "delete":
		tx.Delete([]byte(f[1]))
	case "insert":
		return s.c.describeError(tx.Insert([]byte(f[1]), []byte(f[2])))
	case "lock":
		return s.c.describeError(tx.Lock(t, keysIn(f[1:])...))
	case "get-for-update":
		pairs, err := tx.BatchGetForUpdate(t, keysIn(f[1:]))
		return s.pairs(pairs, err)
	case "insert-now":
		return s.c.describeError(tx.InsertForUpdate(t, []byte(f[1]), []byte(f[2])))
	case "statement":
		return s.statement(t, tx, f[1:])
	case "set-derived":
		tx.SetDerived([]byte(f[1]), []byte(f[2]))
	case "delete-derived":
		tx.DeleteDerived([]byte(f[1]))
	case "unwritten":
		value, found, err := tx.Snapshot().Get(t, []byte(f[1]))
		return s.value(value, found, err)
	case "rollback":
		tx.Rollback(t)
	case "commit":
		err := tx.Commit(t)
		if tx.CommitTS() == 0 {
			return s.c.describeError(err)
		}
		return s.c.describeError(err) + " at " + s.c.name(tx.CommitTS())
	default:
		panic("unknown operation " + f[0])
	}
	return ""
}

// statement runs a statement: [nowait | wait DURATION] [fail] [get KEY..] [scan START END] lock KEY.. ; a key
// with a question mark is locked by the first attempt only, with an exclamation mark by
// the later ones.
func (s *story) statement(t env.Task, tx *Txn, f []string) string {
	attempt := 0
	wait := WaitAlways
	switch f[0] {
	case "nowait":
		wait, f = NoWait, f[1:]
	case "wait":
		limit, err := time.ParseDuration(f[1])
		if err != nil {
			panic(err)
		}
		wait, f = LockWait(limit), f[2:]
	}
	err := tx.Statement(t, wait, func(uint64) (keys [][]byte, err error) {
		attempt++
		rest := f
		if rest[0] == "fail" {
			return nil, errStatement
		}
		if rest[0] == "scan" {
			start, end, _ := scanArgs(rest[1:3])
			pairs, err := tx.Scan(t, start, end, 0)
			fmt.Fprintf(&s.out, "    reads %s\n", s.pairs(pairs, err))
			rest = rest[3:]
		}
		at := slices.Index(rest, "lock")
		if at > 0 {
			pairs, err := tx.BatchGet(t, keysIn(rest[1:at]))
			fmt.Fprintf(&s.out, "    reads %s\n", s.pairs(pairs, err))
		}
		for _, key := range rest[at+1:] {
			name := strings.TrimRight(key, "?!")
			if name == key || strings.HasSuffix(key, "?") == (attempt == 1) {
				keys = append(keys, []byte(name))
			}
		}
		return keys, nil
	})
	return s.c.describeError(err)
}

// set chooses an option by its name.
func (o *TxnOptions) set(word string) {
	switch word {
	case "pessimistic":
		o.Pessimistic = true
	case "read-committed":
		o.ReadCommitted = true
	case "async":
		o.Commit = AsyncCommit
	case "one-phase":
		o.Commit = OnePhase
	default:
		panic("unknown option " + word)
	}
}

func (s *story) value(value []byte, found bool, err error) string {
	if err != nil {
		return s.c.describeError(err)
	}
	return describeValue(value, !found)
}

func (s *story) pairs(pairs []Pair, err error) string {
	if err != nil {
		return s.c.describeError(err)
	}
	var all []string
	for _, p := range pairs {
		all = append(all, fmt.Sprintf("%s=%s", p.Key, p.Value))
	}
	return "[" + strings.Join(all, " ") + "]"
}

func keysIn(f []string) [][]byte {
	var keys [][]byte
	for _, key := range f {
		keys = append(keys, []byte(key))
	}
	return keys
}

// scanArgs reads START END [LIMIT]; "-" is no bound.
func scanArgs(f []string) (start, end []byte, limit int) {
	if f[0] != "-" {
		start = []byte(f[0])
	}
	if f[1] != "-" {
		end = []byte(f[1])
	}
	if len(f) > 2 {
		if _, err := fmt.Sscan(f[2], &limit); err != nil {
			panic(err)
		}
	}
	return start, end, limit
}
