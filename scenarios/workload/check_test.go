package workload

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"simrun/sim/plan"
)

// What a plan says wrongly of its workload is told with the field and what to
// write.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		api    plan.API
		params map[string]int
		want   string // "" is no error
	}{
		{"bank", plan.Txn, nil, ""},
		{"bank", plan.Txn, map[string]int{"balance": 0, "read": 1000}, ""},
		{"register", plan.Raw, map[string]int{"cas": 800, "write": 100}, ""},
		{"register", plan.Raft, map[string]int{"cas": 650}, ""},
		{"bonk", plan.Txn, nil, `workload.name is "bonk"; known are append, bank, long-fork, predicate, register, sql, table, timestamps, write-skew`},
		{"", plan.Txn, nil, `workload.name is ""; known are`},
		{"bank", plan.Raw, nil, "cluster.api is 'raw', which does not serve the workload bank: write 'txn'"},
		{"bank", plan.Raft, nil, "cluster.api is 'raft', which does not serve the workload bank: write 'txn'"},
		{"register", plan.Raft, map[string]int{"batch": 5}, "workload.params.batch is 5, but the api raft knows single keys only: write 0"},
		{"register", plan.Txn, nil, "cluster.api is 'txn', which does not serve the workload register: write 'raw' or 'raft'"},
		{"bank", plan.Txn, map[string]int{"reads": 1}, "workload.params.reads is no parameter of the workload bank: it has balance, newest, noted, past, read, singly, turnover"},
		{"write-skew", plan.Txn, map[string]int{"read": 1}, "workload.params.read is no parameter of the workload write-skew: it has locked"},
		{"bank", plan.Txn, map[string]int{"read": 1001}, "workload.params.read is 1001: write 0 to 1000"},
		{"append", plan.Txn, map[string]int{"keys-per-txn": 0}, "workload.params.keys-per-txn is 0: write 1 to 1000"},
		{"register", plan.Raw, map[string]int{"write": 900}, "workload.params has shares (batch = 0, cas = 250, scan = 0, write = 900) of 1150 per mille in all: write at most 1000"},
	} {
		err := Check(&plan.Workload{Name: c.name, Params: c.params}, c.api)
		var wrong *plan.Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s %v: %v", c.name, c.params, err)
		case c.want != "" && (!errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%s %v: got %v, want %s", c.name, c.params, err, c.want)
		}
	}
}

// Every workload can be made, and its parameters are in their own ranges.
func TestKinds(t *testing.T) {
	if !slices.IsSorted(Names()) {
		t.Errorf("%v are not sorted, and looked up as if they were", Names())
	}
	for _, k := range kinds() {
		params := map[string]int{}
		for _, p := range k.params {
			params[p.name] = p.byDefault
		}
		text := ""
		if k.scripted {
			text = smallScript
		}
		if err := Check(&plan.Workload{Name: k.name, Params: params, SQL: text}, k.apis[0]); err != nil {
			t.Error(err)
		}
		if w, err := New(k.name, Config{Keys: 2, SQL: text}); err != nil || w == nil {
			t.Errorf("%s: %v", k.name, err)
		}
	}
	if _, err := New("bonk", Config{Keys: 2}); err == nil || !strings.Contains(err.Error(), "known are append, bank") {
		t.Errorf("got %v", err)
	}
	if _, err := New("bank", Config{}); err == nil {
		t.Error("a bank without accounts")
	}
}
