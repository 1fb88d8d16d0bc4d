package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"simrun/sim/history"
)

// What the page shows of a graph is what the terminal shows, and all of it; a
// graph survives the file.
func TestWaits(t *testing.T) {
	run := stuckRun()
	var page, file bytes.Buffer
	if err := WritePage(&page, run); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<h2>Who waits for what</h2>",
		`<div class="wait" style="margin-left:0em"><b>client2</b> has not succeeded since the storm`,
		`<div class="wait lost" style="margin-left:4em"><b>region 4</b> LOST: peer 5 with the disk of store1`,
		`<div class="wait" style="margin-left:6em"><b>peer 7 of region 4</b> Voter on store3`,
		`<b>region 4</b> as above`,
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if err := WriteJSON(&file, run.Result); err != nil {
		t.Fatal(err)
	}
	back, err := ParseResult("result.json", file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if want, got := fmt.Sprint(run.Result.Waits), fmt.Sprint(back.Waits); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a name says already is not told again: that an operator on a region waits for it.
func TestWaitsThatNamesTell(t *testing.T) {
	lines := waitLines([]Wait{
		{Who: "client1", For: []string{"region 4", "operator on region 5"}},
		{Who: "region 4", For: []string{"operator on region 4"}},
		{Who: "operator on region 4", For: []string{"region 4"}},
		{Who: "operator on region 5", For: []string{"region 5"}},
		{Who: "region 5"},
	})
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprintf("%d %s", l.Depth, l.Who))
	}
	if want := "0 client1, 1 region 4, 2 operator on region 4, 1 operator on region 5, 2 region 5"; strings.Join(got, ", ") != want {
		t.Errorf("got %q", got)
	}
}

// A graph that is too large for a terminal is cut there, and says so.
func TestManyWaits(t *testing.T) {
	run := quietRun()
	for i := range 100 {
		run.Result.Waits = append(run.Result.Waits, Wait{Who: fmt.Sprintf("client%d", i), State: "waits"})
	}
	if text := string(verdictText(t, run, TextOptions{})); !strings.Contains(text, "    client59: waits\n    and 40 more lines\n") {
		t.Errorf("got\n%s", text)
	}
}

// The costs of a run are what its work was divided by what it was done for.
func TestCost(t *testing.T) {
	value := "12345"
	h := &history.History{Ops: []history.Op{
		{Kind: history.Write, Key: "abc", Value: &value, Outcome: history.OK},              // 8
		{Kind: history.Write, Key: "abc", Outcome: history.OK},                             // 3: a deletion
		{Kind: history.Write, Key: "abc", Value: &value, Outcome: history.Unknown},         // perhaps
		{Kind: history.CAS, Key: "abc", Value: &value, Outcome: history.OK, Swapped: true}, // 8
		{Kind: history.CAS, Key: "abc", Value: &value, Outcome: history.OK},                // not swapped
		{Kind: history.Read, Key: "abc", Value: &value, Outcome: history.OK},               // nothing is written
		{Kind: history.Txn, Outcome: history.OK, Txn: &history.TxnRecord{Ops: []history.TxnOp{ // 7
			{Kind: history.TxnRead, Key: "a", Value: &value},
			{Kind: history.TxnWrite, Key: "a", Value: &value},
			{Kind: history.TxnDelete, Key: "b"},
			{Kind: history.TxnLock, Key: "c"},
		}}},
		{Kind: history.Txn, Outcome: history.Failed, Txn: &history.TxnRecord{Ops: []history.TxnOp{{Kind: history.TxnWrite, Key: "a", Value: &value}}}},
	}}
	if got := UserBytes(h); got != 26 {
		t.Errorf("%d bytes of user data", got)
	}
	s := Stats{Network: NetworkStats{Sent: 100}, Disk: DiskStats{Syncs: 17, Bytes: 1000}}
	s.SetCost(8, 31, h)
	got, err := json.Marshal(s.Cost)
	const want = `{"proposals":8,"messages":31,"user_bytes":26,"messages_per_proposal":3.87,"datagrams_per_proposal":12.5,"syncs_per_proposal":2.12,"write_amplification":38.46}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	s.SetCost(0, 0, &history.History{})
	if s.Cost != (CostStats{}) {
		t.Errorf("of nothing: %+v", s.Cost)
	}
}
