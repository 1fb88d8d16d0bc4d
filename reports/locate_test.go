package reports

import (
	"reflect"
	"strings"
	"testing"

	"simrun/checker"
	"simrun/sim/history"
)

// placedRun is a run with findings of the kinds that no operation shows: what a
// node asserts, what a client asserts of its transaction, and who got stuck.
func placedRun() *Run {
	run := bankRun(110)
	r := run.Result
	r.Nodes = append(r.Nodes, "client1", "client2", "client3", "client4")
	assertion := checker.Result{Checker: "assertion", Checked: 1}
	assertion.Add(checker.Finding{
		Anomaly: "assertion", Message: "raftstore: region 4 lost its log",
		Place: checker.Place{At: 2_345 * ms, Nodes: []string{"store2"}, Task: "apply"},
	})
	op := &run.History.Ops[100]
	assertion.Add(checker.Finding{
		Anomaly: "assertion", Message: "client: commit timestamp 12 is not after start timestamp " + *balance(int(op.Txn.StartTS)),
		Place: checker.Place{Nodes: []string{"client3"}},
	})
	state := checker.Result{Checker: "replicas", Checked: 3}
	state.Add(checker.Finding{Anomaly: "replica-diverged", Message: "region 4 on store3 (peer 7, applied 9) and region 4 on store1 (peer 5, applied 9) differ"})
	state.Add(checker.Finding{Anomaly: "out-of-range", Message: "no region has the keys from 7a on"})
	r.Checkers = []checker.Result{assertion, state}
	r.Conclude()
	r.Locate(run.History)
	return run
}

// What a message names is found: its operations by their timestamps, its nodes by
// their names. What is known already stays, and a number that is no timestamp finds
// nothing.
func TestLocate(t *testing.T) {
	run := placedRun()
	op := run.History.Ops[100]
	want := []checker.Place{
		{At: 2_345 * ms, Nodes: []string{"store2"}, Task: "apply"},
		{At: op.Return, Nodes: []string{"client3"}},
		{Nodes: []string{"store3", "store1"}},
		{},
	}
	evidence := [][]int{nil, {op.ID}, nil, nil}
	findings := run.Result.Findings()
	for i, f := range findings {
		if !reflect.DeepEqual(f.Place, want[i]) || !reflect.DeepEqual(f.Evidence, evidence[i]) {
			t.Errorf("%s: got %+v, operations %v; want %+v, %v", f.Message, f.Place, f.Evidence, want[i], evidence[i])
		}
	}
	if got := run.Result.Signature(); got != "VIOLATION assertion assertion" {
		t.Errorf("the signature is %s: places have no part in it", got)
	}
}

// Transactions that read as of another one's timestamp are not those that a message
// names, and no more operations than people read are taken from one.
func TestLocateBounds(t *testing.T) {
	h := &history.History{}
	var names []string
	for i := range 2 * namedMax {
		ts := uint64(timestampMin + i)
		h.Ops = append(h.Ops,
			history.Op{ID: 2 * i, Kind: history.Txn, Return: int64(i), Txn: &history.TxnRecord{StartTS: ts}},
			history.Op{ID: 2*i + 1, Kind: history.Txn, Return: int64(i), Txn: &history.TxnRecord{StartTS: ts, AsOf: true}})
		names = append(names, *balance(int(ts)))
	}
	r := &Result{Checkers: []checker.Result{{Checker: "mvcc"}}}
	r.Checkers[0].Add(checker.Finding{Message: "transactions " + strings.Join(names, ", ")})
	r.Locate(h)
	got := r.Findings()[0].Evidence
	if len(got) != namedMax || got[0] != 0 || got[1] != 2 {
		t.Errorf("got %v", got)
	}
}

// Text, JSON and page tell the places.
func TestPlacesAreTold(t *testing.T) {
	run := placedRun()
	golden(t, "placed.txt", verdictText(t, run, TextOptions{MaxFindings: 4}))
	var file strings.Builder
	if err := WriteJSON(&file, run.Result); err != nil {
		t.Fatal(err)
	}
	again, err := ParseResult("result.json", []byte(file.String()))
	if err != nil || !reflect.DeepEqual(again.Findings(), run.Result.Findings()) {
		t.Errorf("%v: %+v is read back as %+v", err, run.Result.Findings(), again)
	}
	html := pageOf(t, run)
	want := []pageFlag{
		{At: 2_345 * ms, Nodes: []string{"store2"}, Text: "assertion: raftstore: region 4 lost its log"},
		{At: run.History.Ops[100].Return, Nodes: []string{"client3"}, Text: "assertion: " + run.Result.Findings()[1].Message, Ops: []int{100}},
		{Nodes: []string{"store3", "store1"}, Text: "replica-diverged: " + run.Result.Findings()[2].Message},
	}
	if got := drawn(t, html).Flags; !reflect.DeepEqual(got, want) {
		t.Errorf("flags are %+v, want %+v", got, want)
	}
	for _, want := range []string{`data-at="2345000000"`, `<p class="where">on store2 in task apply</p>`, `data-op="100"`, "on store3, store1"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
}
