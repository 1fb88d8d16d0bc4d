package txn

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/invariant"
	"simrun/nodes/mvcc"
)

// A follower that serves a read sees the data only, not the memory of its leader.
// So together with the question for the commit index it sends what it is about
// to read (guardOf), and the leader treats that as a read of its own (GuardRead):
// no transaction whose commit timestamp it chooses from then on commits below
// it, and one for which it has chosen already is either applied at the index that
// the follower is told, or still locked in memory.

// guardOf describes a read of the encoded keys from lower to upper to the leader.
func guardOf(ts uint64, lower, upper []byte) []byte {
	req := raft_cmdpb.ReadIndexRequest{StartTs: ts, KeyRanges: []*kvrpcpb.KeyRange{{StartKey: lower, EndKey: upper}}}
	b, err := req.Marshal()
	if err != nil { // the message has no field that can fail
		invariant.Fail("txn: the description of a read does not encode: %v", err)
	}
	return b
}

// GuardRead notes a read that a follower is about to serve. It returns the lock
// that forbids it, encoded, or nil.
func (s *Scheduler) GuardRead(guard []byte) []byte {
	var req raft_cmdpb.ReadIndexRequest
	if err := req.Unmarshal(guard); err != nil {
		return nil // what a store of this version does not send is no read at a timestamp
	}
	s.raiseMaxTS(req.StartTs)
	opts := mvcc.ReadOptions{TS: req.StartTs}
	// A read of one key is not told from others; the primary's lock is passed by
	// only where the data is.
	for _, kr := range req.KeyRanges {
		err := s.memory.checkRange(kr.StartKey, kr.EndKey, func(key []byte, lock *mvcc.Lock) bool { return lock.Blocks(key, opts) })
		if err == nil {
			continue
		}
		key, _ := splitError(err)
		markGuardLocked.Reached()
		return mustMarshal(key.Locked)
	}
	return nil
}

func mustMarshal(lock *kvrpcpb.LockInfo) []byte {
	b, err := lock.Marshal()
	if err != nil { // the message has no field that can fail
		invariant.Fail("txn: a lock does not encode: %v", err)
	}
	return b
}
