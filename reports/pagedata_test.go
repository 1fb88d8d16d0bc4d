package reports

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"simrun/sim/history"
)

// The lives and lanes of a client are folded into it: of two clients the third and the
// fourth number are their second lives, for number 0 is the administrator's.
func TestLivesAndLanes(t *testing.T) {
	run := bankRun(110)
	run.Result.Nodes = []string{"store1", "client1", "client2", "clients"}
	for i, client := range []int{0, 2, 5, 8 + history.LaneStride, history.LaneStride} {
		run.History.Ops[i].Client = client
	}
	data := drawn(t, pageOf(t, run))
	want := map[int][2]any{0: {0, ""}, 1: {2, ""}, 2: {2, "2, life 2"}, 3: {2, "2, life 3, lane 1"}, 4: {0, "0, lane 1"}}
	for i, w := range want {
		if op := data.Ops[i]; op.Of != w[0] || op.Who != w[1] {
			t.Errorf("client %d is %d, %q, want %v", op.Client, op.Of, op.Who, w)
		}
	}
	run.Plan = "" // a system of one's own, which may number its clients as it likes
	if op := drawn(t, pageOf(t, run)).Ops[2]; op.Of != 5 || op.Who != "" {
		t.Errorf("client 5 is %d, %q", op.Of, op.Who)
	}
}

// An operation of a program leads to the statements, which the plan has.
func TestProgramsAreShown(t *testing.T) {
	const plan = `version = 1

[workload]
sql = """
-- setup
CREATE TABLE t (id INT PRIMARY KEY);

-- program order, weight 8, c in -2..6
BEGIN;
-- a remark
UPDATE t SET id = @c WHERE id = \"1\"; -- rows 1
COMMIT;

--program leave
DELETE FROM t;

-- sum 200
SELECT id FROM t;
"""

[storm]
duration = "1s"
`
	want := map[string]string{
		"order": "BEGIN;\nUPDATE t SET id = @c WHERE id = \"1\"; -- rows 1\nCOMMIT;",
		"leave": "DELETE FROM t;",
	}
	if got := programTexts(plan); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if got := programTexts("a plan that was cut off = ["); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	run := bankRun(110)
	run.Plan = plan
	run.History.Ops[0].Note, run.History.Ops[1].Note = "order c=4", "probe"
	data := drawn(t, pageOf(t, run))
	if data.Ops[0].Note != "order c=4" || data.Ops[1].Note != "" || !reflect.DeepEqual(data.Programs, want) {
		t.Errorf("got %+v", data.Ops[:2])
	}
	if titles := tableTitles(run); !slices.Contains(titles, "Asked for") || !slices.Contains(titles, "Faults") {
		t.Errorf("the tables are %q", titles)
	}
	programs := slices.IndexFunc(pageTables(run), func(t pageTable) bool { return t.Title == "Programs" })
	if programs < 0 || len(pageTables(run)[programs].Rows) != 2 {
		t.Error("the page does not count the programs")
	}
}

// Programs are counted as the run counted them. Where it did not, their transactions are:
// that tells nothing of what comes behind one.
func TestProgramsAreCounted(t *testing.T) {
	run := bankRun(110)
	for i := range run.History.Ops[:3] {
		run.History.Ops[i].Note, run.History.Ops[i].Outcome = "order c=4", history.OK
	}
	run.History.Ops[3].Note, run.History.Ops[3].Outcome = "look", history.Failed
	for _, c := range []struct {
		counted     []ProgramCount
		rows        [][]string
		line, never string
	}{
		{nil, [][]string{{"look", "0", "1", "0"}, {"order", "3", "0", "0"}}, "ok look NEVER/1, order 3/3", "look"},
		{
			[]ProgramCount{{Name: "order", Failed: 1, Unknown: 1}, {Name: "setup", OK: 1}},
			[][]string{{"order", "0", "1", "1"}, {"setup", "1", "0", "0"}},
			"ok order NEVER/2, setup 1/1", "order",
		},
	} {
		run.Result.Stats.Programs = c.counted
		tables := pageTables(run)
		i := slices.IndexFunc(tables, func(t pageTable) bool { return t.Title == "Programs" })
		if i < 0 || !reflect.DeepEqual(tables[i].Rows, c.rows) {
			t.Errorf("the page has %+v, want %q", tables, c.rows)
		}
		var text strings.Builder
		if err := WriteText(&text, run, TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(text.String(), noBreak, " "); !strings.Contains(got, c.line) {
			t.Errorf("the text lacks %q:\n%s", c.line, got)
		}
		if never := ProgramsNever(run.Result, run.History); !slices.Equal(never, []string{c.never}) {
			t.Errorf("never are %q, want %s", never, c.never)
		}
	}
}

// A row is read by what the history tells of its table. The bytes are those of a run.
func TestRowsAreReadable(t *testing.T) {
	customers := `7b226964223a312c226e616d65223a22637573746f6d657273222c227374617465223a227075626c6963222c22636f6c756d6e73223a5b7b226964223a312c226e616d65223a226964222c2274797065223a22696e74222c226e6f745f6e756c6c223a747275657d2c7b226964223a322c226e616d65223a226e616d65222c2274797065223a2276617263686172222c226c656e677468223a32302c226e6f745f6e756c6c223a747275657d2c7b226964223a332c226e616d65223a2273696e6365222c2274797065223a226461746574696d65227d5d2c22696e6465786573223a5b5d2c227072696d6172795f6b6579223a302c226c6173745f696e646578223a327d`
	const schema = "6d44423a3100000000fb00000000000000685461626c653a3030ff3030303030303030ff3030303030310000fd"
	read := func(key, value string) history.TxnOp {
		return history.TxnOp{Kind: history.TxnRead, Key: key, Value: &value}
	}
	h := &history.History{Header: history.Header{Hex: true, Tables: true}}
	h.Ops = []history.Op{{Kind: history.Txn, Note: "browse c=2", Outcome: history.OK, Txn: &history.TxnRecord{StartTS: 1, Ops: []history.TxnOp{
		read(schema, customers),
		read("7480000000000000015f728000000000000000", "800002000000020303000b006e65770000000080c2b819"),
		read("7480000000000000015f728000000000000002", "800001000100020303006e6577"),
		read("7480000000000000015f698000000000000001038000000000000003", "0000000000000003"),
		read("7480000000000000015f698000000000000002038000000000000003038000000000000004", "30"),
		read("7480000000000000095f728000000000000002", "8000010001000203"),
		{Kind: history.TxnWrite, Key: schema, Value: &customers},
	}}}}
	got := tablesOf(h).describe(&h.Header, &h.Ops[0])
	const want = `browse c=2: transaction, start 1: read t1_r0=customers(name="new", since=2026-01-01 08:00:00), ` +
		`read t1_r2=customers(name="new", since=NULL), read t1_i1(3)=row 3, read t1_i2(3, 4)=present, read t9_r2=8000010001000203, ` +
		`write m[DB:1/Table:0000000000000001]=table customers(id int, name varchar, since datetime), and 1 read of the schema`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for n := range len("800002000000020303000b006e65770000000080c2b819") { // whatever is cut off, nothing breaks
		_ = tablesOf(h).value("7480000000000000015f728000000000000000", "800002000000020303000b006e65770000000080c2b819"[:n])
	}
	h.Ops[0].Txn.Ops = h.Ops[0].Txn.Ops[:1]
	if got := tablesOf(h).describe(&h.Header, &h.Ops[0]); !strings.HasSuffix(got, "start 1: 1 read of the schema") {
		t.Errorf("got %s", got)
	}
}

// A fault of several parts has hit something if one of them has.
func TestFaultsThatHitNothing(t *testing.T) {
	now := int64(1)
	tl := Timeline[string]{Now: func() int64 { return now }}
	tl.Begin("a", Event{Kind: Fault})
	tl.Begin("b", Event{Kind: Fault})
	now = 9
	tl.EndFault("a", false)
	tl.EndFault("a", true)
	tl.EndFault("b", false)
	tl.EndFault("c", true) // never began
	want := []Event{{At: 1, Until: 9, Kind: Fault}, {At: 1, Until: 9, Kind: Fault, Idle: true}}
	if !reflect.DeepEqual(tl.Events, want) {
		t.Errorf("got %+v", tl.Events)
	}
}

func tableTitles(run *Run) (titles []string) {
	for _, t := range pageTables(run) {
		titles = append(titles, t.Title)
	}
	return titles
}
