package faults_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/faults"
)

// Goal: what is aimed at kinds of messages is what it is said to be: requests of one
// step, late by more than a client waits, in turns that leave their repetitions alone;
// those of the next step, late by less, all the time; others, lost. Every step and every
// other kind comes up, and nothing does in a storm without.
// Method: the faults with a kind of message are taken apart by their latency.
func TestStormOfAims(t *testing.T) {
	const patience = 100 * time.Millisecond
	c := stormOf(3, 3)
	c.Kinds = []faults.Kind{faults.Network}
	c.Steps, c.Beside = []string{"First", "Second", "Third"}, []string{"Other", "Another"}
	c.Patience = faults.Duration(patience)
	for seed := range uint64(50) {
		if aimed := aimedIn(seed, c); len(aimed) > 0 {
			t.Fatalf("seed %d: %v is aimed", seed, aimed[0])
		}
	}
	c.Aimed = 1000
	overtaken, late, lost, to := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for seed := range uint64(100) {
		var before faults.Fault
		for _, f := range aimedIn(seed, c) {
			if !f.Directed || !slices.Equal(f.Targets, []faults.Target{faults.AllClients()}) {
				t.Fatalf("seed %d: %v is not of what clients ask", seed, f)
			}
			to[strings.TrimRight(f.Peers[0].String(), "()abckey0123456789/")]++
			switch d := f.Degradation; {
			case d.Loss == 1000 && d.Latency == 0:
				lost[d.Of]++
			case d.Latency >= patience:
				if overtaken[d.Of]++; f.For > patience || d.Latency > 5*patience/2 {
					t.Errorf("seed %d: %v leaves no repetition alone", seed, f)
				}
				if before.Degradation == d && f.At-before.At < 2*patience {
					t.Errorf("seed %d: %v comes right after %v", seed, f, before)
				}
				before = f
			case d.Loss == 0:
				late[d.Of]++
			default:
				t.Errorf("seed %d: %v is none of it", seed, f)
			}
		}
	}
	if len(overtaken) != 3 || len(late) != 2 || late["First"] > 0 || len(lost) != 2 || len(to) < 2 {
		t.Errorf("overtaken %v, late %v, lost %v, on the way to %v", overtaken, late, lost, to)
	}
}

// aimedIn returns the faults of a storm that are aimed at a kind of messages.
func aimedIn(seed uint64, c faults.StormConfig) []faults.Fault {
	return slices.DeleteFunc(faults.Storm(seed, c), func(f faults.Fault) bool { return f.Degradation.Of == "" })
}
