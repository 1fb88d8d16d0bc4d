package state

import (
	"fmt"
	"slices"

	"simrun/checker/verdict"
)

// garbage reports what a key still has of the versions that a whole round of garbage
// collection has to remove. Up to the safe point of such a round a key keeps the change
// that a read at the safe point sees, if that is a Put, and nothing else: not what
// that change hides, nor a Delete, nor records of type Lock and Rollback, which change
// nothing (TiKV, src/storage/txn/actions/gc.rs). What tells, at the safe
// point itself, that the transaction was rolled back that began there may stay, for
// that one is not below the safe point and may yet ask.
//
// This is demanded at Collected, and there of all keys and all replicas, because a
// round counts as done only if each step of it was (see nodes/client, Collector):
//
//   - Every key was, at some moment, in a region whose leader answered that nothing
//     was left up to the safe point, by a read that was confirmed in the epoch which
//     the round had located. Splits and merges move what is collected to other
//     regions and put nothing back; if one comes in between, or another leader, the
//     region refuses or does not answer, and the round asks again from where it was.
//   - Nothing has come later. Whoever commits or is rolled back up to the safe point
//     began below it; before, all stores had settled it, and refuse such ones, and
//     had waited for those that they had let in. An entry that was proposed by a
//     leader who did not learn of its fate lies before the first entry of the next
//     one, which a confirmed read has seen, or is never applied.
//   - Replicas apply one log, and whether they are equal is another check.
//
// It is not demanded above Collected. A round that failed has done some regions,
// and one that goes on while the rows are dumped has, too; which ones nobody
// knows who could be believed. Of an earlier round, at a lower safe point, nothing
// needs to be known: what is garbage there is garbage at every greater one.
func (m *scan) garbage(key string, writes []record) {
	at := m.opts.At.Collected
	visible := slices.IndexFunc(writes, func(w record) bool { return w.commit <= at && (w.kind == 'P' || w.kind == 'D') })
	var left []record
	for i, w := range writes {
		kept := i == visible && w.kind == 'P'
		asked := w.commit == at && (w.kind == 'R' || w.overlapped)
		if w.commit <= at && !kept && !asked {
			left = append(left, w)
		}
	}
	if len(left) == 0 {
		return
	}
	m.r.Add(verdict.Finding{
		Anomaly: verdict.GarbageLeft,
		Message: fmt.Sprintf("key %q: garbage was collected up to the safe point %d, and the record of type %q of transaction %d at %d is left, and %d more",
			key, at, left[0].kind, left[0].start, left[0].commit, len(left)-1),
	})
}
