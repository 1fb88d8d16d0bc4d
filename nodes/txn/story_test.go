package txn

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/mvcc"
	"simrun/sim"
)

// TestStories runs the stories in testdata: requests to one region and the
// records that they leave. Together they reach every rare branch of the
// transaction rules.
func TestStories(t *testing.T) {
	before := invariant.Counts()
	commands["together"] = (*story).together
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{cluster: newCluster(t, 1, sim.Arrival)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t, s.TestData = t, d
			command := commands[d.Cmd]
			if command == nil {
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			var out string
			s.do(t, func(task env.Task) { out = command(s, task) })
			return out
		})
	})
	for i, m := range invariant.Counts() {
		if strings.HasPrefix(m.Name, "txn:") && m.Count == before[i].Count && !slices.Contains(concurrent, m.Name) {
			t.Errorf("no story reaches %q", m.Name)
		}
	}
}

// concurrent are the marks that need commands under way at the same time.
var concurrent = []string{
	"txn: command waited for a latch", "txn: safe point waits for commands below it",
	"txn: command on a range gave up waiting for the writes to it that were under way",
	"txn: write refused, a command on the range of its key is under way",
}

type story struct {
	*cluster
	*datadriven.TestData
	t *testing.T
}

func (s *story) str(name, otherwise string) string {
	s.MaybeScanArgs(s.t, name, &otherwise)
	return otherwise
}

func (s *story) ts(name string) uint64 { return parseTS(s.str(name, "0")) }

func (s *story) num(name string, otherwise uint64) uint64 {
	s.MaybeScanArgs(s.t, name, &otherwise)
	return otherwise
}

func (s *story) ctx() *kvrpcpb.Context {
	ctx := &kvrpcpb.Context{RegionId: 1, ReplicaRead: s.HasArg("replica"), IsRetryRequest: s.HasArg("retry")}
	for _, ts := range strings.Split(s.str("bypass", ""), ",") {
		if ts != "" {
			ctx.ResolvedLocks = append(ctx.ResolvedLocks, parseTS(ts))
		}
	}
	return ctx
}

// words returns the words of the input lines.
func (s *story) words() []string { return strings.Fields(s.Input) }

func (s *story) keys() [][]byte {
	var keys [][]byte
	for _, w := range s.words() {
		keys = append(keys, []byte(w))
	}
	return keys
}

// value expands x*300 to 300 letters x, and "" to nothing.
func value(s string) []byte {
	letter, count, long := strings.Cut(s, "*")
	if !long {
		return []byte(strings.Trim(s, `"`))
	}
	return []byte(strings.Repeat(letter, int(parseTS(count))))
}

// commands is the menu of the stories. Timestamps are plain numbers or
// milliseconds:logical; an input line is one key, unless said otherwise.
var commands = map[string]func(*story, env.Task) string{
	// prewrite start= primary= [ttl=] [min-commit=] [size=] [async [secondaries=KEY+KEY]] [1pc]
	//	[for-update=] [max-commit=] [retry]
	// Each line is: [locked|checked] put KEY VALUE | del KEY | lock KEY | insert KEY VALUE | absent KEY
	// locked: a pessimistic lock must be there; checked: it need not, and conflicts are looked for.
	"prewrite": (*story).prewrite,
	// lock start= for-update= primary= [ttl=] [min-commit=] [no-wait] [wait=] [first] [values] [existence] [absent]
	"lock": (*story).lock,
	// unlock start= for-update=
	"unlock": func(s *story, t env.Task) string {
		r := s.sched.PessimisticRollback(t, &kvrpcpb.PessimisticRollbackRequest{
			Context: s.ctx(), StartVersion: s.ts("start"), ForUpdateTs: s.ts("for-update"), Keys: s.keys(),
		})
		if r == nil {
			return "no answer\n"
		}
		return result(r.RegionError, first(r.Errors), "ok")
	},
	// check-secondaries start=
	"check-secondaries": (*story).checkSecondaries,
	// together runs commands side by side. A line is: MILLISECOND COMMAND [keys=(LINE,LINE)] ARGUMENTS,
	// where : stands for a blank. The answers come in the order of time.
	"together": nil, // TestStories sets it: it uses this menu
	// leader makes the store leader of the region anew; with unavailable the
	// placement driver does not answer until the next time, else ts= is its timestamp.
	"leader": func(s *story, _ env.Task) string {
		ts, silent := s.ts("ts"), s.HasArg("unavailable")
		s.timestamp = func(t env.Task) (uint64, error) {
			t.Sleep(time.Millisecond)
			if silent {
				silent = false
				return 0, errFateUnknown
			}
			return ts, nil
		}
		s.sched.RequireMaxTS(1, s.term)
		return ""
	},
	// merged makes the region take in another one.
	"merged": func(s *story, _ env.Task) string {
		s.sched.RequireMaxTS(1, s.term)
		return "ok\n"
	},
	// detector [fails] [expire]: what becomes of deadlock detection. It prints the graph.
	"detector": func(s *story, t env.Task) string {
		s.detector.failing = s.HasArg("fails")
		if s.HasArg("expire") {
			t.Sleep(2 * time.Second)
		}
		var b strings.Builder
		for _, e := range s.detector.table.edges {
			fmt.Fprintf(&b, "%s waits for %s at %s\n", formatTS(e.entry.Txn), formatTS(e.entry.WaitForTxn), e.entry.Key)
		}
		if b.Len() == 0 {
			return "nobody waits\n"
		}
		return b.String()
	},
	// limit tasks= waiters= sets how many write commands may be under way, and how many
	// requests may wait for locks.
	"limit": func(s *story, _ env.Task) string {
		s.sched.cfg.PendingTasksMax = int(s.num("tasks", 100))
		s.sched.cfg.WaitersMax = int(s.num("waiters", 100))
		return ""
	},
	// commit start= commit=
	"commit": func(s *story, t env.Task) string {
		r := s.sched.Commit(t, &kvrpcpb.CommitRequest{
			Context: s.ctx(), StartVersion: s.ts("start"), CommitVersion: s.ts("commit"), Keys: s.keys(),
		})
		if r == nil {
			return "no answer\n"
		}
		return result(r.RegionError, r.Error, "committed at "+formatTS(r.CommitVersion))
	},
	// safe-points closed= [settled=]: moves them
	"safe-points": func(s *story, t env.Task) string {
		s.sched.MoveSafePoints(t, SafePoints{Closed: s.ts("closed"), Settled: s.ts("settled")})
		return ""
	},
	// safe-points-unknown: as in a store that has just joined, until the next safe-points-known
	"safe-points-unknown": func(s *story, _ env.Task) string { s.sched.safe.known = false; return "" },
	"safe-points-known":   func(s *story, _ env.Task) string { s.sched.SetSafePoints(SafePoints{}); return "" },
	// gc safe-point=
	"gc": func(s *story, t env.Task) string {
		r := s.sched.GC(t, &kvrpcpb.GCRequest{Context: s.ctx(), SafePoint: s.ts("safe-point")})
		if r == nil {
			return "no answer\n"
		}
		return result(r.RegionError, r.Error, "ok")
	},
	// delete-range from= to=
	"delete-range": func(s *story, t env.Task) string {
		r := s.sched.DeleteRange(t, &kvrpcpb.DeleteRangeRequest{
			Context: s.ctx(), StartKey: []byte(s.str("from", "")), EndKey: []byte(s.str("to", "")),
		})
		switch {
		case r == nil:
			return "no answer\n"
		case r.Error != "":
			return r.Error + "\n"
		}
		return result(r.RegionError, nil, "ok")
	},
	// many start= count=: a transaction that has prewritten the keys k000, k001, ...
	"many": func(s *story, t env.Task) string {
		req := &kvrpcpb.PrewriteRequest{Context: s.ctx(), PrimaryLock: []byte("k000"), StartVersion: s.ts("start"), LockTtl: 10}
		for n := range s.num("count", 0) {
			req.Mutations = append(req.Mutations, &kvrpcpb.Mutation{Op: kvrpcpb.Op_Put, Key: fmt.Appendf(nil, "k%03d", n), Value: []byte("v")})
		}
		return result(s.sched.Prewrite(t, req).RegionError, nil, "ok")
	},
	// versions key= from= to=: transactions N that commit at N+1, one after another
	"versions": func(s *story, t env.Task) string {
		for n := s.ts("from"); n < s.ts("to"); n += 2 {
			key := []byte(s.str("key", ""))
			s.sched.Prewrite(t, &kvrpcpb.PrewriteRequest{
				Context: s.ctx(), PrimaryLock: key, StartVersion: n, LockTtl: 10,
				Mutations: []*kvrpcpb.Mutation{{Op: kvrpcpb.Op_Put, Key: key, Value: fmt.Append(nil, n)}},
			})
			s.sched.Commit(t, &kvrpcpb.CommitRequest{Context: s.ctx(), StartVersion: n, CommitVersion: n + 1, Keys: [][]byte{key}})
		}
		return ""
	},
	// rollback start=
	"rollback": func(s *story, t env.Task) string {
		r := s.sched.BatchRollback(t, &kvrpcpb.BatchRollbackRequest{Context: s.ctx(), StartVersion: s.ts("start"), Keys: s.keys()})
		if r == nil {
			return "no answer\n"
		}
		return result(r.RegionError, r.Error, "ok")
	},
	// cleanup key= start= [now=]
	"cleanup": func(s *story, t env.Task) string {
		r := s.sched.Cleanup(t, &kvrpcpb.CleanupRequest{
			Context: s.ctx(), Key: []byte(s.str("key", "")), StartVersion: s.ts("start"), CurrentTs: s.ts("now"),
		})
		if r.CommitVersion != 0 {
			return fmt.Sprintf("committed at %s\n", formatTS(r.CommitVersion))
		}
		return result(r.RegionError, r.Error, "ok")
	},
	// check primary= start= [caller=] [now=] [rollback-if-missing] [force-sync] [resolving-pessimistic]
	"check": func(s *story, t env.Task) string {
		r := s.sched.CheckTxnStatus(t, &kvrpcpb.CheckTxnStatusRequest{
			Context: s.ctx(), PrimaryKey: []byte(s.str("primary", "")), LockTs: s.ts("start"),
			CallerStartTs: s.ts("caller"), CurrentTs: s.ts("now"), RollbackIfNotExist: s.HasArg("rollback-if-missing"),
			ForceSyncCommit: s.HasArg("force-sync"), ResolvingPessimisticLock: s.HasArg("resolving-pessimistic"),
			VerifyIsPrimary: true,
		})
		return formatStatus(r)
	},
	// resolve start= commit= (0: rolled back), or infos=START-COMMIT,START-COMMIT
	// Without keys it resolves the whole region.
	"resolve": func(s *story, t env.Task) string {
		req := &kvrpcpb.ResolveLockRequest{
			Context: s.ctx(), StartVersion: s.ts("start"), CommitVersion: s.ts("commit"), Keys: s.keys(),
		}
		if infos := s.str("infos", ""); infos != "" {
			for _, info := range strings.Split(infos, ",") {
				start, commit, _ := strings.Cut(info, "-")
				req.TxnInfos = append(req.TxnInfos, &kvrpcpb.TxnInfo{Txn: parseTS(start), Status: parseTS(commit)})
			}
		}
		r := s.sched.ResolveLock(t, req)
		if r == nil {
			return "no answer\n"
		}
		return result(r.RegionError, r.Error, "ok")
	},
	// heartbeat primary= start= ttl= [min-commit=]
	"heartbeat": func(s *story, t env.Task) string {
		r := s.sched.TxnHeartBeat(t, &kvrpcpb.TxnHeartBeatRequest{
			Context: s.ctx(), PrimaryLock: []byte(s.str("primary", "")), StartVersion: s.ts("start"),
			AdviseLockTtl: s.num("ttl", 0), MinCommitTs: s.ts("min-commit"),
		})
		return result(r.RegionError, r.Error, fmt.Sprintf("ttl %d", r.LockTtl))
	},
	// locks max= [from=] [to=] [limit=]
	"locks": func(s *story, t env.Task) string {
		r := s.sched.ScanLock(t, &kvrpcpb.ScanLockRequest{
			Context: s.ctx(), MaxVersion: s.ts("max"), StartKey: []byte(s.str("from", "")),
			EndKey: []byte(s.str("to", "")), Limit: uint32(s.num("limit", 0)),
		})
		if r.RegionError != nil || len(r.Locks) == 0 {
			return result(r.RegionError, r.Error, "none")
		}
		var b strings.Builder
		for _, l := range r.Locks {
			fmt.Fprintln(&b, formatLockInfo(l))
		}
		return b.String()
	},
	// get key= at= [bypass=START,START]
	"get": func(s *story, t env.Task) string {
		r := s.sched.Get(t, &kvrpcpb.GetRequest{
			Context: s.ctx(), Key: []byte(s.str("key", "")), Version: s.ts("at"), NeedCommitTs: true,
		})
		if r.NotFound {
			return "not found\n"
		}
		return result(r.RegionError, r.Error, fmt.Sprintf("%s committed at %s", formatValue(r.Value), formatTS(r.CommitTs)))
	},
	// batch-get at= [bypass=]
	"batch-get": func(s *story, t env.Task) string {
		r := s.sched.BatchGet(t, &kvrpcpb.BatchGetRequest{Context: s.ctx(), Keys: s.keys(), Version: s.ts("at")})
		if r.RegionError != nil || r.Error != nil {
			return result(r.RegionError, r.Error, "")
		}
		return formatPairs(r.Pairs)
	},
	// guard key= at= is what the leader is asked when a follower is about to read.
	"guard": func(s *story, _ env.Task) string {
		key := codec.EncodeBytes([]byte(s.str("key", "")))
		if refusal := s.sched.GuardRead(guardOf(s.ts("at"), key, nextKey(key))); refusal != nil {
			return "refused\n"
		}
		return "ok\n"
	},
	// scan at= [from=] [to=] [limit=] [reverse] [bypass=]
	"scan": func(s *story, t env.Task) string {
		r := s.sched.Scan(t, &kvrpcpb.ScanRequest{
			Context: s.ctx(), Version: s.ts("at"), StartKey: []byte(s.str("from", "")), EndKey: []byte(s.str("to", "")),
			Limit: uint32(s.num("limit", 100)), Reverse: s.HasArg("reverse"),
		})
		if r.RegionError != nil || r.Error != nil {
			return result(r.RegionError, r.Error, "")
		}
		return formatPairs(r.Pairs)
	},
	// The raw commands; raw-put and raw-cas take KEY VALUE lines.
	"raw-get":    (*story).rawGet,
	"raw-put":    (*story).rawPut,
	"raw-delete": (*story).rawDelete,
	"raw-scan":   (*story).rawScan,
	"raw-cas":    (*story).rawCompareAndSwap,

	// dump prints the records.
	"dump": func(s *story, _ env.Task) string { return s.dump() },
	// max-ts prints the greatest timestamp of a read.
	"max-ts": func(s *story, _ env.Task) string { return formatTS(s.sched.maxTS) + "\n" },
	// asked tells how often the store was asked since the last time.
	"asked": func(s *story, _ env.Task) string {
		out := fmt.Sprintf("%d proposed, %d confirmed\n", s.proposed, s.confirmed)
		s.proposed, s.confirmed = 0, 0
		return out
	},
	// clear removes all records.
	"clear": func(s *story, _ env.Task) string {
		b := s.db.NewBatch()
		defer b.Close()
		for _, cf := range []engine.CF{engine.Default, engine.Lock, engine.Write} {
			b.DeleteRange(cf, []byte{}, []byte{0xff, 0xff})
		}
		must(0, s.db.Write(b))
		return ""
	},
	// region [from=] [to=] sets the bounds of the region; with raw they are raw keys.
	"region": func(s *story, _ env.Task) string {
		encode := encodeBound
		if s.HasArg("raw") {
			encode = func(key []byte) []byte { return key }
		}
		s.meta = &metapb.Region{Id: 1, StartKey: encode([]byte(s.str("from", ""))), EndKey: encode([]byte(s.str("to", "")))}
		return ""
	},
	// next is deposed (an election passes while the next request waits), unknown
	// (the fate of the next proposal cannot be told) or slow (it takes 10 ms).
	"next": func(s *story, _ env.Task) string {
		s.deposed, s.unknown, s.slow = s.HasArg("deposed"), s.HasArg("unknown"), s.HasArg("slow")
		return ""
	},
	// plant-lock writes a lock that no request of today makes:
	// key= type=Put|Pessimistic primary= start= [min-commit=] [async] [for-update=]
	"plant-lock": func(s *story, _ env.Task) string {
		l := mvcc.Lock{
			Type: mvcc.LockPut, Primary: []byte(s.str("primary", "")), StartTS: s.ts("start"), TTL: 100,
			MinCommitTS: s.ts("min-commit"), UseAsyncCommit: s.HasArg("async"), ForUpdateTS: s.ts("for-update"),
		}
		if l.ForUpdateTS != 0 {
			l.Type = mvcc.LockPessimistic
		} else {
			l.ShortValue = []byte("planted")
		}
		b := s.db.NewBatch()
		defer b.Close()
		b.Put(engine.Lock, codec.EncodeBytes([]byte(s.str("key", ""))), l.Marshal())
		must(0, s.db.Write(b))
		return ""
	},
}

var actions = map[string]kvrpcpb.PrewriteRequest_PessimisticAction{
	"locked":  kvrpcpb.PrewriteRequest_DO_PESSIMISTIC_CHECK,
	"checked": kvrpcpb.PrewriteRequest_DO_CONSTRAINT_CHECK,
}
