package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// traceCall writes one request and its fate as a line of a transcript.
func (c *cluster) traceCall(to env.Addr, m rpc.Method, req, resp rpc.Message, r *rule, err error) {
	ctx := req.(interface{ GetContext() *kvrpcpb.Context }).GetContext()
	result := c.describeResponse(resp)
	switch {
	case errors.Is(err, rpc.ErrRefused):
		result = "refused"
	case err != nil:
		result = "no answer (" + r.String() + ")"
	}
	retry := ""
	if ctx.IsRetryRequest {
		retry = " retry"
	}
	if len(ctx.ResolvedLocks) > 0 {
		retry += " bypass=" + c.names(ctx.ResolvedLocks)
	}
	c.logf("%-16v store%d region=%d%s %s => %s", m, to, ctx.RegionId, retry, c.describeRequest(req), result)
}

// name gives a timestamp a short name by its place in time.
func (c *cluster) name(ts uint64) string {
	if ts == 0 {
		return "0"
	}
	if c.tsNames[ts] == "" {
		c.tsNames[ts] = fmt.Sprintf("t%d", len(c.tsNames)+1)
	}
	return c.tsNames[ts]
}

// reader is name of the timestamp of a read, which may be none.
func (c *cluster) reader(ts uint64) string {
	if ts == codec.MaxTS {
		return "max"
	}
	return c.name(ts)
}

func (c *cluster) names(tss []uint64) string {
	var names []string
	for _, ts := range tss {
		names = append(names, c.name(ts))
	}
	return strings.Join(names, ",")
}

func joined(keys [][]byte) string {
	return "[" + strings.Join(strings.Fields(fmt.Sprintf("%s", keys)), " ")[1:]
}

func (c *cluster) describeRequest(req rpc.Message) string {
	switch r := req.(type) {
	case *kvrpcpb.GetRequest:
		return fmt.Sprintf("%s at %s", r.Key, c.reader(r.Version))
	case *kvrpcpb.BatchGetRequest:
		return fmt.Sprintf("%s at %s", joined(r.Keys), c.name(r.Version))
	case *kvrpcpb.ScanRequest:
		return fmt.Sprintf("%s limit %d at %s", describeRange(r.StartKey, r.EndKey, r.Reverse), r.Limit, c.name(r.Version))
	case *kvrpcpb.PrewriteRequest:
		var muts []string
		for _, m := range r.Mutations {
			muts = append(muts, fmt.Sprintf("%v %s", m.Op, m.Key))
		}
		return fmt.Sprintf("%s [%s] primary %s%s", c.name(r.StartVersion), strings.Join(muts, ", "), r.PrimaryLock, describeMode(r))
	case *kvrpcpb.PessimisticLockRequest:
		var keys [][]byte
		for _, m := range r.Mutations {
			keys = append(keys, m.Key)
		}
		return fmt.Sprintf("%s %s primary %s at %s", c.name(r.StartVersion), joined(keys), r.PrimaryLock, c.name(r.ForUpdateTs))
	case *kvrpcpb.PessimisticRollbackRequest:
		return fmt.Sprintf("%s %s up to %s", c.name(r.StartVersion), joined(r.Keys), c.name(r.ForUpdateTs))
	case *kvrpcpb.CheckSecondaryLocksRequest:
		return fmt.Sprintf("%s %s", c.name(r.StartVersion), joined(r.Keys))
	case *kvrpcpb.CommitRequest:
		return fmt.Sprintf("%s %s at %s", c.name(r.StartVersion), joined(r.Keys), c.name(r.CommitVersion))
	case *kvrpcpb.BatchRollbackRequest:
		return fmt.Sprintf("%s %s", c.name(r.StartVersion), joined(r.Keys))
	case *kvrpcpb.CleanupRequest:
		return fmt.Sprintf("%s %s", c.name(r.StartVersion), r.Key)
	case *kvrpcpb.CheckTxnStatusRequest:
		missing := ""
		if r.RollbackIfNotExist {
			missing = " or roll back"
		}
		if r.ResolvingPessimisticLock {
			missing += " (pessimistic)"
		}
		if r.ForceSyncCommit {
			missing += " (it alone decides)"
		}
		return fmt.Sprintf("%s %s for %s%s", c.name(r.LockTs), r.PrimaryKey, c.reader(r.CallerStartTs), missing)
	case *kvrpcpb.ResolveLockRequest:
		if len(r.Keys) == 0 {
			return c.describeResolve(r)
		}
		return fmt.Sprintf("%s %s to %s", c.name(r.StartVersion), joined(r.Keys), c.name(r.CommitVersion))
	case *kvrpcpb.TxnHeartBeatRequest:
		return fmt.Sprintf("%s %s ttl %d", c.name(r.StartVersion), r.PrimaryLock, r.AdviseLockTtl)
	case *kvrpcpb.RawGetRequest:
		return string(r.Key)
	case *kvrpcpb.RawBatchGetRequest:
		return joined(r.Keys)
	case *kvrpcpb.RawPutRequest:
		return fmt.Sprintf("%s=%s", r.Key, r.Value)
	case *kvrpcpb.RawDeleteRequest:
		return string(r.Key)
	case *kvrpcpb.RawBatchPutRequest:
		return describePairs(r.Pairs)
	case *kvrpcpb.RawBatchDeleteRequest:
		return joined(r.Keys)
	case *kvrpcpb.RawScanRequest:
		return fmt.Sprintf("%s limit %d", describeRange(r.StartKey, r.EndKey, r.Reverse), r.Limit)
	case *kvrpcpb.RawCASRequest:
		if r.PreviousNotExist {
			return fmt.Sprintf("%s: none -> %s", r.Key, r.Value)
		}
		return fmt.Sprintf("%s: %s -> %s", r.Key, r.PreviousValue, r.Value)
	}
	panic(fmt.Sprintf("%T", req))
}

// describeResolve describes the resolution of a region's locks.
func (c *cluster) describeResolve(r *kvrpcpb.ResolveLockRequest) string {
	if len(r.TxnInfos) == 0 {
		return fmt.Sprintf("%s in the whole region to %s", c.name(r.StartVersion), c.name(r.CommitVersion))
	}
	var fates []string
	for _, info := range r.TxnInfos {
		fates = append(fates, fmt.Sprintf("%s to %s", c.name(info.Txn), c.name(info.Status)))
	}
	return strings.Join(fates, ", ") + " in the whole region"
}

func describeMode(r *kvrpcpb.PrewriteRequest) string {
	var mode string
	if r.TxnSize != uint64(len(r.Mutations)) {
		mode = fmt.Sprintf(" (%d in the region)", r.TxnSize)
	}
	for _, a := range r.PessimisticActions {
		mode += map[kvrpcpb.PrewriteRequest_PessimisticAction]string{
			kvrpcpb.PrewriteRequest_SKIP_PESSIMISTIC_CHECK: " free",
			kvrpcpb.PrewriteRequest_DO_PESSIMISTIC_CHECK:   " locked",
			kvrpcpb.PrewriteRequest_DO_CONSTRAINT_CHECK:    " checked",
		}[a]
	}
	switch {
	case r.TryOnePc:
		mode += ", in one phase"
	case r.UseAsyncCommit && len(r.Secondaries) > 0:
		mode += ", async with " + joined(r.Secondaries)
	case r.UseAsyncCommit:
		mode += ", async"
	}
	return mode
}

func describeRange(start, end []byte, reverse bool) string {
	if reverse {
		return fmt.Sprintf("from below %q down to %q", start, end)
	}
	return fmt.Sprintf("from %q to below %q", start, end)
}

func describePairs(pairs []*kvrpcpb.KvPair) string {
	var all []string
	for _, p := range pairs {
		if p.Error != nil {
			all = append(all, fmt.Sprintf("%s locked", p.Error.GetLocked().GetKey()))
			continue
		}
		all = append(all, fmt.Sprintf("%s=%s", p.Key, p.Value))
	}
	return "[" + strings.Join(all, " ") + "]"
}

// describeResponse is called for requests that were answered.
func (c *cluster) describeResponse(resp rpc.Message) string {
	if e := resp.(interface{ GetRegionError() *errorpb.Error }).GetRegionError(); e != nil {
		return kindOf(e).String()
	}
	if r, ok := resp.(interface{ GetError() *kvrpcpb.KeyError }); ok && r.GetError() != nil {
		return c.describeKeyError(r.GetError())
	}
	switch r := resp.(type) {
	case *kvrpcpb.GetResponse:
		return describeValue(r.Value, r.NotFound)
	case *kvrpcpb.BatchGetResponse:
		return describePairs(r.Pairs)
	case *kvrpcpb.ScanResponse:
		return describePairs(r.Pairs)
	case *kvrpcpb.PrewriteResponse:
		if len(r.Errors) > 0 {
			return c.describeKeyError(r.Errors[0])
		}
		switch {
		case r.OnePcCommitTs != 0:
			return "committed at " + c.name(r.OnePcCommitTs)
		case r.MinCommitTs != 0:
			return "locked, " + c.name(r.MinCommitTs) + " or later"
		}
	case *kvrpcpb.PessimisticLockResponse:
		if len(r.Errors) > 0 {
			return c.describeKeyError(r.Errors[0])
		}
	case *kvrpcpb.CheckSecondaryLocksResponse:
		switch {
		case r.CommitTs != 0:
			return "committed at " + c.name(r.CommitTs)
		case len(r.Locks) == 0:
			return "rolled back"
		}
		return fmt.Sprintf("%d locked", len(r.Locks))
	case *kvrpcpb.CleanupResponse:
		switch {
		case r.Error != nil:
			return c.describeKeyError(r.Error)
		case r.CommitVersion > 0:
			return "committed at " + c.name(r.CommitVersion)
		}
		return "rolled back"
	case *kvrpcpb.CheckTxnStatusResponse:
		switch {
		case r.LockTtl > 0:
			return "alive, " + r.Action.String()
		case r.CommitVersion > 0:
			return "committed at " + c.name(r.CommitVersion)
		}
		return "rolled back, " + r.Action.String()
	case *kvrpcpb.RawGetResponse:
		return describeValue(r.Value, r.NotFound)
	case *kvrpcpb.RawBatchGetResponse:
		return describePairs(r.Pairs)
	case *kvrpcpb.RawScanResponse:
		return describePairs(r.Kvs)
	case *kvrpcpb.RawCASResponse:
		return fmt.Sprintf("succeed=%v previous=%s", r.Succeed, describeValue(r.PreviousValue, r.PreviousNotExist))
	}
	return "ok"
}

func describeValue(value []byte, notFound bool) string {
	if notFound {
		return "none"
	}
	return string(value)
}

func (c *cluster) describeKeyError(ke *kvrpcpb.KeyError) string {
	switch {
	case ke.Locked != nil:
		return fmt.Sprintf("%s locked by %s", ke.Locked.Key, c.name(ke.Locked.LockVersion))
	case ke.Conflict != nil:
		return fmt.Sprintf("conflict on %s: %v", ke.Conflict.Key, ke.Conflict.Reason)
	case ke.AlreadyExist != nil:
		return fmt.Sprintf("%s exists", ke.AlreadyExist.Key)
	case ke.CommitTsExpired != nil:
		return "commit timestamp expired"
	case ke.TxnNotFound != nil:
		return "transaction not found"
	case ke.PrimaryMismatch != nil:
		return "not the primary"
	case ke.Deadlock != nil:
		return fmt.Sprintf("deadlock with %s at %s", c.name(ke.Deadlock.LockTs), ke.Deadlock.LockKey)
	case ke.Retryable != "":
		return "lock not found"
	}
	return "abort"
}

// describeError is the outcome of an operation in a transcript.
func (c *cluster) describeError(err error) string {
	reason := ""
	for _, known := range []error{
		ErrWriteConflict, ErrDeadlock, ErrLockWait, ErrRolledBack, ErrKeyExists, ErrPartial, ErrRejected, ErrDeadline,
	} {
		if errors.Is(err, known) {
			reason = ": " + known.Error()
			break
		}
	}
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrUndetermined) == errors.Is(err, ErrFailed):
		panic("error of no class or both: " + err.Error())
	case errors.Is(err, ErrUndetermined):
		return "UNKNOWN" + reason
	}
	return "FAILED" + reason
}

// lockedKeys lists the locks in the database.
func (c *cluster) lockedKeys() string {
	resp := c.sched.ScanLock(nil, &kvrpcpb.ScanLockRequest{
		Context: c.anywhere(), MaxVersion: codec.MaxTS, Limit: 0,
	})
	var all []string
	for _, l := range resp.Locks {
		all = append(all, fmt.Sprintf("%s by %s", l.Key, c.name(l.LockVersion)))
	}
	return strings.Join(all, ", ")
}
