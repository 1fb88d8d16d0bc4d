package runner_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"simrun/faults"
	"simrun/scenarios/runner"
	"simrun/sim"
	"simrun/sim/plan"
)

// watchedPlan is short, and a store is killed in it.
func watchedPlan() *plan.Plan {
	p := bankPlan(1, time.Second)
	p.Faults = []faults.Fault{{
		At: 200 * time.Millisecond, Kind: faults.Kill, For: 300 * time.Millisecond,
		Targets: []faults.Target{{Kind: faults.TargetNode, Name: "store1"}},
	}}
	return p
}

// The lines of a trace are one for each record, the same in every run, and who reads
// them changes nothing. A window of them is that part of the whole.
func TestTraceLines(t *testing.T) {
	lines := func(from, to time.Duration) (text string, o *runner.Outcome) {
		var out strings.Builder
		records := 0
		o, err := runner.Run(watchedPlan(), runner.Options{
			Trace: &out, TraceFrom: from, TraceTo: to,
			Watch: func(sim.Record, string) { records++ },
		})
		if err != nil {
			t.Fatal(err)
		}
		if uint64(records) < o.Result.Stats.Events {
			t.Errorf("another one who watches has seen %d records of %d events", records, o.Result.Stats.Events)
		}
		return out.String(), o
	}
	unwatched, err := runner.Run(watchedPlan(), runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	whole, o := lines(0, 0)
	if o.Result.TraceHash != unwatched.Result.TraceHash {
		t.Errorf("watching changes the trace from %v to %v", unwatched.Result.TraceHash, o.Result.TraceHash)
	}
	if n := uint64(strings.Count(whole, "\n")); n != o.Result.Stats.Events {
		t.Errorf("%d lines of %d events", n, o.Result.Stats.Events)
	}
	if again, _ := lines(0, 0); again != whole {
		t.Error("two runs have other lines")
	}
	for _, want := range []string{
		` store1 +message +from \S+, \w+, \d+ bytes\n`, ` client1 +task +\S+\n`, ` store2 +timer +\d+\n`, ` store1 +disk +\S+`,
		` store1 +barrier +durable, \d+ in line\n`, ` store1 +process +started\n`, ` store1 +process +ended\n`, ` - +mark +phase storm\n`,
	} {
		if !regexp.MustCompile(want).MatchString(whole) {
			t.Errorf("no line is like %q", want)
		}
	}
	from := strings.Index(whole, "\n  1.") + 1
	to := strings.Index(whole, "\n  2.") + 1
	if part, _ := lines(time.Second, 2*time.Second); from == 0 || to < from || part != whole[from:to] {
		t.Errorf("the second from 1s on has %d bytes, and they are not the %d of the whole", len(part), to-from)
	}
}
