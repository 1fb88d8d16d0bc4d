package txn

import (
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
)

func (s *story) prewrite(t env.Task) string {
	req := &kvrpcpb.PrewriteRequest{
		Context: s.ctx(), StartVersion: s.ts("start"), PrimaryLock: []byte(s.str("primary", "")),
		LockTtl: s.num("ttl", 100), MinCommitTs: s.ts("min-commit"), TxnSize: s.num("size", 0),
		UseAsyncCommit: s.HasArg("async"), TryOnePc: s.HasArg("1pc"), ForUpdateTs: s.ts("for-update"),
		MaxCommitTs: s.ts("max-commit"),
	}
	if list := s.str("secondaries", ""); list != "" {
		for _, key := range strings.Split(list, "+") {
			req.Secondaries = append(req.Secondaries, []byte(key))
		}
	}
	ops := map[string]kvrpcpb.Op{
		"put": kvrpcpb.Op_Put, "del": kvrpcpb.Op_Del, "lock": kvrpcpb.Op_Lock, "insert": kvrpcpb.Op_Insert,
		"absent": kvrpcpb.Op_CheckNotExists, "pessimistic": kvrpcpb.Op_PessimisticLock,
	}
	for _, line := range strings.Split(s.Input, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if req.ForUpdateTs != 0 {
			action := actions[words[0]]
			req.PessimisticActions = append(req.PessimisticActions, action)
			if action != kvrpcpb.PrewriteRequest_SKIP_PESSIMISTIC_CHECK {
				words = words[1:]
			}
		}
		m := &kvrpcpb.Mutation{Op: ops[words[0]], Key: []byte(words[1])}
		if len(words) > 2 {
			m.Value = value(words[2])
		}
		req.Mutations = append(req.Mutations, m)
	}
	r := s.sched.Prewrite(t, req)
	switch {
	case r == nil:
		return "no answer\n"
	case r.RegionError != nil:
		return formatRegionError(r.RegionError)
	case len(r.Errors) > 0:
		var b strings.Builder
		for _, e := range r.Errors {
			fmt.Fprintln(&b, formatKeyError(e))
		}
		return b.String()
	case r.MinCommitTs != 0 || r.OnePcCommitTs != 0:
		return fmt.Sprintf("ok, min-commit %s, one-phase commit %s\n", formatTS(r.MinCommitTs), formatTS(r.OnePcCommitTs))
	default:
		return "ok\n"
	}
}

func (s *story) lock(t env.Task) string {
	req := &kvrpcpb.PessimisticLockRequest{
		Context: s.ctx(), StartVersion: s.ts("start"), ForUpdateTs: s.ts("for-update"), PrimaryLock: []byte(s.str("primary", "")),
		LockTtl: s.num("ttl", 100), MinCommitTs: s.ts("min-commit"), IsFirstLock: s.HasArg("first"),
		WaitTimeout: int64(s.num("wait", 0)), ReturnValues: s.HasArg("values"), CheckExistence: s.HasArg("existence"),
		Force: s.HasArg("force"),
	}
	if s.HasArg("no-wait") {
		req.WaitTimeout = -1
	}
	for _, key := range s.keys() {
		m := &kvrpcpb.Mutation{Op: kvrpcpb.Op_PessimisticLock, Key: key}
		if s.HasArg("absent") {
			m.Assertion = kvrpcpb.Assertion_NotExist
		}
		if s.HasArg("put") {
			m.Op = kvrpcpb.Op_Put
		}
		req.Mutations = append(req.Mutations, m)
	}
	r := s.sched.PessimisticLock(t, req)
	if r == nil {
		return "no answer\n"
	}
	out := result(r.RegionError, first(r.Errors), "ok")
	for i, key := range s.words() {
		switch {
		case len(r.NotFounds) == 0:
		case r.NotFounds[i]:
			out += key + " is absent\n"
		case len(r.Values) == 0:
			out += key + " exists\n"
		default:
			out += key + " = " + formatValue(r.Values[i]) + "\n"
		}
	}
	return out
}

func (s *story) checkSecondaries(t env.Task) string {
	r := s.sched.CheckSecondaryLocks(t, &kvrpcpb.CheckSecondaryLocksRequest{Context: s.ctx(), StartVersion: s.ts("start"), Keys: s.keys()})
	switch {
	case r == nil:
		return "no answer\n"
	case r.RegionError != nil || r.Error != nil:
		return result(r.RegionError, r.Error, "")
	case r.CommitTs != 0:
		return "committed at " + formatTS(r.CommitTs) + "\n"
	case len(r.Locks) == 0:
		return "rolled back\n"
	}
	var b strings.Builder
	for _, l := range r.Locks {
		fmt.Fprintln(&b, formatLockInfo(l))
	}
	return b.String()
}

func (s *story) together(t env.Task) string {
	var b strings.Builder
	running := 0
	var done env.Future[struct{}]
	for _, line := range strings.Split(s.Input, "\n") {
		at, rest, _ := strings.Cut(line, " ")
		cmd, args, err := datadriven.ParseLine(rest)
		if err != nil {
			return err.Error()
		}
		d := &datadriven.TestData{Cmd: cmd, CmdArgs: args}
		for _, arg := range args {
			if arg.Key == "keys" {
				d.Input = strings.ReplaceAll(strings.Join(arg.Vals, "\n"), ":", " ")
			}
		}
		sub := &story{cluster: s.cluster, TestData: d, t: s.t}
		running++
		began := s.kernel.Now()
		s.kernel.Go("together", func(t env.Task) {
			t.Sleep(time.Duration(parseTS(at)) * time.Millisecond)
			out := commands[cmd](sub, t)
			fmt.Fprintf(&b, "%3d ms, %s: %s", (s.kernel.Now()-began)/int64(time.Millisecond), rest, out)
			if running--; running == 0 {
				done.Resolve(struct{}{}, nil)
			}
		})
	}
	_ = must(done.Await(t, -1))
	return b.String()
}

// first returns the first of the errors of an answer, or nil.
func first(errs []*kvrpcpb.KeyError) *kvrpcpb.KeyError {
	if len(errs) == 0 {
		return nil
	}
	return errs[0]
}
