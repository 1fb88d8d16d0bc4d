package trial_test

import (
	"math"
	"strings"
	"testing"

	"simrun/faults"
	"simrun/scenarios/trial"
)

const planText = `version = '1'
system = 'counter'
seed = 7
clients = 2
operations = 0
events = 10000000

[phases]
boot = '1s'
storm = '1s'
calm = '1s'
audit = '100ms'

[params]
pace = 10

[schedule]
faults = [
  'at 10ms kill a for 10ms',
  'at 20ms partition a | client1 -> client2'
]
`

// A plan is the text that people see, and that text is the plan.
func TestPlanText(t *testing.T) {
	s := counter(idle)
	p := s.Plan(7)
	p.Faults = []faults.Fault{fault(t, "at 10ms kill a for 10ms"), fault(t, "at 20ms clog a -> client1,client2")}
	want := strings.Replace(planText, "partition a | client1 -> client2", "clog a -> client1,client2", 1)
	if got := p.String(); got != want {
		t.Errorf("printed as\n%s", got)
	}
	q, err := s.Parse("plan.toml", p.String())
	if err != nil || q.String() != want {
		t.Errorf("read as\n%v\n%v", q, err)
	}
	if q, err = s.Parse("plan.toml", s.Plan(math.MaxUint64).String()); err != nil || q.Seed != math.MaxUint64 {
		t.Errorf("the plan of the largest seed is read as\n%v\n%v", q, err)
	}
	if q, err = s.Parse("plan.toml", "\ufeff"+want); err != nil || q.String() != want {
		t.Errorf("with the mark of an editor it is read as\n%v\n%v", q, err)
	}
	if q = p.Clone(); q.String() != want {
		t.Errorf("copied as\n%s", q)
	}
	q.Faults[0].Targets[0].Name, q.Params["pace"] = "b", 3
	if p.String() != want {
		t.Error("a copy shares what it changes")
	}
}

// A mistake in a plan is told with its place, and what would be right.
func TestPlanMistakes(t *testing.T) {
	right := strings.Replace(planText, ",\n  'at 20ms partition a | client1 -> client2'", "", 1)
	if _, err := counter(idle).Parse("plan.toml", right); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"'1'", "'2'", `plan.toml: version is "2", and this program reads "1" only`},
		{"'counter'", "'abd'", `plan.toml: system is "abd", and this is "counter"`},
		{"seed = 7", "seed = 7\nsead = 8", "plan.toml: line 4: sead is no field of a plan"},
		{"seed = 7", "seed = 'x'", `plan.toml: line 3, column 8: toml: "x" is no seed: write a number from 0 to 18446744073709551615`},
		{"seed = 7", "seed = -1", "plan.toml: line 3, column 8: toml: "},
		{"clients = 2", "clients = 0", "plan.toml: clients is 0: write 1 to 1000"},
		{"events = 10000000", "events = 0", "plan.toml: events is 0: write 1 to 9223372036854775807"},
		{"storm = '1s'", "storm = '0s'", "plan.toml: phases.storm is 0s: write more than nothing, up to 24h0m0s"},
		{"pace = 10", "pace = 101", "plan.toml: params.pace is 101: write 1 to 100"},
		{"pace = 10", "pace = 10\npeace = 1", "plan.toml: params.peace is no parameter of counter"},
		{"kill a", "kil a", `plan.toml: schedule.faults[0], "at 10ms kil a for 10ms": `},
	} {
		text := strings.Replace(right, c.old, c.new, 1)
		if p, err := counter(idle).Parse("plan.toml", text); p != nil || err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", c.new, err)
		}
	}
}

// What is read is printed as what is read again.
func FuzzPlan(f *testing.F) {
	f.Add(planText)
	f.Add(register().Plan(3).String())
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range []*trial.System{counter(idle), register()} {
			p, err := s.Parse("plan.toml", text)
			if err != nil {
				continue
			}
			if q, err := s.Parse("plan.toml", p.String()); err != nil || q.String() != p.String() {
				t.Errorf("%v\n%s", err, p)
			}
		}
	})
}
