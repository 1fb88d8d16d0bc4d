package state

import (
	"testing"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

func versionKey(user string, ts uint64) []byte {
	k := encodeKey([]byte(user))
	for i := 56; i >= 0; i -= 8 {
		k = append(k, byte(^ts>>i))
	}
	return k
}

func putW(user string, start, commit uint64, rest ...byte) Row {
	return Row{versionKey(user, commit), append([]byte{'P', byte(start)}, rest...)}
}

func rollW(user string, start uint64) Row {
	return Row{versionKey(user, start), []byte{'R', byte(start), 'v', 1, 'p'}}
}

func putL(user, primary string, start uint64, rest ...byte) Row {
	v := append([]byte{'P', byte(2 * len(primary))}, primary...)
	return Row{encodeKey([]byte(user)), append(append(v, byte(start), 0), rest...)}
}

// short is a short value of one byte.
var shortA = []byte{'v', 1, 'a'}

func TestMVCC(t *testing.T) {
	sa := shortA
	for _, c := range []struct {
		name string
		want verdict.Anomaly // empty: none
		opts Options
		rows Rows
	}{
		{"a commit", "", Options{}, Rows{Write: []Row{putW("k", 10, 11, sa...)}}},
		{"a long value", "", Options{}, Rows{Write: []Row{putW("k", 10, 11)}, Default: []Row{{versionKey("k", 10), []byte("long")}}}},
		{"a value that is missing", verdict.ValueMissing, Options{}, Rows{Write: []Row{putW("k", 10, 11)}}},
		{"a lock whose value is missing", verdict.ValueMissing, Options{}, Rows{Lock: []Row{putL("k", "k", 10)}}},
		{"a value without a record", verdict.ValueOrphan, Options{}, Rows{Default: []Row{{versionKey("k", 10), []byte("long")}}}},
		{
			"a value of a short commit", verdict.ValueOrphan,
			Options{},
			Rows{Write: []Row{putW("k", 10, 11, sa...)}, Default: []Row{{versionKey("k", 10), []byte("long")}}},
		},
		{"two commits", verdict.RecordConflict, Options{}, Rows{Write: []Row{putW("k", 10, 11, sa...), putW("k", 10, 12, sa...)}}},
		{"commit and rollback", verdict.RecordConflict, Options{}, Rows{Write: []Row{putW("k", 10, 11, sa...), rollW("k", 10)}}},
		{
			"commit and overlapped rollback", verdict.RecordConflict,
			Options{},
			Rows{Write: []Row{putW("k", 11, 12, sa...), putW("k", 5, 11, append(sa[:3:3], 'R')...)}},
		},
		{"an overlapped rollback of another", "", Options{}, Rows{Write: []Row{putW("k", 5, 11, append(sa[:3:3], 'R')...)}}},
		{"commits that differ", verdict.RecordConflict, Options{}, Rows{Write: []Row{putW("a", 10, 11, sa...), putW("b", 10, 12, sa...)}}},
		{"committed here, rolled back there", verdict.RecordConflict, Options{}, Rows{Write: []Row{putW("a", 10, 11, sa...), rollW("b", 10)}}},
		{"commit before start", verdict.RecordConflict, Options{}, Rows{Write: []Row{putW("a", 10, 9, sa...)}}},
		{
			"a lock beside its commit", verdict.RecordConflict,
			Options{},
			Rows{Lock: []Row{putL("k", "k", 10, sa...)}, Write: []Row{putW("k", 10, 11, sa...)}},
		},
		{
			"a secondary before its primary", verdict.RecordConflict,
			Options{},
			Rows{Lock: []Row{putL("a", "a", 10, sa...)}, Write: []Row{putW("b", 10, 11, sa...)}},
		},
		{
			"a secondary that is not resolved yet", "",
			Options{},
			Rows{Lock: []Row{putL("b", "a", 10, sa...)}, Write: []Row{putW("a", 10, 11, sa...)}},
		},
		{"two primaries", verdict.RecordConflict, Options{}, Rows{Lock: []Row{putL("a", "a", 10, sa...), putL("b", "b", 10, sa...)}}},
		{
			"commit below what the lock allows", verdict.RecordConflict,
			Options{},
			Rows{Lock: []Row{putL("b", "a", 10, append(sa[:3:3], 'c', 0, 0, 0, 0, 0, 0, 0, 20)...)}, Write: []Row{putW("a", 10, 11, sa...)}},
		},
		{
			"commit below what the lock was granted at", verdict.RecordConflict,
			Options{},
			Rows{Lock: []Row{putL("b", "a", 10, append(sa[:3:3], 'f', 0, 0, 0, 0, 0, 0, 0, 11)...)}, Write: []Row{putW("a", 10, 11, sa...)}},
		},
		{
			"commit above what the lock was granted at", "",
			Options{},
			Rows{Lock: []Row{putL("b", "a", 10, append(sa[:3:3], 'f', 0, 0, 0, 0, 0, 0, 0, 11)...)}, Write: []Row{putW("a", 10, 12, sa...)}},
		},
		{
			"commit below a lock that is in the history", verdict.RecordConflict,
			Options{Reads: locking(10, 15, 13)},
			Rows{Write: []Row{putW("a", 10, 15, sa...)}},
		},
		{"commit above the locks that are in the history", "", Options{Reads: locking(10, 15, 13)}, Rows{Write: []Row{putW("a", 10, 16, sa...)}}},
		{
			"writers that overlap", verdict.RecordConflict,
			Options{Optimistic: true},
			Rows{Write: []Row{putW("k", 10, 20, sa...), putW("k", 11, 21, sa...)}},
		},
		{
			"a writer that overlaps and locked", "",
			Options{Optimistic: true, Reads: locking(11)},
			Rows{Write: []Row{putW("k", 10, 20, sa...), putW("k", 11, 21, sa...)}},
		},
		{
			"writers that overlap, and the first one locked", verdict.RecordConflict,
			Options{Optimistic: true, Reads: locking(10)},
			Rows{Write: []Row{putW("k", 10, 20, sa...), putW("k", 11, 21, sa...)}},
		},
		{"writers in turn", "", Options{Optimistic: true}, Rows{Write: []Row{putW("k", 10, 20, sa...), rollW("k", 15), putW("k", 21, 22, sa...)}}},
		{"a record that does not decode", verdict.RecordCorrupt, Options{}, Rows{Write: []Row{{versionKey("k", 1), []byte{'X'}}}}},
		{"a key that does not decode", verdict.RecordCorrupt, Options{}, Rows{Default: []Row{{[]byte("k"), []byte("v")}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := MVCC(c.rows, c.opts)
			if c.want == "" {
				if got.Verdict != verdict.OK {
					t.Fatalf("%+v", got.Findings)
				}
				return
			}
			if got.Verdict != verdict.Violation || got.Findings[0].Anomaly != c.want {
				t.Fatalf("want %s, got %+v", c.want, got)
			}
		})
	}
}

// TestLockLeft: a lock that a reader must have met is a violation, any other one
// is not.
func TestLockLeft(t *testing.T) {
	reader := func(outcome history.Outcome, ts uint64, ops ...history.TxnOp) *history.History {
		return &history.History{Ops: []history.Op{{ID: 7, Kind: history.Txn, Outcome: outcome, Txn: &history.TxnRecord{StartTS: ts, Ops: ops}}}}
	}
	value := "v"
	get := history.TxnOp{Kind: history.TxnRead, Key: "b"}
	scan := history.TxnOp{Kind: history.TxnScan, Key: "a", EndKey: "c"}
	limited := history.TxnOp{Kind: history.TxnScan, Key: "a", EndKey: "c", Limit: 1}
	short := history.TxnOp{Kind: history.TxnScan, Key: "a", EndKey: "b"}
	write := history.TxnOp{Kind: history.TxnWrite, Key: "b", Value: &value}
	of := func(kind byte) Row {
		l := putL("b", "a", 10, shortA...)
		l.Value[0] = kind
		return l
	}
	committed, rolledBack := putW("a", 10, 15, shortA...), rollW("a", 10)
	for _, c := range []struct {
		name  string
		found bool
		h     *history.History
		lock  Row
		fate  []Row
	}{
		{"read", true, reader(history.OK, 15, get), of('P'), []Row{committed}},
		{"scanned", true, reader(history.OK, 20, scan), of('P'), []Row{committed}},
		{"a delete, scanned", true, reader(history.OK, 20, scan), of('D'), []Row{committed}},
		{"nothing known of reads", false, nil, of('P'), []Row{committed}},
		{"read before the commit", false, reader(history.OK, 14, scan), of('P'), []Row{committed}},
		{"read in vain", false, reader(history.Failed, 20, scan), of('P'), []Row{committed}},
		{"perhaps beyond the limit", false, reader(history.OK, 20, limited), of('P'), []Row{committed}},
		{"beyond the range", false, reader(history.OK, 20, short), of('P'), []Row{committed}},
		{"read by its next writer", false, reader(history.OK, 20, write, get), of('P'), []Row{committed}},
		{"a lock without data", false, reader(history.OK, 20, scan), of('L'), []Row{committed}},
		{"a lock of a transaction that goes on", false, reader(history.OK, 20, scan), of('P'), nil},
		{"a lock set after the rollback", false, reader(history.OK, 20, scan), of('P'), []Row{rolledBack}},
	} {
		got := MVCC(Rows{Lock: []Row{c.lock}, Write: c.fate}, Options{Reads: c.h})
		switch {
		case !c.found && got.Verdict != verdict.OK,
			c.found && (got.Verdict != verdict.Violation || got.Findings[0].Anomaly != verdict.LockLeft || got.Findings[0].Evidence[0] != 7):
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestReplicas(t *testing.T) {
	row := func(v string) []Row { return []Row{{[]byte("k"), []byte(v)}} }
	replica := func(store string, index uint64, v string) Replica {
		return Replica{Store: store, Region: 1, AppliedIndex: index, AppliedTerm: 6, Rows: Rows{Write: row(v)}}
	}
	for _, c := range []struct {
		name     string
		want     verdict.Verdict
		replicas []Replica
	}{
		{"equal", verdict.OK, []Replica{replica("a", 7, "1"), replica("b", 7, "1"), replica("c", 6, "0")}},
		{"different", verdict.Violation, []Replica{replica("a", 7, "1"), replica("b", 6, "1"), replica("c", 7, "2")}},
		{"one row more", verdict.Violation, []Replica{replica("a", 7, "1"), {Store: "b", Region: 1, AppliedIndex: 7, AppliedTerm: 6}}},
		{"hashes", verdict.Violation, []Replica{{Store: "a", Region: 1, Hash: 1}, {Store: "b", Region: 1, Hash: 2}}},
		{"out of range", verdict.Violation, []Replica{{Store: "a", Region: 1, Start: []byte("m"), Rows: Rows{Lock: row("1")}}}},
		{"nothing to compare", verdict.Unknown, []Replica{replica("a", 7, "1"), replica("b", 8, "1")}},
	} {
		if got := Replicas(c.replicas); got.Verdict != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestDivide: every row goes to the replica in whose range it lies, and what
// lies in none comes back and is a violation.
func TestDivide(t *testing.T) {
	rows := func(keys string) (list []Row) {
		for _, k := range keys {
			list = append(list, Row{Key: []byte(string(k))})
		}
		return list
	}
	text := func(list []Row) (s string) {
		for _, r := range list {
			s += string(r.Key)
		}
		return s
	}
	replicas := []Replica{{Region: 2, Start: []byte("m"), End: []byte("p")}, {Region: 1, Start: []byte("b"), End: []byte("f")}}
	all := Rows{Default: rows("abcfmoz"), Lock: rows("ghz"), Write: rows("bn")}
	stray := Divide("store1", all, replicas)
	for _, c := range []struct{ name, got, want string }{
		{"default of region 1", text(replicas[1].Default), "bc"},
		{"default of region 2", text(replicas[0].Default), "mo"},
		{"stray default", text(stray.Default), "afz"},
		{"lock of region 1", text(replicas[1].Lock), ""},
		{"stray lock", text(stray.Lock), "ghz"},
		{"write of region 1", text(replicas[1].Write), "b"},
		{"write of region 2", text(replicas[0].Write), "n"},
		{"stray write", text(stray.Write), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	whole := []Replica{{Region: 1}}
	if got := Regions(whole, stray); len(got.Findings) != 2 || got.Findings[0].Anomaly != verdict.OutOfRange {
		t.Errorf("%+v", got)
	}
	if got := Regions(whole, Divide("store1", all, whole)); got.Verdict != verdict.OK {
		t.Errorf("%+v", got)
	}
	if got := Divide("store1", all, nil); text(got.Default) != "abcfmoz" || text(got.Write) != "bn" {
		t.Errorf("a store without regions: %+v", got)
	}
	// A replica that is late to split has what its successor has, too.
	late := []Replica{{Region: 1}, {Region: 2, Start: []byte("m")}}
	if got := Divide("store1", all, late); len(got.Default)+len(got.Lock)+len(got.Write) != 0 || text(late[1].Default) != "moz" {
		t.Errorf("overlapping ranges: %+v", got)
	}
}

func TestRegions(t *testing.T) {
	region := func(id, version uint64, start, end string) Replica {
		return Replica{Region: id, Version: version, Start: []byte(start), End: []byte(end)}
	}
	for _, c := range []struct {
		name    string
		want    verdict.Verdict
		regions []Replica
	}{
		{"one", verdict.OK, []Replica{region(1, 1, "", "")}},
		{"two, one replica late", verdict.OK, []Replica{region(1, 2, "", "m"), region(1, 1, "", ""), region(2, 2, "m", "")}},
		{"overlap", verdict.Violation, []Replica{region(1, 2, "", "n"), region(2, 2, "m", "")}},
		{"two that have it all", verdict.Violation, []Replica{region(1, 2, "", ""), region(2, 2, "", "")}},
		{"gap", verdict.Violation, []Replica{region(1, 2, "", "l"), region(2, 2, "m", "")}},
		{"no beginning", verdict.Violation, []Replica{region(1, 2, "a", "")}},
		{"no end", verdict.Violation, []Replica{region(1, 2, "", "m")}},
		{"none", verdict.Unknown, nil},
	} {
		got := Regions(c.regions)
		if got.Verdict != c.want || got.Verdict == verdict.Violation && got.Findings[0].Anomaly != verdict.RegionMap {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestAcknowledged(t *testing.T) {
	a := "a"
	op := func(outcome history.Outcome, commit uint64) *history.History {
		return &history.History{Ops: []history.Op{{ID: 3, Kind: history.Txn, Outcome: outcome, Txn: &history.TxnRecord{
			StartTS: 10, CommitTS: commit,
			Ops: []history.TxnOp{{Kind: history.TxnWrite, Key: "x", Value: &a}, {Kind: history.TxnWrite, Key: "y", Value: &a}},
		}}}}
	}
	both := Rows{Write: []Row{putW("x", 10, 11, shortA...), putW("y", 10, 11, shortA...)}}
	one := Rows{Write: []Row{putW("x", 10, 11, shortA...)}}
	locked := Rows{Write: one.Write, Lock: []Row{putL("y", "x", 10, shortA...)}}
	prewritten := Rows{Lock: []Row{putL("x", "x", 10, shortA...), putL("y", "x", 10, shortA...)}}
	inverted := Rows{Write: one.Write, Lock: []Row{putL("y", "y", 10, shortA...)}}
	async := Rows{Lock: []Row{putL("x", "x", 10, append(shortA, 'a', 1, 2, 'y')...), putL("y", "x", 10, append(shortA, 'a', 0)...)}}
	waiting := Rows{Lock: []Row{async.Lock[0], {async.Lock[1].Key, append([]byte{'S'}, async.Lock[1].Value[1:]...)}}}
	foreign := Rows{Lock: []Row{putL("x", "z", 10, shortA...), putL("y", "z", 10, shortA...)}}
	elsewhere := Rows{Lock: foreign.Lock, Write: []Row{putW("z", 10, 11, shortA...)}}
	other := Rows{Write: []Row{putW("x", 10, 11, 'v', 1, 'b'), putW("y", 10, 11, shortA...)}}
	for _, c := range []struct {
		name string
		want verdict.Anomaly
		h    *history.History
		rows Rows
	}{
		{"stored", "", op(history.OK, 11), both},
		{"stored, its secondary still locked", "", op(history.OK, 11), locked},
		{"lost", verdict.LostCommit, op(history.OK, 11), one},
		{"nowhere more than locked", verdict.LostCommit, op(history.OK, 11), prewritten},
		{"its primary still locked", verdict.LostCommit, op(history.OK, 11), inverted},
		{"locked for a primary without a record", verdict.LostCommit, op(history.OK, 11), foreign},
		{"locked for a primary with a record", "", op(history.OK, 11), elsewhere},
		{"unknown and locked", "", op(history.Unknown, 0), prewritten},
		{"at another timestamp", verdict.RecordConflict, op(history.OK, 12), both},
		{"of another value", verdict.ValueMissing, op(history.OK, 11), other},
		{"failed and gone", "", op(history.Failed, 0), Rows{}},
		{"failed and there", verdict.UndeadAbort, op(history.Failed, 0), both},
		{"unknown and there", "", op(history.Unknown, 0), both},
		{"unknown and gone", "", op(history.Unknown, 0), Rows{}},
		{"committed by its locks", "", op(history.OK, 11), async},
		{"one of them pessimistic only", verdict.LostCommit, op(history.OK, 11), waiting},
		{"unknown and half", verdict.RecordConflict, op(history.Unknown, 11), one},
	} {
		got := Acknowledged(c.h, c.rows, 0)
		switch {
		case c.want == "" && got.Verdict != verdict.OK, c.want != "" && (got.Verdict != verdict.Violation || got.Findings[0].Anomaly != c.want):
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestAcknowledgedAfterCollection: what garbage collection has to remove may be
// gone, and what it must not remove may not.
func TestAcknowledgedAfterCollection(t *testing.T) {
	a := "a"
	txn := func(id int, start uint64, outcome history.Outcome, ops ...history.TxnOp) history.Op {
		return history.Op{ID: id, Kind: history.Txn, Outcome: outcome, Txn: &history.TxnRecord{StartTS: start, CommitTS: start + 1, Ops: ops}}
	}
	h := &history.History{Ops: []history.Op{
		txn(0, 10, history.OK, history.TxnOp{Kind: history.TxnWrite, Key: "x", Value: &a}, history.TxnOp{Kind: history.TxnWrite, Key: "y", Value: &a}),
		txn(1, 20, history.OK, history.TxnOp{Kind: history.TxnWrite, Key: "x", Value: &a}, history.TxnOp{Kind: history.TxnDelete, Key: "y"}),
		txn(2, 30, history.OK, history.TxnOp{Kind: history.TxnWrite, Key: "y", Value: &a}),
	}}
	all := []Row{putW("x", 20, 21, shortA...), putW("y", 30, 31, shortA...)}
	for _, c := range []struct {
		name      string
		safePoint uint64
		rows      []Row
		lost      int
	}{
		{"up to a deletion and a later value", 25, all, 0},
		{"up to less", 20, all, 2},                            // what reads at the safe point see, and the deletion
		{"nothing collected", 0, all, 2},                      // and the first
		{"the newest value gone", 25, all[1:], 1},             // of x
		{"a value above the safe point gone", 25, all[:1], 1}, // of y
	} {
		got := Acknowledged(h, Rows{Write: c.rows}, c.safePoint)
		if len(got.Findings) != c.lost {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	left := MVCC(Rows{Lock: []Row{putL("x", "x", 10, shortA...)}}, Options{At: SafePoints{Settled: 11}})
	if left.Verdict != verdict.Violation || left.Findings[0].Anomaly != verdict.LockLeft {
		t.Errorf("a lock below the safe point: %+v", left)
	}
}

// TestAsyncLocks: whoever recovers an async-commit transaction asks the keys that
// its primary lists, so all that it has locked or written has to be among them. A
// pessimistic lock that is late means nothing.
func TestAsyncLocks(t *testing.T) {
	lists := func(keys ...byte) Row {
		rest := append([]byte{}, shortA...)
		rest = append(rest, 'a', byte(len(keys)))
		for _, k := range keys {
			rest = append(rest, 2, k)
		}
		return putL("x", "x", 10, rest...)
	}
	secondary := func(key string) Row { return putL(key, "x", 10, append(append([]byte{}, shortA...), 'a', 0)...) }
	late := secondary("z")
	late.Value[0] = 'S'
	for _, c := range []struct {
		name string
		want verdict.Anomaly
		rows Rows
	}{
		{"listed", "", Rows{Lock: []Row{lists('y'), secondary("y")}}},
		{"committed, and the primary not yet", "", Rows{Lock: []Row{lists('y')}, Write: []Row{putW("y", 10, 11, shortA...)}}},
		{"not listed", verdict.RecordConflict, Rows{Lock: []Row{lists('y'), secondary("y"), secondary("z")}}},
		{"committed and not listed", verdict.RecordConflict, Rows{Lock: []Row{lists('y')}, Write: []Row{putW("z", 10, 11, shortA...)}}},
		{"a late pessimistic lock", "", Rows{Lock: []Row{lists('y'), secondary("y"), late}}},
		{
			"a late pessimistic lock of one that is committed", "",
			Rows{Lock: []Row{late}, Write: []Row{putW("x", 10, 11, shortA...), putW("y", 10, 11, shortA...)}},
		},
	} {
		got := MVCC(c.rows, Options{})
		if c.want == "" && got.Verdict != verdict.OK || c.want != "" && (got.Verdict != verdict.Violation || got.Findings[0].Anomaly != c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// locking is a history of one pessimistic transaction, and of the locks that it was granted.
func locking(start uint64, granted ...uint64) *history.History {
	x := &history.TxnRecord{StartTS: start, Pessimistic: true}
	for _, ts := range granted {
		x.Ops = append(x.Ops, history.TxnOp{Kind: history.TxnLock, Key: "k", TS: ts})
	}
	return &history.History{Ops: []history.Op{{Kind: history.Txn, Outcome: history.Unknown, Txn: x}}}
}
