package txn

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// The greatest timestamp of a read bounds the commit timestamps that this store
// chooses by itself (async commit, one-phase commit). It knows of the reads of
// this process only. The reads of an earlier leader of a region were at
// timestamps that the placement driver had handed out before; so a new leader
// asks it for one more, and until that is known it chooses no timestamp in that
// region. The same goes for a region that another one was merged into, whose
// leader may have been elsewhere.

// raiseMaxTS notes that this store has answered, or is about to answer, a read
// at ts. A transaction whose commit timestamp this store itself chooses must
// commit above all of them, or that read would not be repeatable. A read at
// codec.MaxTS asks for the newest version and promises nothing. A rollback is such
// a read as well: its record stands at ts, where no commit record must come.
func (s *Scheduler) raiseMaxTS(ts uint64) {
	if ts != codec.MaxTS && ts > s.maxTS {
		s.maxTS = ts
	}
}

// syncRetry is the time between two questions for a timestamp.
const syncRetry = 20 * time.Millisecond

// maxTSSync says whether maxTS covers the reads of a region's earlier leaders.
type maxTSSync struct {
	term   uint64
	round  int // counts the occasions on which a timestamp was required
	synced bool
}

// RequireMaxTS makes the region choose no commit timestamps until a timestamp of
// the placement driver, asked for from now on, is known. It is called when this
// store becomes leader of the region in a term, and when it applies a merge into
// a region that it leads.
func (s *Scheduler) RequireMaxTS(region, term uint64) {
	st := s.syncs[region]
	if st == nil {
		st = &maxTSSync{}
		s.syncs[region] = st
	}
	st.term, st.synced = term, false
	st.round++
	round := st.round
	s.sched.Go("synchronise max_ts", func(t env.Task) {
		for st.round == round {
			ts, err := s.cfg.Timestamp(t)
			if err != nil {
				t.Sleep(syncRetry)
				continue
			}
			if st.round == round {
				s.raiseMaxTS(ts)
				st.synced = true
			}
			return
		}
	})
}

// maxTSSynced reports whether commit timestamps may be chosen in a region whose
// leader this store is in term.
func (s *Scheduler) maxTSSynced(region, term uint64) bool {
	st := s.syncs[region]
	if st == nil || st.term != term {
		// Nobody has told of this term yet.
		s.RequireMaxTS(region, term)
		return false
	}
	return st.synced
}

func maxTSNotSyncedError() error {
	return &regionError{&errorpb.Error{
		Message:               "max_ts is not synchronised",
		MaxTimestampNotSynced: &errorpb.MaxTimestampNotSynced{},
	}}
}
