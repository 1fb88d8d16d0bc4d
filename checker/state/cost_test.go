package state

import (
	"encoding/binary"
	"fmt"
	"testing"

	"simrun/sim/history"
)

// TestReaders compares who has read a key with a walk through the history: a lock of
// any commit timestamp is held against the first transaction that read it from then on.
func TestReaders(t *testing.T) {
	var h history.History
	keys := []string{"a", "b", "c", "d"}
	for i := range 200 {
		n := i * 7919 % 211
		op := history.TxnOp{Kind: history.TxnRead, Key: keys[n%4]}
		switch n % 5 {
		case 0:
			op = history.TxnOp{Kind: history.TxnScan, Key: keys[n%3], EndKey: keys[n%3+1]}
		case 1:
			op = history.TxnOp{Kind: history.TxnScan, Key: keys[n%4], Limit: n % 2}
		case 2:
			op.Kind = history.TxnLock
		}
		h.Ops = append(h.Ops, history.Op{
			ID: i, Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{StartTS: uint64(1 + n), Ops: []history.TxnOp{op}}, // small
		})
	}
	walk := func(key string, ts uint64) *history.Op {
		for i := range h.Ops {
			op := &h.Ops[i]
			o := &op.Txn.Ops[0]
			reads := o.Kind == history.TxnRead && o.Key == key
			scans := o.Kind == history.TxnScan && o.Limit == 0 && o.Key <= key && (o.EndKey == "" || key < o.EndKey)
			if op.Txn.StartTS >= ts && (reads || scans) {
				return op
			}
		}
		return nil
	}
	r := newReaders(&h)
	for _, key := range append(keys, "0", "z") {
		for ts := range uint64(215) {
			if got, want := r.of(key, ts), walk(key, ts); got != want {
				t.Fatalf("%q at %d: %+v, want %+v", key, ts, got, want)
			}
		}
	}
}

// longW and longL are putW and putL for timestamps of any size.
func longW(user string, start, commit uint64) Row {
	return Row{versionKey(user, commit), append(binary.AppendUvarint([]byte{'P'}, start), shortA...)}
}

func longL(user, primary string, start uint64) Row {
	v := append([]byte{'P', byte(2 * len(primary))}, primary...)
	return Row{encodeKey([]byte(user)), append(append(binary.AppendUvarint(v, start), 0), shortA...)}
}

// BenchmarkAcknowledged shows that the time grows like the history, if it is all of one
// key, garbage was collected, and the records are there all the same.
func BenchmarkAcknowledged(b *testing.B) {
	a := "a"
	for n := 4000; n <= 32000; n *= 2 {
		var h history.History
		var rows Rows
		for i := range n {
			start := uint64(10 + 10*i) // small
			h.Ops = append(h.Ops, history.Op{ID: i, Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{
				StartTS: start, CommitTS: start + 1, Ops: []history.TxnOp{{Kind: history.TxnWrite, Key: "x", Value: &a}},
			}})
			rows.Write = append(rows.Write, longW("x", start, start+1))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if got := Acknowledged(&h, rows, uint64(10*n)); len(got.Findings) > 0 { // small
					b.Fatalf("%+v", got)
				}
			}
		})
	}
}

// BenchmarkLocksLeft is the same for locks of committed transactions that nobody has met,
// of as many keys as were read before.
func BenchmarkLocksLeft(b *testing.B) {
	for n := 1000; n <= 8000; n *= 2 {
		var h history.History
		var rows Rows
		for i := range n {
			key, start := fmt.Sprintf("k%06d", i), uint64(10+10*i) // small
			h.Ops = append(h.Ops, history.Op{ID: i, Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{
				StartTS: 5, Ops: []history.TxnOp{{Kind: history.TxnRead, Key: key}},
			}})
			rows.Lock = append(rows.Lock, longL(key, "p", start))
			rows.Write = append(rows.Write, longW(fmt.Sprintf("p%06d", i), start, start+1))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if got := MVCC(rows, Options{Reads: &h}); len(got.Findings) > 0 {
					b.Fatalf("%+v", got)
				}
			}
		})
	}
}
