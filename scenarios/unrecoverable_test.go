package scenarios_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// lossPlan is the plan in which two of three disks are lost.
func lossPlan(t *testing.T) *plan.Plan {
	t.Helper()
	const file = "unrecoverable/majority-of-disks.toml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(file, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func runPlan(t *testing.T, p *plan.Plan) *reports.Result {
	t.Helper()
	o, err := runner.Run(p, runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return o.Result
}

// A majority of the disks is lost because the plan insists. Nobody can serve what
// was on them, which is no violation, and the result says which disks it was and
// who waits for them.
func TestUnrecoverable(t *testing.T) {
	p := lossPlan(t)
	r := runPlan(t, p)
	if r.Verdict != checker.Unrecoverable || len(r.Findings()) > 0 {
		t.Fatalf("%v: %s", r.Verdict, r.Signature())
	}
	var text bytes.Buffer
	if err := reports.WriteText(&text, &reports.Run{Result: r}, reports.TextOptions{Width: 500}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"UNRECOVERABLE  bank, seed 3",
		"liveness: UNRECOVERABLE, 5 checked; after the storm not every client was served within 30s, for the faults have destroyed what is needed: region ",
		"who waits for what\n    admin: is at its probe",
		": LOST: peer 5 with the disk of store1 at ",
		": LOST: was on the disk that store2 lost at ",
		": Voter on store3, knows of no leader, term ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
	var file bytes.Buffer
	if err := reports.WriteJSON(&file, r); err != nil {
		t.Fatal(err)
	}
	again, err := reports.ParseResult("result.json", file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	then, _ := json.Marshal(r.Waits)
	now, _ := json.Marshal(again.Waits)
	if len(r.Waits) < 10 || !bytes.Equal(then, now) {
		t.Errorf("%s became %s", then, now)
	}
	compareTraces(t, p)
}

// The same plan without the word: the second disk is kept, for too much would be
// lost with it, and all is well.
func TestWipeAvoidsLoss(t *testing.T) {
	p := lossPlan(t)
	for i := range p.Faults {
		p.Faults[i].Regardless = false
	}
	p.Scheduling.Interval, p.Scheduling.ReplicaCheck = plan.Duration(200*time.Millisecond), true
	p.Scheduling.MaxStoreDownTime, p.Scheduling.OperatorTimeout = plan.Duration(time.Minute), plan.Duration(5*time.Second)
	p.Scheduling.OperatorLimit, p.Scheduling.StoreLimit = 4, 4
	if r := runPlan(t, p); r.Verdict != checker.OK {
		t.Errorf("%v: %s", r.Verdict, r.Signature())
	}
}

// A loss excuses nothing that it does not explain: one disk of three is lost,
// which the system promises to survive, and a bound that is too short is missed.
func TestLossExplainsNothingElse(t *testing.T) {
	p := lossPlan(t)
	p.Phases.Calm = 1
	for i := range p.Faults {
		if f := &p.Faults[i]; f.Kind == faults.Wipe {
			f.Targets = f.Targets[:1]
		}
	}
	r := runPlan(t, p)
	if r.Verdict != checker.Violation || !strings.HasPrefix(r.Signature(), "VIOLATION liveness stuck: ") || len(r.Waits) == 0 {
		t.Errorf("%v: %s", r.Verdict, r.Signature())
	}
}

// No storm asks for a loss that cannot be made good.
func TestStormsKeepData(t *testing.T) {
	wipes := 0
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(50) {
			for _, f := range s.Plan(seed).Faults {
				if f.Kind == faults.Wipe {
					wipes++
				}
				if f.Regardless {
					t.Errorf("%s, seed %d: %v", s.Name, seed, f)
				}
			}
		}
	}
	if wipes == 0 {
		t.Error("no storm wipes a disk")
	}
}
