package consensus

import (
	"strings"
	"testing"
)

// story is a ledger with one group of three peers, 1 to 3 on the nodes a to c,
// whose logs begin after index 1 of term 1.
type story struct {
	*Ledger
	said []string
}

func begin() *story {
	s := &story{}
	s.Ledger = New(func(b Breach) { s.said = append(s.said, b.Error()) })
	for id := range uint64(3) {
		s.start(id+1, HardState{1, 0, 1}, 1)
	}
	return s
}

func of(peer uint64) Peer { return Peer{Group: 9, ID: peer} }

func nodeOf(peer uint64) string { return string(rune('a' + peer - 1)) }

// start begins a process of a peer whose disk holds a log up to an index, of
// which nothing is told.
func (s *story) start(peer uint64, hard HardState, last uint64, entries ...Entry) {
	s.Started(of(peer), nodeOf(peer), Start{Hard: hard, Written: hard, Base: Position{1, 1}, Last: last})
	for _, e := range entries {
		s.Found(of(peer), e)
	}
}

// write has a peer in a term take entries that are on disk at once.
func (s *story) write(peer, term, vote uint64, entries ...Entry) {
	s.Promised(of(peer), term, vote)
	for _, e := range entries {
		s.Appended(of(peer), e)
	}
	_, p := s.find(of(peer))
	last, _ := p.log.term(p.log.last)
	s.Durable(of(peer), p.hard, Position{p.log.last, last})
}

// lead has a peer be elected with the votes of all, and take the empty entry of
// its term.
func (s *story) lead(peer, term uint64) {
	for id := range uint64(3) {
		s.write(id+1, term, peer)
	}
	s.Elected(of(peer), term)
}

// Each promise, broken in the smallest way, is told once and by its name; and
// nothing is told of what raft may do.
func TestPromises(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(s *story)
		want string // "": nothing is wrong
	}{
		{"two leaders in one term", func(s *story) {
			s.write(1, 2, 1)
			s.Elected(of(1), 2)
			s.write(2, 2, 2)
			s.Elected(of(2), 2)
		}, "election-safety: peer 2 of group 9 on b leads in term 2, in which peer 1 on a has led"},
		{"two leaders of one term, with a restart in between", func(s *story) {
			s.write(1, 2, 1)
			s.Elected(of(1), 2)
			s.start(1, HardState{2, 1, 1}, 1)
			s.write(2, 2, 2)
			s.Elected(of(2), 2)
		}, "election-safety: peer 2"},
		{"leaders of different terms", func(s *story) { s.lead(1, 2); s.lead(2, 3) }, ""},

		{"a leader that overwrites", func(s *story) {
			s.write(1, 2, 1, Entry{2, 1, 7})
			s.Elected(of(1), 2)
			s.write(1, 2, 1, Entry{2, 2, 8})
		}, "leader-append-only: peer 1 of group 9 on a leads in term 2, and puts an entry of term 2 at index 2"},
		{"a leader that was deposed overwrites", func(s *story) {
			s.lead(1, 2)
			s.write(1, 2, 1, Entry{2, 2, 7})
			s.write(1, 3, 2, Entry{2, 3, 8})
		}, ""},

		{"different entries in one position", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.write(2, 2, 0, Entry{2, 2, 8})
		}, "log-matching: peer 2 of group 9 on b has the entry 8 after one of term 1 at index 2 of term 2, where another has 7"},
		{"equal entries after different ones", func(s *story) {
			s.write(1, 4, 0, Entry{2, 2, 7}, Entry{3, 4, 8})
			s.write(2, 4, 0, Entry{2, 3, 7}, Entry{3, 4, 8})
		}, "log-matching: peer 2 of group 9 on b has the entry 8 after one of term 3 at index 3 of term 4"},
		{"different entries of different terms", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.write(2, 3, 0, Entry{2, 3, 8})
			s.write(1, 3, 0, Entry{2, 3, 8})
		}, ""},
		{
			"a gap in a log", func(s *story) { s.write(1, 2, 0, Entry{3, 2, 7}) },
			"log-matching: peer 1 of group 9 on a has an entry of term 2 at index 3 behind a log that ends at 1",
		},
		{
			"terms that descend in a log", func(s *story) { s.write(1, 3, 0, Entry{2, 3, 7}, Entry{3, 2, 7}) },
			"log-matching: peer 1 of group 9 on a has an entry of term 2 at index 3",
		},
		{"another entry on the disk than was appended", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.start(1, HardState{2, 0, 1}, 2, Entry{2, 2, 8})
		}, "log-matching: peer 1 of group 9 on a has the entry 8"},

		{"a leader without a committed entry", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.write(2, 3, 2)
			s.Elected(of(2), 3)
		}, "leader-completeness: peer 2 of group 9 on b leads in term 3 without index 2, which was committed before; its log ends at 1"},
		{"a leader with another entry than the committed one", func(s *story) {
			s.write(1, 3, 0, Entry{2, 3, 7})
			s.Committed(of(1), 2)
			s.write(2, 4, 2, Entry{2, 2, 8})
			s.Elected(of(2), 4)
		}, "leader-completeness: peer 2 of group 9 on b leads in term 4 with an entry of term 2 at index 2, where one of term 3 was committed"},
		{"a late leader without what was committed after its term", func(s *story) {
			s.write(1, 4, 0, Entry{2, 4, 7})
			s.Committed(of(1), 2)
			s.write(2, 3, 2)
			s.Elected(of(2), 3)
		}, ""},

		{"two entries committed at one index", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.write(2, 3, 0, Entry{2, 3, 8})
			s.Committed(of(2), 2)
		}, "state-machine-safety: peer 2 of group 9 on b takes an entry of term 3 at index 2 for committed, where one of term 2 is"},
		{"another entry applied than was appended", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.Applied(of(1), Entry{2, 2, 8}, NoEffect)
		}, "state-machine-safety: peer 1 of group 9 on a applies 8 at index 2 of term 2, and what was appended there is 7"},
		{"another entry applied than was committed", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.Applied(of(1), Entry{2, 1, 7}, NoEffect)
		}, "state-machine-safety: peer 1 of group 9 on a applies an entry of term 1 at index 2, where one of term 2 was committed"},
		{"an entry applied that is not committed", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Applied(of(1), Entry{2, 2, 7}, NoEffect)
		}, "state-machine-safety: peer 1 of group 9 on a applies index 2, and takes 1 for committed"},
		{"an entry with two effects", func(s *story) {
			for _, peer := range []uint64{1, 2} {
				s.write(peer, 2, 0, Entry{2, 2, 7})
				s.Committed(of(peer), 2)
			}
			s.Applied(of(1), Entry{2, 2, 7}, 5)
			s.Applied(of(1), Entry{2, 2, 7}, 5) // again, after a restart
			s.Applied(of(2), Entry{2, 2, 7}, NoEffect)
		}, "state-machine-safety: peer 2 of group 9 on b applies index 2 with the effect 0, and another peer did with 5"},
		{"an entry replaced that was committed", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.write(1, 3, 0, Entry{2, 3, 8})
		}, "state-machine-safety: peer 1 of group 9 on a replaces its entry 2, up to 2 of which are committed"},
		{"a commit index that goes back", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.Committed(of(1), 1)
		}, "state-machine-safety: peer 1 of group 9 on a goes back from commit index 2 to 1"},
		{
			"a commit index behind the log", func(s *story) { s.Committed(of(1), 2) },
			"state-machine-safety: peer 1 of group 9 on a takes index 2 for committed, and its log ends at 1",
		},
		{"a snapshot of what nobody has committed", func(s *story) {
			s.Restored(of(2), Position{3, 2})
		}, "state-machine-safety: peer 2 of group 9 on b gets a snapshot of index 3, which nobody takes for committed"},
		{"a snapshot with another term", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.Restored(of(2), Position{2, 1})
		}, "state-machine-safety: peer 2 of group 9 on b takes an entry of term 1 at index 2 for committed"},
		{
			"a snapshot of what is committed here", func(s *story) { s.Restored(of(1), Position{1, 1}) },
			"state-machine-safety: peer 1 of group 9 on a gets a snapshot of index 1, and takes 1 for committed",
		},
		{"a snapshot, and entries after it", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.Applied(of(1), Entry{2, 2, 7}, NoEffect)
			s.Restored(of(2), Position{2, 2})
			s.write(2, 2, 0, Entry{3, 2, 8})
		}, ""},

		{
			"two votes in one term", func(s *story) { s.write(1, 2, 2); s.Promised(of(1), 2, 3) },
			"second-vote: peer 1 of group 9 on a votes for 3 in term 2, in which it has voted for 2",
		},
		{"two votes in one term, the first of which was lost", func(s *story) {
			s.write(1, 2, 2)
			s.Voted(of(1), 2, 2)
			s.start(1, HardState{2, 2, 1}, 1) // what it finds is right,
			_, p := s.find(of(1))
			p.hard, p.durable = HardState{2, 0, 1}, HardState{2, 0, 1} // and then forgotten
			s.write(1, 2, 3)
		}, "second-vote: peer 1 of group 9 on a votes for 3 in term 2, in which it has voted for 2"},
		{"a vote in each of two terms", func(s *story) { s.write(1, 2, 2); s.write(1, 3, 3) }, ""},
		{
			"a term that goes back", func(s *story) { s.write(1, 3, 0); s.Promised(of(1), 2, 0) },
			"second-vote: peer 1 of group 9 on a goes back from term 3 to 2",
		},

		{"a vote that is not on disk", func(s *story) {
			s.Promised(of(1), 2, 3)
			s.Voted(of(1), 2, 3)
		}, "not-durable: peer 1 of group 9 on a gives its vote in term 2 to 3, and what is on disk is {Term:1 Vote:0 Commit:1}"},
		{"a vote that is", func(s *story) { s.write(1, 2, 3); s.Voted(of(1), 2, 3) }, ""},
		{"an entry acknowledged that is not on disk", func(s *story) {
			s.write(1, 2, 0)
			s.Appended(of(1), Entry{2, 2, 7})
			s.Acknowledged(of(1), 2, 2)
		}, "not-durable: peer 1 of group 9 on a acknowledges index 2 in term 2, and what is on disk ends at index 1 in term 2"},
		{
			"an entry acknowledged in a term that is not", func(s *story) { s.Promised(of(1), 2, 0); s.Acknowledged(of(1), 2, 1) },
			"not-durable: peer 1 of group 9 on a acknowledges index 1 in term 2, and what is on disk ends at index 1 in term 1",
		},
		{"an entry acknowledged that is not on disk, in a term that is over", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.write(1, 3, 0)
			s.Acknowledged(of(1), 2, 3)
		}, "not-durable: peer 1 of group 9 on a acknowledges index 3 in term 2, and what is on disk ends at index 2 in term 3"},
		{"an entry acknowledged that a later leader has replaced by the same write", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.write(1, 4, 0, Entry{2, 4, 8})
			s.Acknowledged(of(1), 3, 3)
		}, ""},
		{"an entry acknowledged that is on disk", func(s *story) { s.write(1, 2, 0, Entry{2, 2, 7}); s.Acknowledged(of(1), 2, 2) }, ""},

		{
			"a disk that has lost a vote", func(s *story) { s.write(1, 2, 3); s.start(1, HardState{2, 0, 1}, 1) },
			"not-durable: peer 1 of group 9 on a starts with a vote for 0 in term 2, though one for 3 was on disk",
		},
		{
			"a disk that has lost a term", func(s *story) { s.write(1, 3, 3); s.start(1, HardState{2, 2, 1}, 1) },
			"not-durable: peer 1 of group 9 on a starts in term 2, though term 3 was on disk",
		},
		{"a disk that has lost a commit index", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.write(1, 2, 0)
			s.start(1, HardState{2, 0, 1}, 2)
		}, "not-durable: peer 1 of group 9 on a starts with commit index 1, though 2 was on disk"},
		{
			"a disk that has lost an entry", func(s *story) { s.write(1, 2, 0, Entry{2, 2, 7}); s.start(1, HardState{2, 0, 1}, 1) },
			"not-durable: peer 1 of group 9 on a starts with a log that ends at 1, though it was on disk up to 2",
		},
		{"a disk that has another entry", func(s *story) {
			s.write(1, 3, 0, Entry{2, 3, 7})
			s.start(1, HardState{3, 0, 1}, 2, Entry{2, 2, 8})
		}, "not-durable: peer 1 of group 9 on a starts with an entry of term 2 at index 2, though one of term 3 was on disk"},
		{
			"a disk that goes back", func(s *story) { s.write(1, 3, 0); s.Durable(of(1), HardState{2, 0, 1}, Position{1, 1}) },
			"not-durable: peer 1 of group 9 on a writes {Term:2 Vote:0 Commit:1} after {Term:3 Vote:0 Commit:1}",
		},
		{"a write that the power has taken", func(s *story) {
			s.Promised(of(1), 2, 3)
			s.Appended(of(1), Entry{2, 2, 7})
			s.start(1, HardState{1, 0, 1}, 1)
		}, ""},
		{"a snapshot that the power has taken, instead of which there is another entry", func(s *story) {
			s.write(2, 2, 0, Entry{2, 2, 8})
			s.write(1, 3, 0, Entry{2, 3, 7})
			s.Committed(of(1), 2)
			s.Promised(of(2), 3, 0)
			s.Restored(of(2), Position{2, 3})
			s.start(2, HardState{2, 0, 1}, 2, Entry{2, 2, 8})
		}, ""},
		{"a replacing write that the power has taken, and one that it has not", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7}, Entry{3, 2, 8})
			s.write(2, 2, 0, Entry{2, 2, 7}, Entry{3, 2, 8})
			for peer := range uint64(2) {
				s.Promised(of(peer+1), 3, 0)
				s.Appended(of(peer+1), Entry{3, 3, 9})
			}
			s.start(1, HardState{2, 0, 1}, 3, Entry{2, 2, 7}, Entry{3, 2, 8})
			s.start(2, HardState{3, 0, 1}, 3, Entry{2, 2, 7}, Entry{3, 3, 9})
		}, ""},
		{"a log that is shorter than before a replacing write", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7}, Entry{3, 2, 8})
			s.Promised(of(1), 3, 0)
			s.Appended(of(1), Entry{3, 3, 9})
			s.start(1, HardState{3, 0, 1}, 1)
		}, "not-durable: peer 1 of group 9 on a starts with a log that ends at 1, though it was on disk up to 2"},
		{"a replacing write that is done, and then lost", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7}, Entry{3, 2, 8})
			s.write(1, 3, 0, Entry{2, 3, 9})
			s.start(1, HardState{3, 0, 1}, 2, Entry{2, 2, 7})
		}, "not-durable: peer 1 of group 9 on a starts with an entry of term 2 at index 2, though one of term 3 was on disk"},

		{
			"a peer that was removed", func(s *story) { s.Removed(of(3)); s.start(3, HardState{}, 1) },
			"resurrected: peer 3 of group 9 on c comes back, though it was removed",
		},
		{
			"a peer that has lost its disk", func(s *story) { s.Lost("c"); s.start(3, HardState{1, 0, 1}, 1) },
			"resurrected: peer 3 of group 9 on c comes back, though it has lost its disk",
		},
		{"a peer's id given again", func(s *story) {
			s.UniqueIDs()
			s.start(1, HardState{1, 0, 1}, 1)
			s.Started(Peer{Group: 11, ID: 1}, "b", Start{})
		}, "resurrected: peer 1 of group 11 on b has the id 1, which belongs to group 9 a"},
		{"a group's id given to a peer", func(s *story) {
			s.UniqueIDs()
			s.start(1, HardState{1, 0, 1}, 1)
			s.Started(Peer{Group: 11, ID: 9}, "b", Start{})
		}, "resurrected: peer 9 of group 11 on b has the id 9, which belongs to group 9"},
		{"one id in two groups that have ids of their own", func(s *story) { s.Started(Peer{Group: 11, ID: 1}, "b", Start{}) }, ""},

		{"two meanings of one epoch", func(s *story) {
			s.Configured(of(1), 0, Epoch{1, 1}, "a to z")
			s.Configured(of(2), 0, Epoch{1, 1}, "a to m")
		}, "configuration-conflict: peer 2 of group 9 on b takes the group in epoch 1/1 for a to m, and another for a to z"},
		{"two groups made by one entry", func(s *story) {
			s.Configured(of(1), 4, Epoch{1, 2}, "a to m")
			s.Configured(of(2), 4, Epoch{1, 3}, "a to f")
		}, "configuration-conflict: peer 2 of group 9 on b has at index 4 made the group a to f, and another a to m"},
		{"one configuration, applied twice", func(s *story) {
			s.Configured(of(1), 4, Epoch{1, 2}, "a to m")
			s.Configured(of(1), 4, Epoch{1, 2}, "a to m")
			s.Configured(of(2), 4, Epoch{1, 2}, "a to m")
		}, ""},

		{"a read that misses what was committed", func(s *story) {
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.ReadServed(of(2), s.ReadBegan(9), 1)
		}, "stale-read: peer 2 of group 9 on b serves a read at index 1, though 2 was committed when the read began"},
		{"a read that misses what was committed since", func(s *story) {
			began := s.ReadBegan(9)
			s.write(1, 2, 0, Entry{2, 2, 7})
			s.Committed(of(1), 2)
			s.ReadServed(of(2), began, 1)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin()
			c.does(s)
			switch {
			case c.want == "" && len(s.said) > 0:
				t.Errorf("said %q", s.said)
			case c.want != "" && len(s.said) == 0:
				t.Error("nothing is said")
			case c.want != "" && !strings.HasPrefix(s.said[0], c.want):
				t.Errorf("said %q", s.said[0])
			}
		})
	}
}

// The counts tell an OK over nothing from one over much.
func TestCounts(t *testing.T) {
	s := begin()
	s.lead(1, 2)
	if !s.Leads(of(1)) || s.Leads(of(2)) {
		t.Error("peer 1 leads, and nobody else")
	}
	s.write(1, 2, 1, Entry{2, 2, 7})
	s.write(2, 2, 1, Entry{2, 2, 7})
	s.Committed(of(1), 2)
	s.Committed(of(2), 2)
	s.ReadServed(of(1), s.ReadBegan(9), 2)
	if got, want := s.Counts(), (Counts{Groups: 1, Elections: 1, Entries: 2, Commits: 2, Reads: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	s.write(1, 3, 0)
	if s.Leads(of(1)) {
		t.Error("peer 1 leads no longer")
	}
}

// A log is what it would be entry by entry, whatever is replaced.
func TestLog(t *testing.T) {
	var l log
	l.reset(Position{3, 1})
	terms := map[uint64]uint64{3: 1}
	for _, at := range []Position{{4, 1}, {5, 2}, {6, 2}, {7, 4}, {6, 5}, {7, 5}, {5, 6}, {6, 6}, {4, 7}, {5, 7}, {6, 9}} {
		l.append(at)
		terms[at.Index] = at.Term
		for i := at.Index + 1; i < 10; i++ {
			delete(terms, i)
		}
		for i := range uint64(10) {
			got, known := l.term(i)
			if want, ok := terms[i]; known != ok || got != want {
				t.Fatalf("after %v: index %d has term %d (%v), want %d (%v)", at, i, got, known, want, ok)
			}
		}
	}
}
