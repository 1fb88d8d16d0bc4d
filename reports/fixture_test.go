package reports

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"simrun/checker"
	"simrun/nodes/invariant"
	"simrun/sim/history"
)

// bankRun is a bank run such as a harness would record: three stores, eight
// clients, a partition, a loss of power, elections, a split, and one full read
// that saw a transfer in part. The more rounds, the more operations.
func bankRun(rounds int) *Run {
	h := bankHistory(rounds)
	result := bankResult(h)
	return &Run{Plan: bankPlan, History: h, Result: result}
}

const bankPlan = `version = '1'
scenario = 'bank'
seed = 7

[cluster]
stores = 3
replicas = 3
`

const (
	ms       = int64(time.Millisecond)
	accounts = 8
)

func accountKey(i int) string { return fmt.Sprintf("account%02d", i) }

// bankHistory has each client transfer money and now and then read everything.
func bankHistory(rounds int) *history.History {
	rng := rand.New(rand.NewPCG(7, 7))
	total := int64(accounts * 100)
	h := &history.History{Header: history.Header{Scenario: "bank", Seed: 7, Bank: &history.Bank{Total: &total}}}
	for i := range accounts {
		h.Bank.Accounts = append(h.Bank.Accounts, accountKey(i))
	}
	for client := 1; client <= 8; client++ {
		at := 500*ms + rng.Int64N(40*ms)
		for range rounds {
			op := history.Op{Client: client, Kind: history.Txn, Invoke: at, Phase: "storm", Outcome: history.OK}
			took := 4*ms + rng.Int64N(12*ms)
			if at > 2000*ms && at < 2800*ms || at > 4200*ms && at < 4900*ms {
				took = 60*ms + rng.Int64N(500*ms)
				switch rng.IntN(3) {
				case 0:
					op.Outcome, op.Error = history.Unknown, "prewrite: no answer from store1 within 600ms"
				case 1:
					op.Outcome, op.Error = history.Failed, "write conflict on account03"
				}
			}
			op.Return = at + took
			op.Txn = bankTxn(rng, &op)
			h.Ops = append(h.Ops, op)
			at = op.Return + 5*ms + rng.Int64N(60*ms)
		}
	}
	slices.SortStableFunc(h.Ops, func(a, b history.Op) int { return int(a.Return - b.Return) })
	for i := range h.Ops {
		h.Ops[i].ID = i
	}
	return h
}

func bankTxn(rng *rand.Rand, op *history.Op) *history.TxnRecord {
	start := uint64(op.Invoke) / 1000
	if rng.IntN(6) == 0 {
		scan := history.TxnOp{Kind: history.TxnScan, Key: "account", EndKey: "accounu"}
		if op.Outcome == history.OK {
			for i := range accounts {
				scan.Pairs = append(scan.Pairs, history.Pair{Key: accountKey(i), Value: "100"})
			}
		}
		return &history.TxnRecord{StartTS: start, Ops: []history.TxnOp{scan}}
	}
	from, to, amount := rng.IntN(accounts), rng.IntN(accounts), 1+rng.IntN(9)
	t := &history.TxnRecord{StartTS: start, Ops: []history.TxnOp{
		{Kind: history.TxnRead, Key: accountKey(from), Value: balance(100)},
		{Kind: history.TxnRead, Key: accountKey(to), Value: balance(100)},
		{Kind: history.TxnWrite, Key: accountKey(from), Value: balance(100 - amount)},
		{Kind: history.TxnWrite, Key: accountKey(to), Value: balance(100 + amount)},
	}}
	if op.Outcome == history.OK {
		t.CommitTS = uint64(op.Return) / 1000
	}
	return t
}

func balance(n int) *string {
	s := strconv.Itoa(n)
	return &s
}

func bankResult(h *history.History) *Result {
	last := h.Ops[len(h.Ops)-1].Return
	r := &Result{
		Scenario: "bank", Seed: 7, TraceHash: 0x9f3c5a7710b2de04,
		Checkers: bankAnswers(h),
		Stats: Stats{
			Operations: CountOperations(h),
			Faults: []FaultCount{
				{"partition", 2, 2, 2},
				{"network", 1, 1, 1},
				{"power-loss", 1, 1, 1},
				{"pause", 1, 1, 1},
				{"disk-error", 1, 1, 0},
				{"split", 1, 1, 1},
			},
			Cluster: ClusterStats{Elections: 6, Splits: 1, MergesPrepared: 3, Merges: 2, MergeRollbacks: 1, Snapshots: 1, Crashes: 1, Restarts: 1},
			Engines: []EngineStats{
				{Node: "pd1", Flushes: 2, Flushed: 30_000, Levels: 1},
				{
					Node: "store1", Flushes: 41, Compactions: 18, Lower: 7, Flushed: 610_000, Compacted: 2_400_000, Levels: 3,
					Slowdowns: 3, Stops: 1, Slowed: 700 * time.Millisecond, Stopped: 250 * time.Millisecond,
				},
				{Node: "store2", Flushes: 40, Compactions: 17, Lower: 6, Flushed: 600_000, Compacted: 2_300_000, Levels: 3},
			},
			Backlogs: []BacklogStats{
				{Node: "store1", Append: 20_480, Apply: 900}, {Node: "store2", Append: 3_000, Apply: 1_200}, {Node: "store3", Append: 2_000, Apply: 600},
			},
			Network: NetworkStats{Sent: 48_112, Delivered: 47_020, Lost: 310, Cut: 802, Duplicated: 20, Reordered: 411, Bytes: 9_120_334},
			Disk:    DiskStats{Operations: 30_442, Syncs: 11_204, Bytes: 14_220_113, Lost: 12, Torn: 3},
			Events:  214_223, Virtual: last + 1500*ms,
		},
		Checkpoints: []Checkpoint{{16384, 812 * ms, 0x11}, {32768, 1420 * ms, 0xffffffffffffffff}},
		Marks: []invariant.Count{
			{Name: "raftstore: a proposal was dropped for want of a leader", Count: 14},
			{Name: "raftstore: a snapshot was applied", Count: 1},
			{Name: "txn: a lock of a dead client was resolved", Count: 3},
			{Name: "txn: a pessimistic lock was rolled back", Count: 0},
		},
		Nodes:    []string{"store1", "store2", "store3", "pd1"},
		Timeline: bankTimeline(last),
		Wall:     412 * time.Millisecond,
	}
	r.Stats.SetCost(2_914, 18_230, h)
	r.Conclude()
	return r
}

// bankAnswers accuses one full read in the middle.
func bankAnswers(h *history.History) []checker.Result {
	var reads, transfers []int
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK || op.Invoke < 4900*ms {
			continue
		}
		if op.Txn.CommitTS == 0 {
			reads = append(reads, op.ID)
		} else {
			transfers = append(transfers, op.ID)
		}
	}
	isolation := checker.Result{Checker: "isolation", Checked: len(h.Ops)}
	isolation.Add(checker.Finding{
		Anomaly: checkerGSingle,
		Message: fmt.Sprintf("transaction %d read account03=94 as of 4980112, which transaction %d had written at 4961007, "+
			"but account05=100, which the same transaction had changed to 106.", reads[0], transfers[0]),
		Evidence: []int{reads[0], transfers[0]},
	})
	bank := checker.Result{Checker: "bank", Checked: 88}
	bank.Add(checker.Finding{
		Anomaly: "bank-total", Message: "the accounts add up to 794, not 800: 6 are missing", Evidence: []int{reads[0]},
	})
	skew := checker.Result{Checker: "skew", Checked: len(h.Ops)}
	skew.Observe(checker.Finding{Anomaly: "G2-item", Message: "two transactions each read what the other wrote.", Evidence: transfers[2:4]})
	return []checker.Result{isolation, bank, skew}
}

const checkerGSingle checker.Anomaly = "G-single"

func bankTimeline(last int64) []Event {
	return []Event{
		{At: 0, Until: 500 * ms, Kind: Phase, Text: "boot"},
		{At: 180 * ms, Node: "store2", Kind: Election, Text: "region 1 in term 6"},
		{At: 190 * ms, Node: "store1", Kind: Election, Text: "region 4 in term 6"},
		{At: 500 * ms, Until: last - 1000*ms, Kind: Phase, Text: "storm"},
		{At: 900 * ms, Node: "store2", Kind: Split, Text: "region 1 at account04, new region 12"},
		{At: 950 * ms, Node: "store2", Kind: Election, Text: "region 12 in term 6"},
		{At: 1200 * ms, Until: 1900 * ms, Kind: Fault, Text: "network loss 2% reorder 3%"},
		{At: 2000 * ms, Until: 2800 * ms, Kind: Fault, Text: "partition store1,client2 | store2,store3"},
		{At: 2300 * ms, Node: "store3", Kind: Election, Text: "region 4 in term 7"},
		{At: 2400 * ms, Node: "store3", Kind: Fault, Text: "disk-error store3 read 3"},
		{At: 2600 * ms, Until: 3000 * ms, Kind: Fault, Text: "at 2.1s partition store3 -> pd1", Idle: true},
		{At: 3300 * ms, Until: 3700 * ms, Node: "store3", Kind: Fault, Text: "pause store3"},
		{At: 3300 * ms, Until: 3700 * ms, Node: "store3", Kind: Paused},
		{At: 3500 * ms, Until: 3750 * ms, Node: "store1", Kind: Stalled, Text: "writes of kv stopped: files in level 0"},
		{At: 4200 * ms, Until: 4900 * ms, Node: "store2", Kind: Fault, Text: "power-loss leader(account03)", Meant: []string{"store2"}},
		{At: 4200 * ms, Until: 4900 * ms, Node: "store2", Kind: Down, Text: "no power"},
		{At: 4420 * ms, Node: "store1", Kind: Election, Text: "region 1 in term 7"},
		{At: 4450 * ms, Node: "store3", Kind: Election, Text: "region 12 in term 7"},
		{At: 5020 * ms, Node: "store2", Kind: Snapshot, Text: "of region 12 at index 412"},
		{At: last - 1000*ms, Until: last, Kind: Phase, Text: "calm"},
		{At: last, Until: last + 1500*ms, Kind: Phase, Text: "audit"},
	}
}
