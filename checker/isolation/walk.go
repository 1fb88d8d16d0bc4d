package isolation

import (
	"sort"
	"strings"

	"simrun/sim/history"
)

// read is one answer that a transaction got from its snapshot, as opposed to
// from its own writes.
type read struct {
	value string
	ts    uint64 // at which it saw the database
	txn   int32
	key   int32
	order int32 // its place among all answers, as they were walked
	found bool
	scan  bool
	// apart: the timestamp is not the start timestamp of its transaction, for it is a
	// read for update or of a statement of its own.
	apart bool
}

// content returns what the answer says.
func (r *read) content() content {
	if !r.found {
		return content{absent: true}
	}
	return content{value: r.value}
}

// visitor is told what a transaction read. Each function may be nil.
type visitor struct {
	snapshot func(r read)
	// strange is called instead for an answer that may be of somebody who is not in the
	// index (strangers.go).
	strange func(r read)
	// wrong is called for an answer that contradicts the transaction's own
	// writes, or that cannot be an answer at all.
	wrong func(t int32, op int, k int32, problem string, scan bool)
}

// own is what a transaction has written to a key so far.
type own struct {
	key    int32
	list   bool // value was appended to the snapshot's
	absent bool
	value  string
}

// walker goes through transactions; it is reused for its buffer.
type walker struct {
	ix    *index
	own   []own
	at    map[int32]int // index in own by key, for transactions with many writes
	t     int32
	tx    *txn
	start uint64 // its start timestamp
	apart bool   // some of its operations have timestamps of their own
	seen  visitor
}

// ownLinear is the number of own writes up to which they are searched in turn.
const ownLinear = 16

// walk visits the reads of transaction n in order.
func (w *walker) walk(n int32) {
	w.own, w.at = w.own[:0], nil
	w.t, w.tx, w.start, w.apart = n, &w.ix.txns[n], w.ix.starts[n], false
	for j := range w.tx.rec.Ops {
		op := &w.tx.rec.Ops[j]
		switch op.Kind {
		case history.TxnRead:
			w.read(j, w.ix.keyOf(w.tx, j), op.Value, false)
		case history.TxnScan:
			w.scan(j, op)
		case history.TxnWrite, history.TxnDelete, history.TxnAppend:
			w.write(w.ix.keyOf(w.tx, j), op)
		case history.TxnLock:
			w.apart = w.apart || op.TS != 0
		}
	}
}

func (w *walker) write(k int32, op *history.TxnOp) {
	o := w.written(k)
	if o == nil {
		w.own = append(w.own, own{key: k, list: true})
		o = &w.own[len(w.own)-1]
		switch {
		case w.at != nil:
			w.at[k] = len(w.own) - 1
		case len(w.own) > ownLinear:
			w.at = make(map[int32]int)
			for i := range w.own {
				w.at[w.own[i].key] = i
			}
		}
	}
	switch op.Kind {
	case history.TxnWrite:
		*o = own{key: k, value: *op.Value}
	case history.TxnDelete:
		*o = own{key: k, absent: true}
	case history.TxnAppend:
		o.value, o.absent = join(o.value, *op.Value), false
	case history.TxnRead, history.TxnScan, history.TxnLock:
	}
}

func (w *walker) written(k int32) *own {
	if w.at != nil {
		if i, ok := w.at[k]; ok {
			return &w.own[i]
		}
		return nil
	}
	for i := range w.own {
		if w.own[i].key == k {
			return &w.own[i]
		}
	}
	return nil
}

// read visits the answer to a read of one key.
func (w *walker) read(j int, k int32, value *string, scan bool) {
	r := read{txn: w.t, ts: w.start, key: k, scan: scan, found: value != nil}
	if ts := w.tx.rec.Ops[j].TS; ts != 0 {
		r.ts, r.apart, w.apart = ts, true, true
	}
	if value != nil {
		r.value = *value
	}
	if o := w.written(k); o != nil {
		if !o.list {
			if r.found == o.absent || r.value != o.value {
				w.wrong(j, k, "its own write "+show(o.value, !o.absent)+" should be read, and "+show(r.value, r.found)+" was", scan)
			}
			return
		}
		if !r.cutSuffix(o.value) {
			w.wrong(j, k, "the list should end in its own "+show(o.value, true)+", and "+show(r.value, r.found)+" was read", scan)
			return
		}
	}
	switch {
	case len(w.ix.strangers) > 0 && w.ix.strange(k, r.content()):
		if w.seen.strange != nil {
			w.seen.strange(r)
		}
	case w.seen.snapshot != nil:
		w.seen.snapshot(r)
	}
}

// cutSuffix takes the transaction's own elements off the end of what was read;
// what remains is from the snapshot.
func (r *read) cutSuffix(elements string) bool {
	rest, ok := strings.CutSuffix(r.value, elements)
	if !ok {
		return false
	}
	if rest == "" {
		r.value, r.found = "", false
		return true
	}
	r.value, ok = strings.CutSuffix(rest, " ")
	return ok
}

func (w *walker) wrong(j int, k int32, problem string, scan bool) {
	if w.seen.wrong != nil {
		w.seen.wrong(w.t, j, k, problem, scan)
	}
}

// scan visits every key in range: a key without a pair was found absent. Beyond
// the last pair of a scan that reached its limit nothing is known.
func (w *walker) scan(j int, op *history.TxnOp) {
	if problem := malformed(op); problem != "" {
		w.wrong(j, -1, problem, true)
		return
	}
	w.apart = w.apart || op.TS != 0 // even if there is no key
	keys, next := w.ix.keys, 0
	visit := func(i int) bool {
		if op.Limit > 0 && next == op.Limit {
			return false
		}
		name := keys[i].name
		for next < len(op.Pairs) && before(op.Pairs[next].Key, name, op.Reverse) {
			w.wrong(j, -1, "the scan returned "+op.Pairs[next].Key+", which nobody ever wrote", true)
			next++
		}
		if next < len(op.Pairs) && op.Pairs[next].Key == name {
			w.read(j, int32(i), &op.Pairs[next].Value, true) // fewer than 2^31 keys
			next++
		} else {
			w.read(j, int32(i), nil, true)
		}
		return true
	}
	if op.Reverse {
		last := len(keys) - 1
		if op.EndKey != "" {
			last = w.ix.firstFrom(op.EndKey) - 1
		}
		for i := last; i >= 0 && keys[i].name >= op.Key && visit(i); i-- {
		}
	} else {
		for i := w.ix.firstFrom(op.Key); i < len(keys) && (op.EndKey == "" || keys[i].name < op.EndKey) && visit(i); i++ {
		}
	}
	if next < len(op.Pairs) {
		w.wrong(j, -1, "the scan returned "+op.Pairs[next].Key+", which nobody ever wrote", true)
	}
}

func before(a, b string, reverse bool) bool {
	if reverse {
		return a > b
	}
	return a < b
}

// firstFrom returns the number of the first key that is not below name.
func (ix *index) firstFrom(name string) int {
	if k, ok := ix.ids[name]; ok {
		return int(k) // as nearly always, and much faster than to search
	}
	return sort.Search(len(ix.keys), func(i int) bool { return ix.keys[i].name >= name })
}

// malformed says what is wrong with a scan's answer on the face of it.
func malformed(op *history.TxnOp) string {
	if op.Limit > 0 && len(op.Pairs) > op.Limit {
		return "the scan returned more pairs than its limit"
	}
	for i := range op.Pairs {
		k := op.Pairs[i].Key
		switch {
		case k < op.Key || (op.EndKey != "" && k >= op.EndKey):
			return "the scan returned " + k + ", which is out of its range"
		case i > 0 && !before(op.Pairs[i-1].Key, k, op.Reverse):
			return "the scan returned " + k + " after " + op.Pairs[i-1].Key
		}
	}
	return ""
}

// show prints a value for a message.
func show(value string, found bool) string {
	if !found {
		return "nothing"
	}
	if len(value) > showMax {
		value = value[:showMax/2] + "..." + value[len(value)-showMax/2:]
	}
	return `"` + value + `"`
}

const showMax = 80
