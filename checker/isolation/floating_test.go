package isolation_test

import (
	"testing"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
)

// A transaction whose client knows neither its outcome nor its commit timestamp -
// an async commit, say - has appended to a list and was seen. From then on no answer
// equals a version, and every one has to be looked at: however many there are, the
// right ones are no findings, and the first wrong one is found.
func TestManyAnswersOfAListInWhichSomethingFloats(t *testing.T) {
	right := []tx{unknown(10, 0, add("x", "1"))}
	for i := range uint64(500) {
		right = append(right, ok(20+i, 0, r("x", "1")))
	}
	right = append(right, ok(1000, 1001, add("x", "2")))
	got := isolation.Check(build(append(right, ok(1010, 0, r("x", "1 2")))...))
	if got.Verdict != verdict.OK || got.More != 0 {
		t.Errorf("all is well: %v, %d findings and %d more", got.Verdict, len(got.Findings), got.More)
	}
	for _, wrong := range []struct {
		answer string
		want   verdict.Anomaly
	}{
		{"1", verdict.GSIb}, // the second one is missed
		{"1 2 2", verdict.DuplicateWrite},
		{"1 2 9", verdict.GarbageRead},
		{"2", verdict.GSingle}, // the first one, which was seen, is gone
	} {
		got := isolation.Check(build(append(right[:len(right):len(right)], ok(1010, 0, r("x", wrong.answer)))...))
		if got.Verdict != verdict.Violation || len(got.Findings) != 1 || got.Findings[0].Anomaly != wrong.want {
			t.Errorf("%q: %v, %+v", wrong.answer, got.Verdict, got.Findings)
		}
	}
}
