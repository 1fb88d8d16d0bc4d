package state

import (
	"slices"
	"testing"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// asyncLocks are the locks of transaction 10, which is to commit asynchronously: that
// of its primary x, which lists y and z, and theirs.
func asyncLocks() []Row {
	secondary := append(slices.Clone(shortA), 'a', 0)
	return []Row{
		putL("x", "x", 10, append(slices.Clone(shortA), 'a', 2, 2, 'y', 2, 'z')...),
		putL("y", "x", 10, secondary...), putL("z", "x", 10, secondary...),
	}
}

// TestAcknowledgedByLocks takes a transaction that all its locks commit, and breaks
// one thing at a time: what is enough for a client that was told of a commit is too
// much for one that was told of a failure, and the other way round. No state is fine
// for both, as long as anything is left of the transaction on every key.
func TestAcknowledgedByLocks(t *testing.T) {
	a := "a"
	op := func(outcome history.Outcome, keys ...string) *history.History {
		txn := &history.TxnRecord{StartTS: 10}
		for _, key := range keys {
			txn.Ops = append(txn.Ops, history.TxnOp{Kind: history.TxnWrite, Key: key, Value: &a})
		}
		return &history.History{Ops: []history.Op{{ID: 3, Kind: history.Txn, Outcome: outcome, Txn: txn}}}
	}
	twoPhase := func(key string) Row { return putL(key, "x", 10, shortA...) }
	commit := func(key string) Row { return putW(key, 10, 11, shortA...) }
	for _, c := range []struct {
		name string
		edit func(rows *Rows)
		// ok, failed and unknown are what is found if that is what the client was told.
		ok, failed, unknown verdict.Anomaly
	}{
		{"all locks are there", func(*Rows) {}, "", verdict.UndeadAbort, ""},
		{"a secondary has fallen back to two phases", func(r *Rows) { r.Lock[2] = twoPhase("z") }, verdict.LostCommit, "", ""},
		{"the primary has", func(r *Rows) { r.Lock[0] = twoPhase("x") }, verdict.LostCommit, "", ""},
		{"a secondary is not locked", func(r *Rows) { r.Lock = r.Lock[:2] }, verdict.LostCommit, "", ""},
		{"a secondary is locked by another", func(r *Rows) { r.Lock[2] = putL("z", "z", 12, shortA...) }, verdict.LostCommit, "", ""},
		{"a secondary has a pessimistic lock", func(r *Rows) { r.Lock[2].Value[0] = 'S' }, verdict.LostCommit, "", ""},
		{"a secondary was rolled back", func(r *Rows) { r.Lock, r.Write = r.Lock[:2], []Row{rollW("z", 10)} }, verdict.LostCommit, "", ""},
		{"the primary was rolled back", func(r *Rows) { r.Lock, r.Write = r.Lock[1:], []Row{rollW("x", 10)} }, verdict.LostCommit, "", ""},
		{"the primary is gone", func(r *Rows) { r.Lock = r.Lock[1:] }, verdict.LostCommit, "", ""},
		{"a secondary is committed", func(r *Rows) { r.Lock, r.Write = r.Lock[:2], []Row{commit("z")} }, "", verdict.UndeadAbort, ""},
		{"the primary is committed", func(r *Rows) { r.Lock, r.Write = r.Lock[1:], []Row{commit("x")} }, "", verdict.UndeadAbort, ""},
		{
			"the primary is committed, a secondary in two phases", func(r *Rows) {
				r.Lock, r.Write = []Row{r.Lock[1], twoPhase("z")}, []Row{commit("x")}
			}, "", verdict.UndeadAbort, "",
		},
		{
			"a secondary is committed, another in two phases", func(r *Rows) {
				r.Lock, r.Write = []Row{r.Lock[0], twoPhase("y")}, []Row{commit("z")}
			}, verdict.LostCommit, verdict.UndeadAbort, verdict.RecordConflict,
		},
		{
			"the primary is committed, a secondary is gone", func(r *Rows) {
				r.Lock, r.Write = r.Lock[1:2], []Row{commit("x")}
			}, verdict.LostCommit, verdict.UndeadAbort, verdict.RecordConflict,
		},
	} {
		for outcome, want := range map[history.Outcome]verdict.Anomaly{
			history.OK: c.ok, history.Failed: c.failed, history.Unknown: c.unknown,
		} {
			rows := Rows{Lock: asyncLocks()}
			c.edit(&rows)
			got := Acknowledged(op(outcome, "x", "y", "z"), rows, 0)
			if want == "" && len(got.Findings) > 0 || want != "" && (len(got.Findings) == 0 || got.Findings[0].Anomaly != want) {
				t.Errorf("%s, and the client was told %v: want %q, found %+v", c.name, outcome, want, got.Findings)
			}
		}
	}
	// The key that was not listed, and has no lock, is what the recovery does not ask for.
	if got := Acknowledged(op(history.Unknown, "x", "y", "z", "w"), Rows{Lock: asyncLocks()}, 0); len(got.Findings) != 1 {
		t.Errorf("committed by its locks but for one key: %+v", got.Findings)
	}
}
