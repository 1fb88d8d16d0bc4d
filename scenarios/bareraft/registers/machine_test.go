package registers

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// The machine does what a map does, and a snapshot restores it.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := machine{}
		model := map[string]string{}
		for range rapid.IntRange(0, 30).Draw(t, "operations") {
			q := request{
				op:    operation(rapid.IntRange(0, int(opEnd)-1).Draw(t, "operation")),
				key:   rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "key"),
				value: optional{rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value"), true},
			}
			if rapid.Bool().Draw(t, "expected") {
				q.expected = optional{rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "expects"), true}
			}
			held, present := model[q.key]
			swaps := q.op == opCompareAndSwap && present == q.expected.present && held == q.expected.value
			switch {
			case q.op == opPut, swaps:
				model[q.key] = q.value.value
			case q.op == opDelete:
				delete(model, q.key)
			}
			got := m.execute(&q)
			if want := (response{value: optional{held, present}, swapped: swaps}); got != want {
				t.Fatalf("%+v: got %+v, want %+v", q, got, want)
			}
		}
		if !maps.Equal(m, model) {
			t.Fatalf("got %v, want %v", m, model)
		}
		if again := restore(m.snapshot()); !maps.Equal(m, again) {
			t.Fatalf("%v is restored as %v", m, again)
		}
	})
}
