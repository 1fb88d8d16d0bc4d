package checker_test

import (
	"fmt"
	"strings"
	"testing"

	"simrun/checker"
	"simrun/sim/history/jepsen"
)

// TestForeignForms: correct histories of workloads that are not known here are not accused,
// and what is known is judged.
func TestForeignForms(t *testing.T) {
	op := func(f, begin, end string) string {
		return "{:process 0, :type :invoke, :f " + f + ", :value " + begin + "} {:process 0, :type :ok, :f " + f + ", :value " + end + "}\n"
	}
	write, transfer := op(":write", "7", "7"), op(":transfer", "{:from 0 :to 1 :amount 1}", "{:from 0 :to 1 :amount 1}")
	totals := op(":read", "nil", "{0 1, 1 1}") + op(":read", "nil", "{0 1, 1 2}") // they differ
	for _, c := range []struct{ name, text, want string }{
		{"counters", op(":inc", "1", "{1 1}") + totals, "[linear UNKNOWN history UNKNOWN]"},
		{"maps", totals, "[bank UNKNOWN]"},
		{"maps of one total", op(":read", "nil", "{0 1, 1 1}") + op(":read", "nil", "{0 2, 1 0}"), "[bank OK]"},
		{"a bank with a kind that nobody knows", transfer + op(":deposit", "1", "1") + totals, "[bank UNKNOWN history UNKNOWN]"},
		{"a bank in which somebody writes", transfer + write + totals, "[linear UNKNOWN bank UNKNOWN]"},
		{"sequential", write + op(":read", "7", `[7 ["7_1" "7_0"]]`), "[linear UNKNOWN]"},
		{"comments", op(":write", "[5 1]", "[5 1]") + op(":read", "[5 nil]", "[5 #{1}]"), "[linear UNKNOWN]"},
		{"dirty reads", write + op(":read", "nil", "[7 7 7]"), "[linear UNKNOWN]"},
		{"an empty set", op(":read", "nil", "#{}"), "[linear UNKNOWN]"},
		{"long fork", op(":write", "[[:w 0 1]]", "[[:w 0 1]]") + op(":read", "[[:r 0 nil] [:r 1 nil]]", "[[:r 0 1] [:r 1 nil]]"), "[cycles OK]"},
		{"versions", op(":write", "[0 [nil 1]]", "[0 [3 1]]") + op(":read", "[0 [nil nil]]", "[0 [3 1]]"), "[linear OK]"},

		{"a bank", transfer + totals, "[bank VIOLATION]"},
		{"a bank in which nothing more was done", transfer + strings.ReplaceAll(write+op(":deposit", "1", "1"), ":ok", ":fail") + totals, "[linear OK bank VIOLATION]"},
		{"a register", write + op(":read", "nil", "8"), "[linear VIOLATION]"},
		{"a register of vectors", op(":write", "[1 2 3]", "[1 2 3]") + op(":read", "nil", "[7 7 7]"), "[linear VIOLATION]"},
		{"versions of another value", op(":write", "[0 [nil 1]]", "[0 [3 1]]") + op(":read", "[0 [nil nil]]", "[0 [3 2]]"), "[linear VIOLATION]"},
	} {
		h, err := jepsen.Read(strings.NewReader(c.text), "h")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, r := range checker.History(h, checker.Options{}) {
			got = append(got, r.Checker+" "+r.Verdict.String())
		}
		if s := fmt.Sprint(got); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}
