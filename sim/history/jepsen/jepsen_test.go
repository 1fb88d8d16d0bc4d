package jepsen_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"simrun/sim/history"
	"simrun/sim/history/jepsen"
)

func p(s string) *string { return &s }

func readAll(t *testing.T, text string) *history.History {
	t.Helper()
	h, err := jepsen.Read(strings.NewReader(text), "h")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// show prints what matters of an operation.
func show(op *history.Op) string {
	v := func(s *string) string {
		if s == nil {
			return "nil"
		}
		return *s
	}
	var b strings.Builder
	b.WriteString(string(op.Kind) + " " + op.Key + " " + v(op.Expected) + ">" + v(op.Value) + " " + string(op.Outcome))
	if op.Swapped {
		b.WriteString(" swapped")
	}
	if op.Txn != nil {
		for _, o := range op.Txn.Ops {
			b.WriteString(" [" + string(o.Kind) + " " + o.Key + " " + v(o.Value))
			for _, pair := range o.Pairs {
				b.WriteString(" " + pair.Key + "=" + pair.Value)
			}
			b.WriteString("]")
		}
	}
	return b.String()
}

// TestImport has one example of each form that is understood.
func TestImport(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{
			"register", `; a comment
[{:process 0, :type :invoke, :f :write, :value 3}
 {:process :nemesis, :type :info, :f :start}
 {:process 1, :type :invoke, :f :read, :value nil}
 {:process 0, :type :ok, :f :write, :value 3}
 {:process 1, :type :ok, :f :read, :value 3} ; the answer
 {:process 0, :type :invoke, :f :cas, :value [3 4]}
 {:process 1, :type :invoke, :f :cas, :value [9 4]}
 {:process 0, :type :ok, :f :cas, :value [3 4]}
 {:process 1, :type :fail, :f :cas, :value [9 4], :error :timeout}
 {:process 2, :type :invoke, :f :write, :value 5}
 {:process 3, :type :invoke, :f :read, :value nil}
 {:process 2, :type :info, :f :write, :value 5}]`,
			[]string{
				"write  nil>3 ok", "read  nil>3 ok", "cas  3>4 ok swapped", "cas  9>4 failed", "write  nil>5 unknown", "read  nil>nil unknown",
			},
		},
		{
			"independent registers in tagged maps",
			`#jepsen.history.Op{:process 0, :type :invoke, :f :write, :value ["x" 3]}
#jepsen.history.Op{:process 0, :type :ok, :f :write, :value ["x" 3]}
{:process 0, :type :invoke, :f :read, :value [:y nil]} {:process 0, :type :ok, :f :read, :value [:y nil]}
{:process 0, :type :invoke, :f :cas, :value [1 [nil 2]]} {:process 0, :type :ok, :f :cas, :value [1 [nil 2]]}`,
			[]string{"write x nil>3 ok", "read :y nil>nil ok", "cas 1 nil>2 ok swapped"},
		},
		{
			"registers with keys", `{:process 0, :type :invoke, :f :write, :key "x", :value [1 2]}
{:process 0, :type :ok, :f :write, :value [1 2]}
{:process 0, :type :invoke, :f :cas, :key 7, :value [1 [2 3]]} {:process 0, :type :ok, :f :cas, :key 7, :value [1 [2 3]]}`,
			[]string{"write x nil>[1 2] ok", "cas 7 1>[2 3] ok swapped"},
		},
		{
			"tuples beside an empty :key", `[{"process":0,"type":"invoke","f":"write","key":null,"value":["x",1]},
{"process":0,"type":"ok","f":"write","key":null,"value":["x",1]},
{"process":"nemesis","type":"info","f":"start"}, {"process":":nemesis","type":"info","f":"stop"}]`,
			[]string{"write x nil>1 ok"},
		},
		{
			"mutexes with keys", `{:process 0, :type :invoke, :f :acquire, :key "m"} {:process 0, :type :ok, :f :acquire, :key "m"}`,
			[]string{"acquire m nil>nil ok"},
		},
		{
			"mutex", `({:process 0, :type :invoke, :f :acquire} {:process 0, :type :ok, :f :acquire} {:process 0, :type :invoke, :f :release, :value nil})`,
			[]string{"acquire  nil>nil ok", "release  nil>nil unknown"},
		},
		{
			"key-value", `{:process 0, :type :invoke, :f :get, :key "7", :value nil}
{:process 0, :type :ok, :f :get, :key "7", :value ""}
{:process 0, :type :invoke, :f :append, :key "7", :value "x 1"}
{:process 0, :type :ok, :f :append, :key "7", :value "x 1"}
{:process 0, :type :invoke, :f :put, :key "7", :value "y"}
{:process 0, :type :ok, :f :put, :key "7", :value "y"}`,
			[]string{"read 7 nil>nil ok", "append 7 nil>x 1 ok", "write 7 nil>y ok"},
		},
		{
			"lists", `{:process 0, :type :invoke, :f :txn, :value [[:r 8 nil] [:append 8 1] [:r 9 nil]]}
{:process 0, :type :ok, :f :txn, :value [[:r 8 [4 5]] [:append 8 1] [:r 9 nil]]}
{:process 0, :type :invoke, :value [[:r 8 nil] [:append 8 2]]}
{:process 0, :type :info, :value [[:r 8 nil] [:append 8 2]]}`,
			[]string{"txn  nil>nil ok [r 8 4 5] [append 8 1] [r 9 nil]", "txn  nil>nil unknown [append 8 2]"},
		},
		{
			"registers of transactions", `{:process 0, :type :invoke, :f :txn, :value [[:w :x 1] [:w :y nil]]} {:process 0, :type :ok, :f :txn, :value [[:w :x 1] [:w :y nil]]}`,
			[]string{"txn  nil>nil ok [w :x 1] [d :y nil]"},
		},
		{
			"bank", `{:process 0, :type :invoke, :f :read} {:process 0, :type :ok, :f :read, :value {10 5, 9 -1}}
{:process 0, :type :invoke, :f :transfer, :value {:from 9, :to 10, :amount 1}} {:process 0, :type :ok, :f :transfer, :value {:from 9, :to 10, :amount 1}}`,
			[]string{"txn  nil>nil ok [scan  nil 10=5 9=-1]", "transfer  nil>nil ok"},
		},
		{
			"bank in JSON", `[{"type":"invoke","f":"read","process":0,"time":1}, {"type":"ok","f":"read","process":0,"value":{"0":100,"7":0}},
{"type":"invoke","f":"transfer","process":0}]`,
			[]string{"txn  nil>nil ok [scan  nil 0=100 7=0]", "transfer  nil>nil unknown"},
		},
		{
			"log", "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 1 :invoke :read nil\n" +
				"INFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\nINFO  jepsen.util - 1 :fail :read :timed-out\n" +
				"INFO  jepsen.util - 0 :invoke :write 4\nINFO  jepsen.util - 0 :info :write :timed-out\n",
			[]string{"cas  1>2 ok", "read  nil>nil failed", "write  nil>4 unknown"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := readAll(t, c.text)
			var got []string
			for i := range h.Ops {
				got = append(got, show(&h.Ops[i]))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if !h.Foreign {
				t.Error("it is not marked as foreign")
			}
		})
	}
	if h := readAll(t, `{:process 0, :type :invoke, :f :txn, :value [[:read :x nil]]}`); h.Consistency != history.StrictSerializable || !h.InitialUnknown {
		t.Errorf("multi-register: %+v", h.Header)
	}
}

// TestMalformed: one clear error with file and line each.
func TestMalformed(t *testing.T) {
	const begin = `{:process 0, :type :invoke, :f :read, :value nil}` + "\n"
	for _, c := range []struct {
		name, text, want string
		truncated        bool
	}{
		{"something else", "hello", "h:1: not a history", false},
		{"empty", "", "h: the history is empty", true},
		{"cut vector", "[" + begin, `h:2: the file ends before its closing ']'`, true},
		{"cut map", "[" + begin + "{:process 1, :ty", "h:2: the file ends in the middle of an operation", true},
		{"end without beginning", begin + `{:process 1, :type :ok, :f :read}`, "h:2: process 1 ends an operation", false},
		{"two beginnings", begin + begin, "h:2: process 0 begins an operation while its previous one, of line 1", false},
		{"unknown type", begin + `{:process 0, :type :okay, :f :read}`, `h:2: :type "okay"`, false},
		{"no process", `{:type :ok}`, "h:1: the operation has no :process", false},
		{"a client with a name", `{:process "c0", :type :invoke, :f :read}`, `h:1: :process "c0" is neither a whole number nor :nemesis; give every client a number`, false},
		{"a client with a keyword", begin + `{:process :c0, :type :invoke, :f :read}`, `h:2: :process ":c0" is neither a whole number`, false},
		{"a client with a number in quotes", `[{"process":0,"type":"invoke","f":"read"},` + "\n" + `{"process":"1","type":"invoke","f":"read"}]`, `h:2: :process "1" is neither a whole number`, false},
		{"a client with a fraction", `[{"process":1.5,"type":"invoke","f":"read"}]`, `h:1: :process "1.5" is neither a whole number`, false},
		{"a client of a log with a name", "INFO  jepsen.util - c0 :invoke :read nil\n", `h:1: :process ":c0" is neither a whole number`, false},
		{"an end of another kind", begin + `{:process 0, :type :ok, :f :write, :value 9}`, "h:2: process 0 ends a :write, and what it began in line 1 is a :read", false},
		{"an end of another key", `{:process 0, :type :invoke, :f :read, :key "x"}` + "\n" + `{:process 0, :type :ok, :f :read, :key "y"}`, `h:2: process 0 ends an operation of :key "y", and what it began in line 1 is not of that`, false},
		{"an end with a key of its own", begin + `{:process 0, :type :ok, :f :read, :key ""}`, `h:2: process 0 ends an operation of :key ""`, false},
		{"a tuple of another key", `{:process 0, :type :invoke, :f :read, :value ["x" nil]} {:process 0, :type :ok, :f :read, :value ["y" 1]}`, `h:1: the :read of "x", begun in line 1, ends as one of "y"`, false},
		{"registers with a key and without", `{:process 1, :type :invoke, :f :read, :key "x"}` + "\n" + begin, "h:2: the :read has no :key, and others have one", false},
		{"an element with white space", `{:process 0, :type :invoke, :f :txn, :value [[:append "k" "a b"]]}`, `h:1: element "a b" of a list is empty or has white space`, false},
		{
			"an element that was read with white space", `{:process 0, :type :invoke, :f :txn, :value [[:append 1 1]]} {:process 1, :type :invoke, :f :txn, :value [[:r 1 nil]]}
{:process 1, :type :ok, :f :txn, :value [[:r 1 [1 "2\u00a03"]]]}`, `h:2: element "2\u00a03" of a list`, false,
		},
		{"an empty element", `{:process 0, :type :invoke, :f :txn, :value [[:append "k" ""]]}`, `h:1: element "" of a list`, false},
		{"an element that is nil", `{:process 0, :type :invoke, :f :txn, :value [[:append 1 1] [:r 1 nil]]} {:process 0, :type :ok, :f :txn, :value [[:append 1 1] [:r 1 [nil 1]]]}`, `h:1: element "" of a list`, false},
		{"a number", "[" + begin + "7]", `h:2: '7' stands where`, false},
		{"after the end", "[" + begin + "]\n" + begin, "h:3: there is something after the closing bracket", false},
		{"cas of one", "\n{:process 0, :type :invoke, :f :cas, :value 7}", "h:2: the value of a :cas is", false},
		{"transaction of words", `{:process 0, :type :invoke, :f :txn, :value [[:x :y 1]]}`, `h:1: operation "x" of a transaction`, false},
		{"transaction of a number", `{:process 0, :type :invoke, :f :txn, :value 1}`, "h:1: the value of a transaction is a vector", false},
		{"bad EDN", "[" + begin + "{:process 1 :x}\n]", "h:2: malformed EDN", false},
		{"EDN out of place", "[" + begin + "{:process 1, :value [1}]", "h:2: malformed EDN: '}' is out of place", false},
		{"bad EDN in a comment", begin + "#_ [1} " + begin, "h:2: malformed EDN", false},
		{"a cut comment", begin + "#_ [1", "h:2: the file ends in the middle of an operation", true},
		{"a cut text", begin + `{:process 1, :value "ab\`, "h:2: the file ends in the middle of an operation", true},
		{"a set for an operation", begin + "#{1}", "h:2: a jepsen.set stands where an operation {...} should", false},
		{"nested deep", begin + strings.Repeat("#_", 1<<20), "h:2: malformed EDN: values are nested too deep", false},
		{"nested deep in JSON", `[{"value":` + strings.Repeat("[", 1<<20), "h:1: malformed JSON: values are nested too deep", false},
		{"an operation of JSON that is a list", `[{"process":0,"type":"invoke"},` + "\n[]]", "h:2: a []interface {} stands where an operation {...} should", false},
		{"cut JSON", `[{"process":0,"type":"invoke"}`, "h:1: the file ends before its closing bracket", true},
		{"bad JSON", "[{\"process\":0,\"type\":\"invoke\"},\n{\"process\":}]", "h:2: malformed JSON", false},
		{"bad log line", "INFO  jepsen.util - 0 :invoke :read nil\nINFO what\n", "h:2: \"INFO what\" is no line", false},
		{"bad log value", "INFO  jepsen.util - 0 :invoke :read x\n", `h:1: value "x" is neither`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jepsen.Read(strings.NewReader(c.text), "h")
			var e *history.Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if e.Truncated != c.truncated {
				t.Errorf("truncated is %t", e.Truncated)
			}
		})
	}
}

// TestContradictions: an end that says something else than its beginning, a name that
// stands for two things and a map that says two things of one key are refused: whatever was
// made of them, the verdict would be of another history.
func TestContradictions(t *testing.T) {
	const (
		repeated = "; repeat the :value of the beginning or leave it out"
		filledIn = "; repeat the operations of the beginning and fill in what its reads returned"
		oneWay   = "; write one key in one way everywhere, and give several keys different texts"
		keepOne  = "; keep the one that is right"
	)
	ops := func(begin, end string) string {
		return "{:process 0, :type :invoke, " + begin + "}\n{:process 0, :type :ok, " + end + "}"
	}
	for _, c := range []struct{ name, text, want string }{
		{"a write of another value", ops(":f :write, :value 1", ":f :write, :value 9"), "h:2: process 0 ends a :write of 9, and what it began in line 1 is one of 1" + repeated},
		{"a deletion that wrote", ops(":f :write, :value nil", ":f :write, :value 9"), "h:2: process 0 ends a :write of 9, and what it began in line 1 is one of nil" + repeated},
		{"a write in a tuple", ops(":f :write, :value [:x 1]", ":f :write, :value [:x 9]"), "h:2: process 0 ends a :write of 9, and what it began in line 1 is one of 1" + repeated},
		{"a write with a key", ops(":f :write, :key 7, :value 1", ":f :write, :value 9"), "h:2: process 0 ends a :write of 9, and what it began in line 1 is one of 1" + repeated},
		{"a cas of others", ops(":f :cas, :value [1 2]", ":f :cas, :value [1 3]"), "h:2: process 0 ends a :cas of [1 3], and what it began in line 1 is one of [1 2]" + repeated},
		{"a cas of a log", "INFO  jepsen.util - 0 :invoke :cas [1 2]\nINFO  jepsen.util - 0 :fail :cas [1 3]\n", "h:2: process 0 ends a :cas of [1 3], and what it began in line 1 is one of [1 2]" + repeated},
		{"a put of another value", ops(`:f :put, :key "k", :value "a"`, `:f :put, :key "k", :value "b"`), `h:2: process 0 ends a :put of "b", and what it began in line 1 is one of "a"` + repeated},
		{"an append in a tuple", ops(`:f :append, :value ["k" "a"]`, `:f :append, :value ["k" "b"]`), `h:2: process 0 ends a :append of "b", and what it began in line 1 is one of "a"` + repeated},
		{"a get of another key", ops(`:f :get, :value ["k" nil]`, `:f :get, :value ["l" "b"]`), `h:2: the :get of "k", begun in line 1, ends as one of "l"`},
		{"another mutex", ops(":f :acquire, :value :a", ":f :acquire, :value :b"), "h:2: process 0 ends a :acquire of :b, and what it began in line 1 is one of :a" + repeated},

		{"a transaction without its operations", ops(":f :txn, :value [[:r 1 nil]]", ":f :txn, :value nil"), "h:2: process 0 ends a transaction that was done, begun in line 1, without its operations" + filledIn},
		{"a transaction of no operations known", ops(":f :txn", ":f :txn"), "h:2: process 0 ends a transaction that was done, begun in line 1, without its operations" + filledIn},
		{"a transaction with less", ops(":f :txn, :value [[:r 1 nil] [:w 1 2]]", ":f :txn, :value [[:r 1 1]]"), "h:2: process 0 ends a transaction with another number of operations, 1, than it began with in line 1, 2" + filledIn},
		{"another write of a transaction", ops(":f :txn, :value [[:r 1 nil] [:w 1 2]]", ":f :txn, :value [[:r 1 1] [:w 1 3]]"), "h:2: process 0 ends a transaction with [:w 1 3], and what it began in line 1 has [:w 1 2] there" + filledIn},
		{"a write of a transaction that is a deletion", ops(":f :txn, :value [[:w 1 2]]", ":f :txn, :value [[:w 1 nil]]"), "h:2: process 0 ends a transaction with [:w 1 nil], and what it began in line 1 has [:w 1 2] there" + filledIn},
		{"another element", ops(":f :txn, :value [[:append 1 2]]", ":f :txn, :value [[:append 1 3]]"), "h:2: process 0 ends a transaction with [:append 1 3], and what it began in line 1 has [:append 1 2] there" + filledIn},
		{"another key of a transaction", ops(":f :txn, :value [[:r 1 nil]]", ":f :txn, :value [[:r 2 5]]"), "h:2: process 0 ends a transaction with [:r 2 5], and what it began in line 1 has [:r 1 nil] there" + filledIn},
		{"another operation of a transaction", ops(":f :txn, :value [[:w 1 5]]", ":f :txn, :value [[:r 1 5]]"), "h:2: process 0 ends a transaction with [:r 1 5], and what it began in line 1 has [:w 1 5] there" + filledIn},

		{"a key as a number and a text", ops(":f :write, :key 1, :value 1", ":f :write") + ops(`:f :read, :key "1"`, ":f :read, :value nil"), `h:2: key "1" is not told from key 1 of another operation` + oneWay},
		{"a tuple's key", ops(`:f :write, :value ["1" 1]`, ":f :write") + "\n" + ops(":f :read, :value [1 nil]", ":f :read, :value [1 1]"), `h:3: key 1 is not told from key "1" of another operation` + oneWay},
		{"the key of a tuple at the end", ops(":f :read, :value [1 nil]", `:f :read, :value ["1" 1]`), `h:2: the :read of 1, begun in line 1, ends as one of "1"`},
		{"the :key at the end", ops(":f :read, :key 1", `:f :read, :key "1", :value 1`), `h:2: process 0 ends an operation of :key "1", and what it began in line 1 is not of that`},
		{"a keyword and a text", ops(":f :txn, :value [[:r :x nil] [:w \":x\" 1]]", ":f :txn, :value []"), `h:1: key ":x" is not told from key :x of another operation` + oneWay},
		{"a number and a fraction", ops(":f :get, :key 1", ":f :get") + "\n" + ops(":f :get, :key 1.0", ":f :get"), `h:3: key 1.0 is not told from key 1 of another operation` + oneWay},
		{"nothing and an empty text", ops(":f :acquire, :value nil", ":f :acquire") + "\n" + ops(`:f :acquire, :value ""`, ":f :acquire"), `h:3: key "" is not told from key nil of another operation` + oneWay},
		{"keys of several parts", ops(":f :read, :key [1 2]", ":f :read") + "\n" + ops(`:f :read, :key ["1" 2]`, ":f :read"), `h:3: key ["1" 2] is not told from key [1 2] of another operation` + oneWay},
		{"an account", ops(":f :read", `:f :read, :value {1 10, "1" 10}`) + ops(":f :transfer", ":f :transfer"), `h:2: key 1 is not told from key "1" of another operation` + oneWay},
		{"a lock", ops(":f :txn, :value [[:r 1 nil]]", `:f :txn, :value [[:r 1 1]], :locks [["1" 2]]`), `h:1: key 1 is not told from key "1" of another operation`},
		{"what a key held", ops(`:f :txn, :value [[:r 1 nil]], :initial {"1" 1}`, ":f :txn, :value [[:r 1 1]]"), `h:1: key 1 is not told from key "1" of another operation` + oneWay},
		{"a key of JSON", `[{"process":0,"type":"invoke","f":"read","key":1},` + "\n" + `{"process":1,"type":"invoke","f":"read","key":"1"}]`, `h:2: key "1" is not told from key 1 of another operation` + oneWay},

		{"a field twice", "{:process 0, :type :invoke, :f :write,\n :value 1, :value 2}", "h:2: key :value stands twice in a map" + keepOne},
		{"an account twice", ops(":f :read", ":f :read, :value {1 10, 2 10,\n1 10}"), "h:3: key 1 stands twice in a map" + keepOne},
		{"an account twice in other words", ops(":f :read", `:f :read, :value {"a" 10, "\u0061" 10}`), `h:2: key "a" stands twice in a map` + keepOne},
		{"a key of several parts twice", ops(":f :read", ":f :read, :value {[1 {2 #{3 4}}] 10, [1 {2 #{4 3}}] 10}"), `h:2: key [1 {2 #{3 4}}] stands twice in a map` + keepOne},
		{"a field of JSON twice", `[{"process":0,"type":"invoke","f":"read",` + "\n" + `"f":"write"}]`, `h:2: key "f" stands twice in a map` + keepOne},
		{"an account of JSON twice", `[{"process":0,"type":"invoke","f":"read","value":{"1":1,"\u0031":1}}]`, `h:1: key "1" stands twice in a map` + keepOne},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := jepsen.Read(strings.NewReader(c.text), "h"); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestNoContradiction: what an end leaves out, what one says of an operation that was not
// done, and what is written in several ways and is the same, is accepted.
func TestNoContradiction(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{:process 0, :type :invoke, :f :write, :value 1} {:process 0, :type :ok, :f :write, :value nil}", "write  nil>1 ok"},
		{"{:process 0, :type :invoke, :f :write, :value [:x 1]} {:process 0, :type :ok, :f :write, :value [:x nil]}", "write :x nil>1 ok"},
		{"{:process 0, :type :invoke, :f :write, :value 1} {:process 0, :type :ok}", "write  nil>1 ok"},
		{"{:process 0, :type :invoke, :f :write, :value 1} {:process 0, :type :info, :f :write, :value :timeout}", "write  nil>1 unknown"},
		{"{:process 0, :type :invoke, :f :write, :value [:x 1]} {:process 0, :type :info, :f :write, :value [:y 2]}", "write :x nil>1 unknown"},
		{"{:process 0, :type :invoke, :f :write, :value 1} {:process 0, :type :fail, :f :write, :value 2}", "write  nil>1 failed"},
		{"{:process 0, :type :invoke, :f :cas, :value [1 2]} {:process 0, :type :fail, :f :cas, :value 7}", "cas  1>2 failed"},
		{"{:process 0, :type :invoke, :f :cas, :value [1 2]} {:process 0, :type :ok, :f :cas}", "cas  1>2 ok swapped"},
		{"INFO  jepsen.util - 0 :invoke :cas [1 2]\nINFO  jepsen.util - 0 :fail :cas :timed-out", "cas  1>2 failed"},
		{`{:process 0, :type :invoke, :f :get, :value ["k" nil]} {:process 0, :type :ok, :f :get, :value ["k" "a"]}`, "read k nil>a ok"},
		{"{:process 0, :type :invoke, :f :acquire, :value nil} {:process 0, :type :ok, :f :acquire, :value 17}", "acquire  nil>nil ok"},
		{"{:process 0, :type :invoke, :f :txn, :value [[:r 1] [:w 1 2]]} {:process 0, :type :ok, :f :txn, :value ((:r 1 7) (:w 1 2))}", "txn  nil>nil ok [r 1 7] [w 1 2]"},
		{"{:process 0, :type :invoke, :f :txn, :value [[:r 1 5]]} {:process 0, :type :ok, :f :txn, :value [[:r 1N 7]]}", "txn  nil>nil ok [r 1 7]"},
		{"{:process 0, :type :invoke, :f :txn, :value [[:append 1 2]]} {:process 0, :type :info, :f :txn, :value nil}", "txn  nil>nil unknown [append 1 2]"},
		{"{:process 0, :type :invoke, :f :txn, :value [[:append 1 2]]} {:process 0, :type :fail, :f :txn, :value [[:append 1 3]]}", "txn  nil>nil failed [append 1 2]"},
		{"{:process 0, :type :invoke, :f :txn, :value nil} {:process 0, :type :ok, :f :txn, :value [[:append 1 2] [:r 1 [2]]]}", "txn  nil>nil ok [append 1 2] [r 1 2]"},
		{`[{"process":0,"type":"invoke","f":"txn","value":[["r",1,null]],"initial":{"1":5}},{"process":0,"type":"ok","f":"txn","value":[["r",1,5]]}]`, "txn  nil>nil ok [r 1 5]"},
		{"{:process :nemesis, :type :info, :f :start, :value 1} {:process :nemesis, :type :info, :f :stop, :value 2} {:process 0, :type :invoke, :f :read, :key 1}", "read 1 nil>nil unknown"},
		{"{:process 0, :type :invoke, :f :read, #_ :value #_ 2 ; none\n :key #_x 1, :error #error{:via [{:type java.lang.Error, :at [a.b$c \\} \\newline 1.5M]}]}}", "read 1 nil>nil unknown"},
	} {
		h := readAll(t, c.text)
		if got := show(&h.Ops[0]); len(h.Ops) != 1 || got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

// native is a history of our own, with clients that go on after an operation
// of unknown outcome and instants that touch.
func native() *history.History {
	return &history.History{Ops: []history.Op{
		{ID: 0, Client: 0, Kind: history.Write, Invoke: 0, Return: 5, Outcome: history.Unknown, Key: "k", Value: p("1")},
		{ID: 1, Client: 0, Kind: history.Read, Invoke: 5, Return: 6, Outcome: history.OK, Key: "k", Value: p("a \"b\"")},
		{ID: 2, Client: 1, Kind: history.CAS, Invoke: 6, Return: 7, Outcome: history.OK, Key: "k", Expected: p("1"), Value: p("2"), Swapped: true},
		{ID: 3, Client: 1, Kind: history.Txn, Invoke: 7, Return: 9, Outcome: history.OK, Txn: &history.TxnRecord{StartTS: 4, CommitTS: 6, Ops: []history.TxnOp{
			{Kind: history.TxnRead, Key: "l", Value: p("1 2")},
			{Kind: history.TxnAppend, Key: "l", Value: p("3")},
			{Kind: history.TxnWrite, Key: "x", Value: p("007")},
			{Kind: history.TxnDelete, Key: "y"},
			{Kind: history.TxnLock, Key: "z"},
			{Kind: history.TxnScan, Pairs: []history.Pair{{Key: "x", Value: "7"}}},
		}}},
		{ID: 4, Client: 0, Kind: history.Write, Invoke: 8, Return: 9, Outcome: history.Failed, Key: "k", Value: p("3"), Error: "no leader"},
	}}
}

// TestExport pins the output, and that it can be read back.
func TestExport(t *testing.T) {
	var b bytes.Buffer
	if err := jepsen.WriteEDN(&b, native()); err != nil {
		t.Fatal(err)
	}
	const want = `{:index 0, :time 0, :process 0, :type :invoke, :f :write, :value ["k" 1]}
{:index 1, :time 5, :process 0, :type :info, :f :write, :value ["k" 1]}
{:index 2, :time 5, :process 2, :type :invoke, :f :read, :value ["k" nil]}
{:index 3, :time 6, :process 1, :type :invoke, :f :cas, :value ["k" [1 2]]}
{:index 4, :time 6, :process 2, :type :ok, :f :read, :value ["k" "a \"b\""]}
{:index 5, :time 7, :process 1, :type :ok, :f :cas, :value ["k" [1 2]]}
{:index 6, :time 7, :process 1, :type :invoke, :f :txn, :value [[:r "l" nil] [:append "l" 3] [:w "x" "007"] [:w "y" nil] [:r "x" nil]]}
{:index 7, :time 8, :process 2, :type :invoke, :f :write, :value ["k" 3]}
{:index 8, :time 9, :process 1, :type :ok, :f :txn, :value [[:r "l" [1 2]] [:append "l" 3] [:w "x" "007"] [:w "y" nil] [:r "x" 7]], :start-ts 4, :commit-ts 6, :locks [["z" nil]]}
{:index 9, :time 9, :process 2, :type :fail, :f :write, :value ["k" 3], :error "no leader"}
`
	if b.String() != want {
		t.Fatalf("got\n%s", b.String())
	}
	h := readAll(t, b.String())
	var got []string
	for i := range h.Ops {
		got = append(got, show(&h.Ops[i]))
	}
	wantOps := `write k nil>1 unknown
read k nil>a "b" ok
cas k 1>2 ok swapped
txn  nil>nil ok [lock z nil] [r l 1 2] [append l 3] [w x 007] [d y nil] [r x 7]
write k nil>3 failed`
	if strings.Join(got, "\n") != wantOps {
		t.Errorf("read back:\n%s", strings.Join(got, "\n"))
	}
	if h.Ops[3].Txn.StartTS != 4 || h.Ops[3].Txn.CommitTS != 6 {
		t.Errorf("timestamps: %+v", h.Ops[3].Txn)
	}
}

// TestExportTimestamps: whatever way a transaction came by its timestamps, or had
// none, is in the output, and comes back from it.
func TestExportTimestamps(t *testing.T) {
	read := []history.TxnOp{{Kind: history.TxnRead, Key: "x", Value: p("7")}}
	h := &history.History{}
	for i, txn := range []*history.TxnRecord{
		{StartTS: 2, CommitTS: 3, Calculated: true, Ops: []history.TxnOp{{Kind: history.TxnWrite, Key: "x", Value: p("7")}}},
		{Newest: true, Ops: read},
		{StartTS: 2, AsOf: true, Ops: read},
	} {
		at := int64(2 * i)
		h.Ops = append(h.Ops, history.Op{ID: i, Kind: history.Txn, Invoke: at, Return: at + 1, Outcome: history.OK, Txn: txn})
	}
	var b bytes.Buffer
	if err := jepsen.WriteEDN(&b, h); err != nil {
		t.Fatal(err)
	}
	const want = `{:index 0, :time 0, :process 0, :type :invoke, :f :txn, :value [[:w "x" 7]]}
{:index 1, :time 1, :process 0, :type :ok, :f :txn, :value [[:w "x" 7]], :start-ts 2, :commit-ts 3, :calculated true}
{:index 2, :time 2, :process 0, :type :invoke, :f :txn, :value [[:r "x" nil]]}
{:index 3, :time 3, :process 0, :type :ok, :f :txn, :value [[:r "x" 7]], :newest true}
{:index 4, :time 4, :process 0, :type :invoke, :f :txn, :value [[:r "x" nil]]}
{:index 5, :time 5, :process 0, :type :ok, :f :txn, :value [[:r "x" 7]], :start-ts 2, :as-of true}
`
	if b.String() != want {
		t.Fatalf("got\n%s", b.String())
	}
	got := readAll(t, b.String())
	for i := range h.Ops {
		if !reflect.DeepEqual(got.Ops[i].Txn, h.Ops[i].Txn) {
			t.Errorf("came back as %+v", got.Ops[i].Txn)
		}
	}
	const both = `{:process 0, :type :invoke, :f :txn, :value [[:r "x" nil]]} {:process 0, :type :ok, :f :txn, :value [[:r "x" 7]], :start-ts 2, :newest true}`
	if _, err := jepsen.Read(strings.NewReader(both), "h"); err == nil || !strings.Contains(err.Error(), "reads what is newest, and has a start timestamp") {
		t.Errorf("a read of what is newest with a start timestamp: %v", err)
	}
}

// TestNative: our own format is recognised.
func TestNative(t *testing.T) {
	var b bytes.Buffer
	if err := history.Encode(&b, native()); err != nil {
		t.Fatal(err)
	}
	if h := readAll(t, b.String()); len(h.Ops) != 5 || h.Foreign {
		t.Errorf("%+v", h)
	}
}

// TestMark: a byte order mark before a history of any form is skipped.
func TestMark(t *testing.T) {
	for _, text := range []string{
		`{:process 0, :type :invoke, :f :read}`, `[{:process 0, :type :invoke, :f :read}]`, `[{"process":0,"type":"invoke","f":"read"}]`,
		"INFO  jepsen.util - 0 :invoke :read nil\n",
		`{"format":"simrun-history","version":1}` + "\n" + `{"id":0,"client":0,"kind":"read","invoke":0,"return":1,"outcome":"unknown"}` + "\n" + history.EndLine(1) + "\n",
	} {
		if h := readAll(t, "\uFEFF"+text); len(h.Ops) != 1 || h.Ops[0].Kind != history.Read {
			t.Errorf("%s: %+v", text, h)
		}
	}
}

// FuzzRead: no input makes a parser fail other than by an error, and what is
// accepted is a valid history.
func FuzzRead(f *testing.F) {
	f.Add(`[{:process 0, :type :invoke, :f :write, :value 3} {:process 0, :type :ok, :f :write, :value 3}]`)
	f.Add(`{:process 0, :type :invoke, :f :txn, :value [[:r 8 nil] [:append 8 1]]}`)
	f.Add(`[{"type":"invoke","f":"read","process":0}, {"type":"ok","f":"read","process":0,"value":{"0":100}}]`)
	f.Add(`{:process 0, :type :invoke, :f :txn, :value [[:r 8 nil]]} {:process 0, :type :ok, :f :txn, :value [[:r 8 1]], :start-ts 2, ` +
		`:read-committed true, :statements [[5 1]], :op-ts [5], :locks [[8 5]]}`)
	f.Add(`#jepsen.history.Op{:process 0, :type :invoke, #_ :x :f :read, :key [1 #{2.5 \a}], :value {"\u0061" 1N, :b #inst "2020-01-01T00:00:00Z"}}`)
	f.Add(`{:process 0, :type :invoke, :f :write, :value [0 [nil 1/3]]} {:process 0, :type :ok, :f :write, :value [0 [##NaN 1/3]]}`)
	f.Add("INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := jepsen.Read(strings.NewReader(text), "h")
		if err != nil {
			return
		}
		if err := history.Validate(h); err != nil {
			t.Fatal(err)
		}
		_ = jepsen.WriteEDN(&bytes.Buffer{}, h)
	})
}
