package placement

import (
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markSavesShared  = invariant.NewMark("placement: one proposal for several saves")
	markSaveRepeated = invariant.NewMark("placement: dropped proposal repeated")
)

// save is a Save under way.
type save struct {
	records []Record
	done    func(error)
}

// saver replicates the saves of a leadership, in order: those that come while
// one proposal is under way share the next.
type saver struct {
	waiting []save // those under way first
	running bool   // a task proposes as long as there are any
}

// proposalMax bounds the bytes of records in one proposal of several saves.
const proposalMax = 256 << 10

func (s *saver) busy() bool { return len(s.waiting) > 0 }

// abandon ends all saves.
func (s *saver) abandon() {
	waiting := s.waiting
	s.waiting = nil
	for _, w := range waiting {
		w.done(errNotLeader)
	}
}

// Save implements Storage.
func (l *leadership) Save(records []Record, done func(error)) {
	if l.ended {
		done(errNotLeader)
		return
	}
	l.saver.waiting = append(l.saver.waiting, save{records, done})
	if !l.saver.running {
		l.saver.running = true
		l.s.env.Sched.Go("placement save", l.runSaves)
	}
}

// runSaves proposes what waits until nothing does.
func (l *leadership) runSaves(t env.Task) {
	s := &l.saver
	for len(s.waiting) > 0 {
		n, records := s.batch()
		markSavesShared.Sometimes(n > 1)
		err := l.s.replica.propose(t, l.term, records)
		if l.ended {
			return // everybody was told; what the next leadership makes of it, it finds in the state
		}
		if err != nil {
			// Raft had no room for it. Whoever waits does so for the end of the
			// leadership at most.
			markSaveRepeated.Reached()
			t.Sleep(retryInterval)
			continue
		}
		saved := s.waiting[:n]
		s.waiting = s.waiting[n:]
		for _, w := range saved {
			w.done(nil)
		}
	}
	s.running = false
}

// batch returns the records of the next saves, and how many saves these are.
func (s *saver) batch() (n int, records []Record) {
	size := 0
	for _, w := range s.waiting {
		for _, r := range w.records {
			size += r.size()
		}
		if n > 0 && size > proposalMax {
			break
		}
		records = append(records, w.records...)
		n++
	}
	return n, records
}
