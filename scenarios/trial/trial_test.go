package trial_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/reports"
	"simrun/scenarios/trial"
	"simrun/sim"
	"simrun/sim/disk"
	"simrun/sim/history"
)

// The folder of a failing protocol holds what it takes to look into it: a history that
// is judged the same from the file, a page with operations, faults and the finding, and
// nothing of plans that are not there.
func TestFolder(t *testing.T) {
	run := runRegister(17, false)
	if again := runRegister(17, false); again.Result.TraceHash != run.Result.TraceHash || !reflect.DeepEqual(again.History, run.History) {
		t.Error("two runs of a seed differ")
	}
	dir := filepath.Join(t.TempDir(), "abd")
	for range 2 { // the second time over the first
		folder, err := reports.Create(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := folder.Save(run); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, reports.FilePlan)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a plan: %v", err)
	}
	loaded, err := reports.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := checker.Of(checker.History(loaded.History, checker.Options{})); got != checker.Violation {
		t.Errorf("the history is judged %v", got)
	}
	var first, then bytes.Buffer
	for out, r := range map[*bytes.Buffer]*reports.Run{&first: run, &then: loaded} {
		if err = reports.WriteText(out, r, reports.TextOptions{Folder: dir}); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != then.String() {
		t.Errorf("saved as\n%s\nread back as\n%s", first.String(), then.String())
	}
	for _, falsehood := range []string{"NONE", "elections", "disk", "simrun run", "simrun replay"} {
		if strings.Contains(first.String(), falsehood) {
			t.Errorf("the text says %q:\n%s", falsehood, first.String())
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, reports.FilePage))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"fault","text":"at `, `"node":"replica`, `"kind":"paused"`, `"flags":[{"at":`, "go run ./abd -seed 17", "<h3>Network</h3>"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, falsehood := range []string{"<h3>Cost</h3>", "<h3>Engines</h3>", "<h3>Reads of regions</h3>", "<summary>Plan</summary>"} {
		if bytes.Contains(page, []byte(falsehood)) {
			t.Errorf("the page has %s", falsehood)
		}
	}
}

// counter writes numbers into a file, one after the other, and waits for each to be
// durable or not.
func counter(rec *history.Recorder, now func() int64, then func(n int)) func(e *env.Env) func() {
	lives := 0
	return func(e *env.Env) func() {
		client := lives // what it had under way in an earlier life stays open
		lives++
		e.Sched.Go("count", func(t env.Task) {
			for n := 0; ; n++ {
				op := rec.Begin(history.Op{Client: client, Kind: history.Write, Key: "n"}, now())
				file, err := e.Disk.FS().Create("n", "")
				if err == nil {
					_, err = file.Write([]byte{byte(n)})
				}
				if err != nil {
					e.Exit("the disk fails: " + err.Error())
				}
				t.Sleep(10 * time.Millisecond)
				_ = file.Close()
				rec.End(op, history.OK, now())
				then(n)
			}
		})
		return nil
	}
}

// runCounter runs one node through a kill.
func runCounter(then func(n int), judge ...func() checker.Result) (*reports.Run, *bytes.Buffer) {
	var stream bytes.Buffer
	t := trial.New(trial.Config{Name: "counter", World: sim.Config{Seed: 3}, History: &stream})
	defer t.Close()
	t.World.AddNode(sim.NodeConfig{Name: "a", Disk: &disk.Config{}, Main: counter(t.Recorder, t.World.Now, then)})
	kill := faults.Fault{
		At: 300 * time.Millisecond, Kind: faults.Kill, For: 100 * time.Millisecond,
		Targets: []faults.Target{{Kind: faults.TargetNode, Name: "a"}},
	}
	return t.Run([]faults.Fault{kill}, trial.Phases{Storm: time.Second, Calm: time.Second}, judge...), &stream
}

// Nodes with disks that are killed are counted and drawn, the history is there while it
// is recorded, and what a judge of one's own finds is a violation of the run.
func TestJudge(t *testing.T) {
	run, stream := runCounter(func(int) {}, func() checker.Result {
		r := checker.Result{Checker: "sum", Checked: 1}
		r.Add(checker.Finding{Anomaly: "wrong-sum", Message: "a counts badly"})
		return r
	})
	r := run.Result
	if c := r.Stats.Cluster; c.Crashes != 1 || c.Restarts != 1 || r.Stats.Disk.Operations == 0 || r.Stats.FaultsEffective() != 1 {
		t.Errorf("counted %+v", r.Stats)
	}
	if !slices.ContainsFunc(r.Timeline, func(e reports.Event) bool {
		return e.Kind == reports.Down && e.Node == "a" && e.Until-e.At == int64(100*time.Millisecond)
	}) {
		t.Errorf("the node was not down for 100ms: %+v", r.Timeline)
	}
	f := r.Findings()
	if r.Signature() != "VIOLATION sum wrong-sum" || !slices.Equal(f[0].Nodes, []string{"a"}) {
		t.Errorf("found %+v", f)
	}
	if h, err := history.Decode(stream, "stream"); err != nil || len(h.Ops) != len(run.History.Ops) || h.Scenario != "counter" {
		t.Errorf("the stream holds %+v, %v", h, err)
	}
}

// What simulated code asserts ends the run, and the finding says where; so does a
// panic.
func TestAssertion(t *testing.T) {
	for signature, then := range map[string]func(n int){
		"VIOLATION assertion assertion": func(n int) { invariant.Check(n < 5, "n is %d", n) },
		"VIOLATION assertion panic": func(n int) {
			if n == 5 {
				panic("five")
			}
		},
	} {
		run, _ := runCounter(then)
		want := checker.Place{At: int64(60 * time.Millisecond), Nodes: []string{"a"}, Task: "count"}
		if f := run.Result.Findings(); run.Result.Signature() != signature || !reflect.DeepEqual(f[0].Place, want) {
			t.Errorf("%s: found %+v", signature, f)
		}
	}
}
