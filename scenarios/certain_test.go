package scenarios

import (
	"slices"
	"testing"
	"time"

	"simrun/faults"
	"simrun/sim/plan"
)

// Every seed's schedule holds a fault that cannot miss, and a schedule that has
// one already stays as it was drawn. In births nothing goes wrong, so nothing is
// certain either.
func TestEverySeedHasACertainFault(t *testing.T) {
	for _, name := range Names() {
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(300) {
			p := s.Plan(seed)
			if !slices.ContainsFunc(p.Faults, certain) && name != "births" {
				t.Errorf("%s, seed %d: every fault may miss: %v", name, seed, p.Faults)
			}
			drawn := faults.Storm(seed, s.storm(p))
			if added := len(p.Faults) - len(drawn); added > 1 || added == 1 && slices.ContainsFunc(drawn, certain) {
				t.Errorf("%s, seed %d: %d faults were added to %v", name, seed, added, drawn)
			}
		}
	}
}

// A crash that is added comes before all other faults, when every store is up,
// and is over before they begin if there is time for that.
func TestAssured(t *testing.T) {
	s, err := Find("bank")
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Default()
	split := faults.Fault{At: time.Second, Kind: faults.Split, Key: "k"}
	early := faults.Fault{At: 0, Kind: faults.Split, Key: "k"}
	for _, schedule := range [][]faults.Fault{nil, {split}, {early, split}} {
		got := s.assured(slices.Clone(schedule), &p, generator{7})
		if len(got) != len(schedule)+1 || !certain(got[0]) || got[0].Validate() != nil {
			t.Fatalf("%v became %v", schedule, got)
		}
		if len(schedule) == 1 && got[0].At+got[0].For > schedule[0].At {
			t.Errorf("%v is not over before %v", got[0], schedule[0])
		}
		if len(schedule) > 0 && got[0].At > schedule[0].At {
			t.Errorf("%v is not before %v", got[0], schedule[0])
		}
	}
	s.Faults.Kinds = []faults.Kind{faults.Split}
	if got := s.assured([]faults.Fault{split}, &p, generator{7}); len(got) != 1 {
		t.Errorf("a scenario without crashes got one: %v", got)
	}
}
