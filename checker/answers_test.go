package checker_test

import (
	"testing"

	"simrun/checker"
	"simrun/sim/history"
)

// Answers that a client found to contradict each other are a violation; where
// nobody compared any, nothing is known.
func TestAnswers(t *testing.T) {
	of := func(records ...history.TxnRecord) checker.Result {
		h := &history.History{Header: history.Header{Tables: true}}
		for i := range records {
			records[i].StartTS = uint64(10 * (i + 1))
			h.Ops = append(h.Ops, history.Op{ID: i, Client: 1, Kind: history.Txn, Invoke: int64(i), Return: int64(i), Outcome: history.OK, Txn: &records[i]})
		}
		for _, r := range checker.History(h, checker.Options{}) {
			if r.Checker == checker.AnswersName {
				return r
			}
		}
		t.Fatal("nobody looked at the answers")
		return checker.Result{}
	}
	if r := of(history.TxnRecord{Compared: 3}, history.TxnRecord{}); r.Verdict != checker.OK || r.Checked != 3 {
		t.Errorf("%+v", r)
	}
	if r := of(history.TxnRecord{Compared: 1}, history.TxnRecord{Problem: "a row is missing"}); r.Verdict != checker.Violation || r.Findings[0].Evidence[0] != 1 {
		t.Errorf("%+v", r)
	}
	if r := of(history.TxnRecord{}); r.Verdict != checker.Unknown {
		t.Errorf("%+v", r)
	}
}
