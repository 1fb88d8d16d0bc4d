package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// TestTranscripts runs the stories in testdata: each operation is followed by
// the requests that it made, in the order in which they were answered, and by
// its outcome. They show how many round trips an operation costs, what is sent
// again after which fault, and what the caller is told.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{T: t, txns: map[string]*Txn{}}
		datadriven.RunTest(t, path, s.command)
	})
}

// story is the state of one test file.
type story struct {
	*testing.T
	c    *cluster
	raw  bool
	out  strings.Builder
	txns map[string]*Txn
}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	switch d.Cmd {
	case "cluster":
		s.newCluster(t, d)
	case "run":
		s.c.run(func(t env.Task) {
			for line := range strings.Lines(d.Input) {
				s.line(t, strings.Fields(line))
			}
		})
	case "outcomes":
		var options TxnOptions
		for _, arg := range d.CmdArgs {
			options.set(arg.Key)
		}
		return outcomes(t, options)
	default:
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
	return s.out.String()
}

func (s *story) newCluster(t *testing.T, d *datadriven.TestData) {
	var cfg Config
	var splits []string
	s.raw = d.HasArg("raw")
	cfg.PrimaryFirst, cfg.Cleanup = d.HasArg("primary-first"), d.HasArg("cleanup")
	cfg.ScanPage = 3
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "split":
			splits = arg.Vals
		case "timeout":
			limit, err := time.ParseDuration(arg.Vals[0])
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			cfg.OpTimeout, cfg.CommitTimeout = limit, limit
		case "window":
			cfg.CommitWindow, _ = time.ParseDuration(arg.Vals[0])
		case "batch":
			d.ScanArgs(t, "batch", &cfg.BatchBytes)
		case "async-keys":
			cfg.AsyncKeys = 2
		case "raw", "primary-first", "cleanup":
		default:
			d.Fatalf(t, "unknown argument %s", arg.Key)
		}
	}
	s.c = newCluster(t, 1, cfg, s.raw, splits...)
	s.c.trace = func(line string) { fmt.Fprintf(&s.out, "    %s\n", line) }
}

// line executes one line of a story and prints its outcome.
func (s *story) line(t env.Task, f []string) {
	if len(f) == 0 || strings.HasPrefix(f[0], "#") {
		return
	}
	fmt.Fprintf(&s.out, "%s\n", strings.Join(f, " "))
	var result string
	switch f[0] {
	case "fault":
		s.fault(f[1:])
	case "split":
		s.c.split(f[1], s.raw)
	case "transfer":
		s.c.transfer(f[1], s.raw, uint64(f[2][0]-'0'))
	case "freeze-placement":
		s.c.freeze()
	case "sleep":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			panic(err)
		}
		t.Sleep(d)
	case "settle":
		s.c.settle(t)
	case "meanwhile":
		// The rest of the line runs beside what follows, after a time.
		d, err := time.ParseDuration(f[1])
		if err != nil {
			panic(err)
		}
		s.c.env.Sched.Go("meanwhile", func(t env.Task) {
			t.Sleep(d)
			fmt.Fprintf(&s.out, "  meanwhile, %s\n", strings.Join(f[2:], " "))
			if outcome := s.txnOp(t, f[2], f[3:]); outcome != "" {
				fmt.Fprintf(&s.out, "  meanwhile = %s\n", outcome)
			}
		})
	case "locks":
		result = "[" + s.c.lockedKeys() + "]"
	case "orphan":
		s.orphan(t, f[1], f[2:])
	case "keep-alive":
		resp := s.c.sched.TxnHeartBeat(t, &kvrpcpb.TxnHeartBeatRequest{
			Context: s.c.anywhere(), StartVersion: s.c.startOf(f[1]), PrimaryLock: []byte(f[2]), AdviseLockTtl: 9000,
		})
		if resp.Error != nil || resp.RegionError != nil {
			panic(resp)
		}
	case "orphan-async":
		s.orphanAsync(t, f[1], f[2], f[3])
	case "newest":
		value, found, err := s.c.client.GetNewest(t, []byte(f[1]))
		result = s.value(value, found, err)
	case "raw":
		result = s.rawOp(t, f[1:])
	default:
		result = s.txnOp(t, f[0], f[1:])
	}
	if result != "" {
		fmt.Fprintf(&s.out, "  = %s\n", result)
	}
}

// fault puts a rule on requests: METHOD [skip N] [times N] WHAT.
func (s *story) fault(f []string) {
	r := &rule{method: methodNamed(f[0]), times: 1}
	for f = f[1:]; len(f) > 0; f = f[1:] {
		switch f[0] {
		case "skip", "times":
			var n int
			if _, err := fmt.Sscan(f[1], &n); err != nil {
				panic(err)
			}
			if f[0] == "skip" {
				r.skip = n
			} else {
				r.times = n
			}
			f = f[1:]
		case "none":
			// Counts, and nothing else: it shadows the rules behind it.
		case "lose-request":
			r.dropReq = true
		case "lose-response":
			r.dropResp = true
		case "refuse":
			r.refuse = true
		case "delay":
			r.delay, _ = time.ParseDuration(f[1])
			f = f[1:]
		case "region-error":
			r.answer = regionErrorNamed(f[1])
			f = f[1:]
		case "abort":
			r.keyError = &kvrpcpb.KeyError{Abort: "too old"}
		case "conflict":
			r.keyError = &kvrpcpb.KeyError{Conflict: &kvrpcpb.WriteConflict{}}
		case "not-primary":
			r.keyError = &kvrpcpb.KeyError{PrimaryMismatch: &kvrpcpb.PrimaryMismatch{}}
		case "split":
			key := f[1]
			r.before = func(env.Task) { s.c.split(key, s.raw) }
			f = f[1:]
		case "before-read":
			// A reader comes first, with a timestamp of the time of its arrival.
			key := []byte(f[1])
			r.before = func(t env.Task) {
				t.Sleep(10 * time.Millisecond)
				s.c.sched.Get(t, &kvrpcpb.GetRequest{Context: s.c.anywhere(), Key: key, Version: s.c.tick()})
			}
			f = f[1:]
		case "expire", "push":
			r.before = s.checker(f[0], f[1], f[2])
			f = f[2:]
		case "transfer":
			key, store := f[1], uint64(f[2][0]-'0')
			r.before = func(env.Task) { s.c.transfer(key, s.raw, store) }
			f = f[2:]
		default:
			panic("unknown fault " + f[0])
		}
	}
	s.c.rules = append(s.c.rules, r)
}

// checker is somebody who meets a lock of the transaction name, whose primary is
// key: after its TTL ("expire"), or as a reader before that ("push").
func (s *story) checker(what, name, key string) func(t env.Task) {
	return func(t env.Task) {
		now := s.c.tick()
		req := &kvrpcpb.CheckTxnStatusRequest{
			Context: s.c.anywhere(), PrimaryKey: []byte(key), LockTs: s.txns[name].StartTS(), CallerStartTs: now, CurrentTs: now,
		}
		if what == "expire" {
			req.CurrentTs += codec.ComposeTS(60_000, 0)
		}
		resp := s.c.sched.CheckTxnStatus(t, req)
		fmt.Fprintf(&s.out, "    somebody asks for %s => %s\n", name, s.c.describeResponse(resp))
	}
}

func methodNamed(name string) rpc.Method {
	for m := range rpc.Method(1<<8 - 1) { // numbers of methods that are gone lie in between
		if m.String() == name {
			return m
		}
	}
	panic("unknown method " + name)
}

func regionErrorNamed(name string) *errorpb.Error {
	for kind, e := range zeroRegionErrors() {
		if kind == name {
			return e
		}
	}
	return &errorpb.Error{Message: name}
}

// orphan leaves locks as a client does that dies in the middle of a commit:
// NAME KEY.. [committed KEY..] [missing-primary KEY]; the first key is the primary.
func (s *story) orphan(t env.Task, name string, f []string) {
	c := s.c
	start := c.tick()
	c.tsNames[start] = name
	req := &kvrpcpb.PrewriteRequest{Context: c.anywhere(), StartVersion: start, LockTtl: 3000, MinCommitTs: start + 1}
	var committed [][]byte
	for ; len(f) > 0 && f[0] != "committed" && f[0] != "missing-primary"; f = f[1:] {
		req.Mutations = append(req.Mutations, &kvrpcpb.Mutation{Key: []byte(f[0]), Value: []byte(name)})
		req.PrimaryLock = req.Mutations[0].Key
		req.TxnSize++
	}
	if len(f) > 0 && f[0] == "missing-primary" {
		req.PrimaryLock = []byte(f[1])
		f = nil
	}
	for i := 1; i < len(f); i++ {
		committed = append(committed, []byte(f[i]))
	}
	if resp := c.sched.Prewrite(t, req); len(resp.Errors) > 0 || resp.RegionError != nil {
		panic(resp)
	}
	if committed == nil {
		return
	}
	resp := c.sched.Commit(t, &kvrpcpb.CommitRequest{
		Context: c.anywhere(), StartVersion: start, Keys: committed, CommitVersion: c.tick(),
	})
	if resp.Error != nil || resp.RegionError != nil {
		panic(resp)
	}
}

// startOf returns the start timestamp that has a name.
func (c *cluster) startOf(name string) uint64 {
	for ts, known := range c.tsNames {
		if known == name {
			return ts
		}
	}
	panic("no transaction " + name)
}

// orphanAsync leaves the locks of an async commit of two keys of which the second
// fell back to two phases.
func (s *story) orphanAsync(t env.Task, name, primary, secondary string) {
	c := s.c
	start := c.tick()
	c.tsNames[start] = name
	for i, key := range []string{primary, secondary} {
		req := &kvrpcpb.PrewriteRequest{
			Context: c.anywhere(), StartVersion: start, LockTtl: 3000, MinCommitTs: start + 1, PrimaryLock: []byte(primary),
			Mutations: []*kvrpcpb.Mutation{{Key: []byte(key), Value: []byte(name)}}, UseAsyncCommit: i == 0, Secondaries: [][]byte{[]byte(secondary)},
		}
		for resp := c.sched.Prewrite(t, req); resp.RegionError != nil; resp = c.sched.Prewrite(t, req) {
			t.Sleep(time.Millisecond)
		}
	}
}

var errStatement = errors.New("no such row")
