package state

import (
	"testing"

	"simrun/sim/history"
)

// TestCollectedAfterChangesOfUnknownTime: a client that does not know whether its
// async commit came about does not know its timestamp either. What it has overwritten
// may be collected all the same, if the record that took its place is there, or if it
// was a deletion, of which nothing is left; and nothing else.
func TestCollectedAfterChangesOfUnknownTime(t *testing.T) {
	a := "a"
	write := func(key string) history.TxnOp {
		return history.TxnOp{Kind: history.TxnWrite, Key: key, Value: &a}
	}
	remove := func(key string) history.TxnOp { return history.TxnOp{Kind: history.TxnDelete, Key: key} }
	known := history.Op{Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{
		StartTS: 10, CommitTS: 11, Ops: []history.TxnOp{write("x")},
	}}
	unknown := func(ops ...history.TxnOp) history.Op {
		return history.Op{ID: 1, Kind: history.Txn, Outcome: history.Unknown, Txn: &history.TxnRecord{StartTS: 20, Calculated: true, Ops: ops}}
	}
	// timed is the same, if the client knows at which timestamp it would have committed.
	timed := func(ops ...history.TxnOp) history.Op {
		op := unknown(ops...)
		op.Txn.CommitTS, op.Txn.Calculated = 22, false
		return op
	}
	told := timed(write("x"))
	told.Outcome = history.OK
	later := history.Op{ID: 2, Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{
		StartTS: 24, CommitTS: 25, Ops: []history.TxnOp{write("y")},
	}}
	putX, putY, laterY := putW("x", 20, 22, shortA...), putW("y", 20, 22, shortA...), putW("y", 24, 25, shortA...)
	for _, c := range []struct {
		name string
		h    []history.Op
		rows []Row
		bad  int
	}{
		{"its record has taken the place", []history.Op{known, unknown(write("x"))}, []Row{putX}, 0},
		{"nothing has", []history.Op{known, unknown(write("x"))}, nil, 1},
		{"it has removed the key, perhaps", []history.Op{known, unknown(remove("x"))}, nil, 0},
		{"it has removed another one", []history.Op{known, unknown(remove("y"))}, nil, 1},
		{"its other record was overwritten", []history.Op{known, unknown(write("x"), write("y")), later}, []Row{putX, laterY}, 0},
		{"its other record is gone", []history.Op{known, unknown(write("x"), write("y"))}, []Row{putX}, 1},
		{"its record has taken the place, at the timestamp that the client knows", []history.Op{known, timed(write("x"))}, []Row{putX}, 0},
		{"nothing has, at the timestamp that the client knows", []history.Op{known, timed(write("x"))}, nil, 1},
		{"it has removed the key, perhaps, at the timestamp that the client knows", []history.Op{known, timed(remove("x"))}, nil, 0},
		{"it has removed what was there before, perhaps, and not what came after", []history.Op{timed(remove("y")), later}, nil, 1},
		{"it was acknowledged, and is gone as well", []history.Op{known, told}, nil, 1},
		{"its other record is all that is left", []history.Op{unknown(write("x"), write("y"))}, []Row{putY}, 1},
	} {
		got := Acknowledged(&history.History{Ops: c.h}, Rows{Write: c.rows}, 30)
		if len(got.Findings) != c.bad {
			t.Errorf("%s: %+v", c.name, got.Findings)
		}
	}
	// Above the safe point nothing may be gone.
	if got := Acknowledged(&history.History{Ops: []history.Op{known, unknown(write("x"))}}, Rows{Write: []Row{putX}}, 15); len(got.Findings) != 1 {
		t.Errorf("overwritten above the safe point: %+v", got.Findings)
	}
}
