package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"simrun/faults"
)

// TestScheduler tells stories: "schedule" starts one, "run" lets time pass and
// prints what the scheduler told the world and the observer, the other commands
// change the world.
func TestScheduler(t *testing.T) {
	datadriven.Walk(t, "testdata/scheduler", func(t *testing.T, path string) {
		var w *world
		var s *faults.Scheduler
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "schedule":
				w = newWorld()
				s = faults.NewScheduler(w, w, parseAll(t, d.Input), func(e faults.Event) { fmt.Fprintln(w.log, e) })
				s.Start()
			case "run":
				w.runUntil(parseDuration(t, d.CmdArgs[0].Key))
			case "leader":
				w.leader = d.CmdArgs[0].Vals[0]
			case "idle": // nobody sends, no disk is written
				w.idle = true
			case "happen": // what is armed on a node
				w.armed[d.CmdArgs[0].Key]()
			case "done": // what an administrator has asked for
				for _, happened := range w.asked {
					happened()
				}
			case "calm":
				s.Calm()
			case "counts":
				for _, c := range s.Counts() {
					fmt.Fprintf(w.log, "%v scheduled=%d armed=%d effective=%d\n", c.Kind, c.Scheduled, c.Armed, c.Effective)
				}
				fmt.Fprintf(w.log, "effective=%d, still open=%d\n", s.Effective(), w.open)
			default:
				t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
			}
			text := w.log.String()
			w.log.Reset()
			return text
		})
	})
}

func parseAll(t *testing.T, text string) []faults.Fault {
	var schedule []faults.Fault
	for _, line := range strings.Split(text, "\n") {
		f, err := faults.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		schedule = append(schedule, f)
	}
	return schedule
}

func parseDuration(t *testing.T, text string) time.Duration {
	d, err := faults.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Goal: whatever the schedule, the calm leaves nothing in force or armed, and
// nothing begins after it.
// Method: any faults, a calm at any instant, and then all the time there is.
func TestCalmUndoesEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schedule := rapid.SliceOfN(rapid.Custom(drawFault), 0, 20).Draw(t, "schedule")
		w := newWorld()
		stages := make([][]faults.Stage, len(schedule))
		s := faults.NewScheduler(w, w, schedule, func(e faults.Event) {
			stages[e.Index] = append(stages[e.Index], e.Stage)
		})
		s.Start()
		w.runUntil(time.Duration(rapid.Int64Range(0, int64(faults.TimeMax)).Draw(t, "calm")))
		s.Calm()
		if w.open != 0 || len(w.armed) != 0 {
			t.Fatalf("%d in force and %d armed", w.open, len(w.armed))
		}
		w.log.Reset()
		s.Calm() // a second one does nothing
		w.runUntil(3 * faults.TimeMax)
		if w.log.Len() > 0 {
			t.Fatalf("after the calm:\n%s", w.log)
		}
		for i, seen := range stages {
			if len(seen) == 0 || seen[0] != faults.Began && seen[0] != faults.Skipped {
				t.Fatalf("%v went through %v", schedule[i], seen)
			}
		}
	})
}

// What is no fault is refused before anything is counted as one.
func TestScheduleOfNoKind(t *testing.T) {
	defer func() {
		if r := recover(); r != "faults: fault 1 of a schedule is of no kind: Kind(0)" {
			t.Errorf("the panic is %v", r)
		}
	}()
	faults.NewScheduler(nil, nil, []faults.Fault{{Kind: faults.Kill}, {}}, nil)
}
