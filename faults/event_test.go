package faults_test

import (
	"reflect"
	"testing"

	"simrun/faults"
)

// The nodes that a fault meant are told where its text names them only by what they were
// at the time.
func TestMeant(t *testing.T) {
	for _, c := range []struct {
		text           string
		targets, peers []string
		want           []string
	}{
		{"kill store1 for 1s", []string{"store1"}, nil, nil},
		{"kill leader(a) for 1s", []string{"store1"}, nil, []string{"store1"}},
		{"kill leader(a) for 1s", nil, nil, nil},
		{"partition store1 | leader(a) for 1s", []string{"store1"}, []string{"store2"}, []string{"store1", "store2"}},
	} {
		f, err := faults.Parse("at 1s " + c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := (faults.Event{Fault: f, Targets: c.targets, Peers: c.peers}).Meant(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.text, got, c.want)
		}
	}
}
