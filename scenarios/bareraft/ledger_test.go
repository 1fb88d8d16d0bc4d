package bareraft

import (
	"errors"
	"strings"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/invariant"
	"simrun/scenarios/bareraft/registers"
)

func at(index, term uint64, data string) *raftpb.Entry {
	return &raftpb.Entry{Index: &index, Term: &term, Data: []byte(data)}
}

func stored(term, vote, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
}

// logOf returns a log with these entries.
func logOf(t *testing.T, entries ...*raftpb.Entry) *raft.MemoryStorage {
	t.Helper()
	log := registers.NewLog(3)
	if err := log.Append(entries); err != nil {
		t.Fatal(err)
	}
	return log
}

// Each promise of raft, broken in the smallest way, stops the run with a
// sentence that tells which, and nothing that raft may do stops it.
func TestLedger(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(l *ledger)
		want string // "": nothing is wrong
	}{
		{"two leaders in one term", func(l *ledger) {
			l.Elected(1, 2, logOf(t))
			l.Elected(2, 2, logOf(t))
		}, "member 2 leads in term 2, in which member 1 leads"},
		{"leaders of different terms", func(l *ledger) {
			l.Elected(1, 2, logOf(t))
			l.Elected(2, 3, logOf(t))
		}, ""},
		{"different entries in one position", func(l *ledger) {
			l.Appended(1, 1, []*raftpb.Entry{at(2, 2, "a")})
			l.Appended(2, 1, []*raftpb.Entry{at(2, 2, "b")})
		}, "member 2 stores index 2 of term 2"},
		{"equal entries after different ones", func(l *ledger) {
			l.Appended(1, 1, []*raftpb.Entry{at(2, 2, "a"), at(3, 4, "b")})
			l.Appended(2, 1, []*raftpb.Entry{at(2, 3, "a"), at(3, 4, "b")})
		}, "member 2 stores index 3 of term 4"},
		{"different entries of different terms", func(l *ledger) {
			l.Appended(1, 1, []*raftpb.Entry{at(2, 2, "a")})
			l.Appended(2, 1, []*raftpb.Entry{at(2, 3, "b")})
			l.Appended(1, 1, []*raftpb.Entry{at(2, 3, "b")})
		}, ""},
		{"a leader without a committed entry", func(l *ledger) {
			l.Applied(1, 2, at(2, 2, "a"))
			l.Elected(2, 3, logOf(t))
		}, "member 2 leads in term 3 without index 2"},
		{"a leader with another entry than the committed one", func(l *ledger) {
			l.Applied(1, 3, at(2, 3, "a"))
			l.Elected(2, 4, logOf(t, at(2, 2, "b")))
		}, "member 2 leads in term 4 with an entry of term 2 at index 2, where one of term 3 was committed"},
		{"a late leader without what was committed after its term", func(l *ledger) {
			l.Applied(1, 4, at(2, 2, "a"))
			l.Elected(2, 3, logOf(t))
		}, ""},
		{"two states at one index", func(l *ledger) {
			l.Applied(1, 2, at(2, 2, "a"))
			l.Applied(2, 3, at(2, 3, "b"))
		}, "member 2 applies an entry of term 3 at index 2, where another has applied one of term 2"},
		{"a term that goes back", func(l *ledger) {
			l.Saved(1, stored(3, 0, 2))
			l.Saved(1, stored(2, 0, 2))
		}, "member 1 stores"},
		{"a commit that goes back", func(l *ledger) {
			l.Saved(1, stored(3, 0, 2))
			l.Saved(1, stored(3, 0, 1))
		}, "member 1 stores"},
		{"two votes in one term", func(l *ledger) {
			l.Saved(1, stored(3, 2, 2))
			l.Saved(1, stored(3, 1, 2))
		}, "member 1 votes for 1 in term 3, in which it has voted for 2"},
		{"a vote in each of two terms", func(l *ledger) {
			l.Saved(1, stored(3, 0, 2))
			l.Saved(1, stored(3, 2, 2))
			l.Saved(1, stored(4, 1, 2))
		}, ""},
		{"a disk that has lost a vote", func(l *ledger) {
			l.Started(1, stored(1, 0, 1))
			l.Saved(1, stored(3, 2, 2))
			l.Started(1, stored(3, 0, 2))
		}, "member 1 starts with"},
		{"a snapshot of what nobody has applied", func(l *ledger) {
			l.Applied(1, 2, at(2, 2, "a"))
			l.Restored(2, 3, 2)
		}, "member 2 gets a snapshot of index 3 and term 2, which nobody has applied"},
		{"a snapshot of what was applied", func(l *ledger) {
			l.Applied(1, 2, at(2, 2, "a"))
			l.Restored(2, 2, 2)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := violation(func() { c.does(newLedger(3)) })
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// violation returns the message with which an invariant fails in fn.
func violation(fn func()) (message string) {
	defer func() {
		if err, ok := recover().(error); ok {
			var v invariant.Violation
			if !errors.As(err, &v) {
				panic(err)
			}
			message = v.Message
		}
	}()
	fn()
	return ""
}

// The comparison at the end of a run names the first entry that differs, and
// looks only at what both logs still have.
func TestDifference(t *testing.T) {
	a := logOf(t, at(2, 2, "a"), at(3, 2, "b"), at(4, 3, "c"))
	same := logOf(t, at(2, 2, "a"), at(3, 2, "b"), at(4, 3, "c"))
	if err := same.Compact(3); err != nil {
		t.Fatal(err)
	}
	if got := difference(a, same); got != "" {
		t.Errorf("a compacted log: %s", got)
	}
	other := logOf(t, at(2, 2, "a"), at(3, 2, "B"))
	if got, want := difference(a, other), "at index 3 one has an entry of term 2, the other one of term 2, of 1 and 1 bytes"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
