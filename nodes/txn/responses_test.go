package txn

import (
	"fmt"
	"strings"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
)

// Responses as stories print them: what went wrong first.

func formatRegionError(e *errorpb.Error) string {
	return fmt.Sprintf("region error: %s\n", e.Message)
}

func formatLockInfo(l *kvrpcpb.LockInfo) string {
	s := fmt.Sprintf("%s locked by %s (%v, primary %s, ttl %d", l.Key, formatTS(l.LockVersion), l.LockType, l.PrimaryLock, l.LockTtl)
	if l.MinCommitTs != 0 {
		s += ", min-commit " + formatTS(l.MinCommitTs)
	}
	if l.UseAsyncCommit {
		s += fmt.Sprintf(", async with %s", l.Secondaries)
	}
	return s + ")"
}

func formatKeyError(e *kvrpcpb.KeyError) string {
	switch {
	case e.Locked != nil:
		return formatLockInfo(e.Locked)
	case e.Conflict != nil:
		c := e.Conflict
		return fmt.Sprintf("conflict on %s: %s started, %s committed at %s (%v)", c.Key,
			formatTS(c.StartTs), formatTS(c.ConflictTs), formatTS(c.ConflictCommitTs), c.Reason)
	case e.AlreadyExist != nil:
		return fmt.Sprintf("%s exists", e.AlreadyExist.Key)
	case e.CommitTsExpired != nil:
		return fmt.Sprintf("commit at %s expired: %s must commit at %s or later", formatTS(e.CommitTsExpired.AttemptedCommitTs),
			formatTS(e.CommitTsExpired.StartTs), formatTS(e.CommitTsExpired.MinCommitTs))
	case e.TxnNotFound != nil:
		return fmt.Sprintf("transaction %s not found at %s", formatTS(e.TxnNotFound.StartTs), e.TxnNotFound.PrimaryKey)
	case e.PrimaryMismatch != nil:
		return "not the primary: " + formatLockInfo(e.PrimaryMismatch.LockInfo)
	case e.Deadlock != nil:
		return formatDeadlock(e.Deadlock)
	case e.Retryable != "":
		return "retryable: " + e.Retryable
	default:
		return "abort: " + e.Abort
	}
}

func formatDeadlock(d *kvrpcpb.Deadlock) string {
	s := fmt.Sprintf("deadlock at %s, locked by %s;", d.LockKey, formatTS(d.LockTs))
	for _, e := range d.WaitChain {
		s += fmt.Sprintf(" %s waits for %s at %s;", formatTS(e.Txn), formatTS(e.WaitForTxn), e.Key)
	}
	return s + fmt.Sprintf(" it holds %s (hash matches: %v)", d.DeadlockKey, d.DeadlockKeyHash == KeyHash(d.DeadlockKey))
}

// result prints a response that is only right or wrong.
func result(region *errorpb.Error, key *kvrpcpb.KeyError, ok string) string {
	switch {
	case region != nil:
		return formatRegionError(region)
	case key != nil:
		return formatKeyError(key) + "\n"
	default:
		return ok + "\n"
	}
}

func formatPairs(pairs []*kvrpcpb.KvPair) string {
	var b strings.Builder
	for _, p := range pairs {
		if p.Error != nil {
			fmt.Fprintln(&b, formatKeyError(p.Error))
			continue
		}
		fmt.Fprintf(&b, "%s=%s\n", p.Key, formatValue(p.Value))
	}
	if len(pairs) == 0 {
		return "nothing\n"
	}
	return b.String()
}

func formatStatus(r *kvrpcpb.CheckTxnStatusResponse) string {
	switch {
	case r.RegionError != nil || r.Error != nil:
		return result(r.RegionError, r.Error, "")
	case r.LockTtl != 0:
		return fmt.Sprintf("alive: %s (%v)\n", formatLockInfo(r.LockInfo), r.Action)
	case r.CommitVersion != 0:
		return fmt.Sprintf("committed at %s\n", formatTS(r.CommitVersion))
	default:
		return fmt.Sprintf("rolled back (%v)\n", r.Action)
	}
}
