package jepsen_test

import (
	"bytes"
	"strings"
	"testing"

	"simrun/sim/history/jepsen"
)

// op is an operation of a process of its own that was done.
func op(process, f, begin, end string) string {
	return "{:process " + process + ", :type :invoke, :f " + f + ", :value " + begin + "}\n{:process " + process + ", :type :ok, :f " + f + ", :value " + end + "}\n"
}

// TestUnjudged: what workloads read that are not on registers is not judged as one, and the
// reason has the line. What somebody wrote in the same form is.
func TestUnjudged(t *testing.T) {
	const none = ", and nobody wrote a value of that form"
	for _, c := range []struct{ name, text, want string }{
		{"a map of counters", op("0", ":inc", "1", "{1 1}") + op("1", ":read", "nil", "{0 0, 1 1}"), "line 4 returned {0 0, 1 1}" + none + ", nor is it the read of a bank, which would have a :transfer"},
		{"a value and its time", op("0", ":write", "1", "1") + op("1", ":read", "nil", "{:x 1 :ts 5}"), "line 4 returned {:ts 5, :x 1}" + none + ", nor"},
		{"nothing but balances", op("1", ":read", "nil", "{0 1 1 5}"), ""},
		{"several keys of one number", op("0", ":write", "7", "7") + op("1", ":read", "7", `[7 ["7_1" "7_0"]]`), `line 4 began as one of 7 and returned [7 ["7_1" "7_0"]]`},
		{"another number beside", op("0", ":write", "[1 7]", "[1 7]") + op("1", ":read", "[1 7]", "[1 8]"), "line 4 began as one of 7 and returned 8"},
		{"a set of what was written", op("0", ":write", "[5 1]", "[5 1]") + op("1", ":read", "[5 nil]", "[5 #{1}]"), "line 4 returned #{1}" + none},
		{"the answers of replicas", op("0", ":write", "7", "7") + op("1", ":read", "nil", "[7 7 7]"), "line 4 returned [7 7 7]" + none},
		{"an empty set", op("0", ":read", "nil", "#{}"), "line 2 returned #{}" + none},
		{"something tagged", op("0", ":read", "nil", "#row[1]"), "line 2 returned #row [1]" + none},
		{"vectors of what was written", op("0", ":write", "[1 2 3]", "[1 2 3]") + op("1", ":read", "nil", "[[1 2 3]]"), "line 4 returned [[1 2 3]]" + none},
		{"a vector of another key", op("0", ":write", "[1 [2 3]]", "[1 [2 3]]") + op("1", ":read", "[2 nil]", "[2 [2 3]]"), "line 4 returned [2 3]" + none},
		{"a set of a store", op("0", ":put", "[1 2]", "[1 2]") + op("1", ":get", "[1 nil]", "[1 #{2}]"), "the :get that ends in line 4 returned #{2}" + none},
		{"much", op("0", ":read", "nil", "["+strings.Repeat("1 ", 99)+"]"), "line 2 returned [" + strings.Repeat("1 ", 29) + "1..." + none},

		{"vectors", op("0", ":write", "[1 2 3]", "[1 2 3]") + op("1", ":read", "nil", "[4 4]"), ""},
		{"no vector any more", op("0", ":write", "[1 2 3]", "[1 2 3]") + op("1", ":read", "nil", "[]"), ""},
		{"a vector by a cas", op("0", ":cas", "[nil [1]]", "[nil [1]]") + op("1", ":read", "nil", "[2]"), ""},
		{"maps", op("0", ":write", "{:a 1}", "{:a 1}") + op("1", ":read", "nil", "{:a 2}"), ""},
		{"sets", op("0", ":write", "#{1}", "#{1}") + op("1", ":read", "nil", "#{2}"), ""},
		{"a vector at first", `{:process 7, :type :invoke, :f :read, :value ["x" nil], :initial {"x" "[1 2]"}}` + op("1", ":read", `["x" nil]`, `["x" [1 2]]`), ""},
		{"numbers", op("0", ":write", "1", "1") + op("1", ":read", "nil", "2"), ""},
		{"a read that repeats itself", op("0", ":write", "1", "1") + op("1", ":read", "2", "2"), ""},
		{"a read that failed", strings.ReplaceAll(op("0", ":read", "1", "[2]"), ":ok", ":fail"), ""},
		{"a bank", op("0", ":transfer", "{}", "{}") + op("1", ":read", "nil", "{1 1}"), ""},
	} {
		h := readAll(t, c.text)
		if c.want == "" && h.Unjudged != "" || !strings.Contains(h.Unjudged, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, h.Unjudged, c.want)
		}
		err := jepsen.WriteEDN(&bytes.Buffer{}, h)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), h.Unjudged) {
			t.Errorf("%s: its export: %v", c.name, err)
		}
	}
}

// TestNotRegisters: some operations that are called :read and :write are transactions, and
// those of values with a version are on the values alone.
func TestNotRegisters(t *testing.T) {
	const versions = "write 0 nil>1 ok\nread 0 nil>1 ok\ncas 0 1>2 ok swapped\nread 1 nil>nil ok"
	versioned := op("0", ":write", "[0 [nil 1]]", "[0 [3 1]]") + op("0", ":read", "[0 [nil nil]]", "[0 [3 1]]") + op("0", ":cas", "[0 [nil [1 2]]]", "[0 [4 [1 2]]]") + op("0", ":read", "[1 [nil nil]]", "[1 [nil nil]]")
	for _, c := range []struct{ name, text, want string }{
		{"long fork", op("0", ":write", "[[:w 0 1]]", "[[:w 0 1]]") + op("1", ":read", "[[:r 0 nil] [:r 1 nil]]", "[[:r 0 1] [:r 1 nil]]"), "txn  nil>nil ok [w 0 1]\ntxn  nil>nil ok [r 0 1] [r 1 nil]"},
		{"lists", op("0", ":write", "[[:append 0 1]]", "[[:append 0 1]]") + op("1", ":read", "nil", "[[:r 0 [1 2]]]"), "txn  nil>nil ok [append 0 1]\ntxn  nil>nil ok [r 0 1 2]"},
		{"long fork beside tuples", op("0", ":write", "[[:w 0 1]]", "[[:w 0 1]]") + op("1", ":read", "[5 nil]", "[5 1]"), "txn  nil>nil ok [w 0 1]\nread 5 nil>1 ok"},
		{"a vector of vectors", op("0", ":write", "[[:x 0 1]]", "[[:x 0 1]]"), "write  nil>[[:x 0 1]] ok"},
		{"versions", versioned, versions},
		{"versions with keys", strings.NewReplacer(":value [0 ", ":key 0, :value ", ":value [1 ", ":key 1, :value ", "]}", "}").Replace(versioned), versions},
		{"no versions", op("0", ":write", "[0 [nil 1]]", "[0 [nil 1]]") + op("0", ":read", "[0 nil]", "[0 [nil 1]]"), "write 0 nil>[nil 1] ok\nread 0 nil>[nil 1] ok"},
		{"a cas from nothing", op("0", ":cas", "[0 [nil [1 2]]]", "[0 [nil [1 2]]]"), "cas 0 nil>[1 2] ok swapped"},
	} {
		h := readAll(t, c.text)
		var got []string
		for i := range h.Ops {
			got = append(got, show(&h.Ops[i]))
		}
		if strings.Join(got, "\n") != c.want || h.Unjudged != "" {
			t.Errorf("%s: got\n%s\nwant\n%s\n%s", c.name, strings.Join(got, "\n"), c.want, h.Unjudged)
		}
	}
}

// TestBareWords: a word that is no literal of EDN is a value like others.
func TestBareWords(t *testing.T) {
	for _, c := range []struct{ word, want string }{
		{`#object[jepsen.db.Node 0x5f2 "n1"]`, ""},
		{"#unit 1/3", ""},
		{"1/3", "1/3"},
		{"##NaN", "##NaN"},
		{"##-Inf", "##-Inf"},
		{"0x5f2", "0x5f2"},
		{"'x", "'x"},
	} {
		h := readAll(t, "{:process :nemesis, :type :info, :f :skew, :value {\"n1\" "+c.word+"}}"+op("0", ":write", c.word, c.word)+op("0", ":write", "1", "1"))
		if len(h.Ops) != 2 || c.want != "" && *h.Ops[0].Value != c.want || *h.Ops[1].Value != "1" {
			t.Errorf("%s: %s", c.word, show(&h.Ops[0]))
		}
	}
}
