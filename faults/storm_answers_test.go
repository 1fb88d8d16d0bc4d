package faults_test

import (
	"slices"
	"testing"

	"simrun/faults"
)

// Goal: where a storm is about answers, most faults of links are in one direction
// between those who ask and those who answer, and each direction and each sort of
// links comes up; where it is not, none of them names all clients.
// Method: the sides of the links are told apart by who can be on them.
func TestStormOfAnswers(t *testing.T) {
	c := stormOf(3, 3)
	c.Kinds = []faults.Kind{faults.Partition, faults.Clog, faults.Network}
	for seed := range uint64(50) {
		for _, f := range faults.Storm(seed, c) {
			if slices.Contains(f.Targets, faults.AllClients()) || slices.Contains(f.Peers, faults.AllClients()) {
				t.Fatalf("seed %d: %v names all clients", seed, f)
			}
		}
	}
	c.AnswerChance = 1000
	const answers, requests, both, placement = "answers", "requests", "both", "placement"
	count := map[string]int{}
	for seed := range uint64(100) {
		for _, f := range faults.Storm(seed, c) {
			if len(f.Targets) != 1 || len(f.Peers) != 1 {
				t.Fatalf("seed %d: %v is not between one side and another", seed, f)
			}
			from, to := asks(f.Targets[0], f.Peers[0]), asks(f.Peers[0], f.Targets[0])
			switch {
			case from == to:
				t.Fatalf("seed %d: %v is not between who asks and who answers", seed, f)
			case !f.Directed:
				count[both]++
			case from:
				count[requests]++
			default:
				count[answers]++
			}
			if f.Targets[0] == faults.Placement() || f.Peers[0] == faults.Placement() {
				count[placement]++
			}
		}
	}
	if count[answers] <= count[requests] || count[requests] <= count[both] || count[both] == 0 || count[placement] == 0 {
		t.Errorf("got %v: answers should suffer most, and nothing be missing", count)
	}
}

// asks reports whether a sends requests to b: a client does to all others, and a
// store to the placement driver.
func asks(a, b faults.Target) bool {
	client := a == faults.AllClients() || a == faults.Node("client1") || a == faults.Node("client2")
	return client || b == faults.Placement()
}
