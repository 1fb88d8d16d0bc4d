package jepsen_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"simrun/sim/history"
	"simrun/sim/history/jepsen"
)

// TestExportState: what the header says of the database as a whole is on the first
// line, and comes back.
func TestExportState(t *testing.T) {
	ops := []history.Op{{Kind: history.Read, Key: "b", Invoke: 1, Return: 2, Outcome: history.OK, Value: p("40")}}
	for _, c := range []struct {
		header history.Header
		want   string
	}{
		{history.Header{}, ""},
		{history.Header{Initial: map[string]string{"b": "40", "7": "", "a": "1 2"}}, `, :initial {7 "", "a" "1 2", "b" 40}`},
		{history.Header{Initial: map[string]string{"b": "40"}, InitialUnknown: true, Consistency: history.Serializable}, `, :initial {"b" 40}, :initial-unknown true, :consistency :serializable`},
		{history.Header{InitialUnknown: true, Consistency: history.StrictSerializable}, `, :initial-unknown true, :consistency :strict-serializable`},
	} {
		var b bytes.Buffer
		if err := jepsen.WriteEDN(&b, &history.History{Header: c.header, Ops: ops}); err != nil {
			t.Fatal(err)
		}
		first, rest, _ := strings.Cut(b.String(), "\n")
		if want := `{:index 0, :time 1, :process 0, :type :invoke, :f :read, :value ["b" nil]` + c.want + "}"; first != want || strings.Contains(rest, ":initial") {
			t.Errorf("got\n%s", b.String())
		}
		c.header.Foreign = true
		if got := readAll(t, b.String()); !reflect.DeepEqual(got.Header, c.header) {
			t.Errorf("%+v came back as %+v", c.header, got.Header)
		}
	}
}

// TestMalformedState: what says nothing of the state is told with its line.
func TestMalformedState(t *testing.T) {
	for _, c := range []struct{ field, want string }{
		{`:initial [1]`, "h:1: :initial is a map of keys"},
		{`:initial {"a" nil}`, "h:1: :initial has no nil"},
		{`:initial {nil 1}`, "h:1: :initial has no nil"},
		{`:consistency :linearizable`, `h:1: :consistency "linearizable" is neither`},
	} {
		text := `{:process 0, :type :invoke, :f :read, :value nil, ` + c.field + "}"
		if _, err := jepsen.Read(strings.NewReader(text), "h"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.field, err, c.want)
		}
	}
}
