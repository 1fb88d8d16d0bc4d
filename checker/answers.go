package checker

import (
	"fmt"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// AnswersName is the name in results of the check of answers against each other.
const AnswersName = "answers"

// answers reports what clients found wrong themselves when they compared the
// answers of one transaction, which are all of one snapshot: a range of an index,
// say, with the rows one by one.
func answers(h *history.History) Result {
	r := Result{Checker: AnswersName}
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Txn == nil {
			continue
		}
		r.Checked += op.Txn.Compared
		if op.Txn.Problem != "" {
			r.Add(Finding{
				Anomaly: verdict.AnswersDiffer, Evidence: []int{op.ID},
				Message: fmt.Sprintf("id %d (start_ts %d): %s", op.ID, op.Txn.StartTS, op.Txn.Problem),
			})
		}
	}
	if r.Checked == 0 {
		r.Undecided("no client compared any answers")
	}
	return r
}
