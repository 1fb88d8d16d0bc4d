package bareraft

import (
	"errors"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/checker/consensus"
	"simrun/checker/verdict"
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

// What the members tell reaches the ledger, whose checks are tested by
// themselves: a story without a fault is told in silence, and one thing wrong with
// it is found.
func TestLedger(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(l *ledger)
		want verdict.Anomaly // "": nothing is wrong
	}{
		{"nothing", func(*ledger) {}, ""},
		{"a second leader", func(l *ledger) { l.Elected(2, 2) }, verdict.ElectionSafety},
		{"a leader without what was committed", func(l *ledger) { l.Elected(3, 3) }, verdict.LeaderCompleteness},
		{"a leader that overwrites", func(l *ledger) { l.Stored(1, nil, []*raftpb.Entry{at(3, 2, "c")}) }, verdict.LeaderAppendOnly},
		{"different entries in one position", func(l *ledger) { l.Stored(3, stored(2, 1, 1), []*raftpb.Entry{at(2, 2, "b")}) }, verdict.LogMatching},
		{"another entry applied", func(l *ledger) { l.Applied(2, at(2, 1, "a")) }, verdict.StateMachineSafety},
		{"two votes in one term", func(l *ledger) { l.Stored(2, stored(2, 3, 2), nil) }, verdict.SecondVote},
		{"a vote before it is stored", func(l *ledger) { l.Sent(3, message(raftpb.MsgVoteResp, 5, 2, 0)) }, verdict.NotDurable},
		{"an acknowledgement before it is stored", func(l *ledger) { l.Sent(2, message(raftpb.MsgAppResp, 2, 1, 9)) }, verdict.NotDurable},
		{"a refusal of either", func(l *ledger) {
			m := message(raftpb.MsgAppResp, 2, 1, 9)
			m.Reject = new(true)
			l.Sent(2, m)
		}, ""},
		{"a disk that has lost an entry", func(l *ledger) { l.Started(2, stored(2, 1, 2), logOf(t)) }, verdict.NotDurable},
		{"a disk that has not", func(l *ledger) { l.Started(2, stored(2, 1, 2), logOf(t, at(2, 2, "a"), at(3, 2, "b"))) }, ""},
		{"a snapshot of what nobody has committed", func(l *ledger) { l.Restored(3, 9, 2) }, verdict.StateMachineSafety},
		{"a snapshot of what was committed", func(l *ledger) { l.Restored(3, 2, 2) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger([]string{"store1", "store2", "store3"})
			for id := range uint64(3) {
				l.Started(id+1, stored(1, 0, 1), logOf(t))
			}
			// Member 1 leads in term 2, and commits one of its entries with member 2.
			l.Stored(1, stored(2, 1, 1), nil)
			l.Stored(2, stored(2, 1, 1), nil)
			l.Sent(2, message(raftpb.MsgVoteResp, 2, 1, 0))
			l.Elected(1, 2)
			entries := []*raftpb.Entry{at(2, 2, "a"), at(3, 2, "b")}
			l.Stored(1, nil, entries)
			l.Stored(2, nil, entries)
			l.Sent(2, message(raftpb.MsgAppResp, 2, 1, 3))
			l.Stored(1, stored(2, 1, 2), nil)
			l.Applied(1, entries[0])
			l.Stored(2, stored(2, 1, 2), nil)
			l.Applied(2, entries[0])
			if got := breach(func() { c.does(l) }); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func message(kind raftpb.MessageType, term, to, index uint64) *raftpb.Message {
	return &raftpb.Message{Type: &kind, Term: &term, To: &to, Index: &index}
}

// breach returns the promise that is broken in fn.
func breach(fn func()) (anomaly verdict.Anomaly) {
	defer func() {
		if err, ok := recover().(error); ok {
			var b consensus.Breach
			if !errors.As(err, &b) {
				panic(err)
			}
			anomaly = b.Anomaly
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
