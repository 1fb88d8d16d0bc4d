package scenarios

import (
	"strings"
	"testing"

	"simrun/sim/plan"
)

// Every embedded scenario parses, is what its file is called, and gives valid
// plans that differ from seed to seed and print and parse back to themselves.
func TestEmbeddedScenarios(t *testing.T) {
	for _, name := range Names() {
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != name || s.About == "" {
			t.Errorf("%s.toml is named %q, about %q", name, s.Name, s.About)
		}
		seen := map[string]bool{}
		for seed := range uint64(50) {
			p := s.Plan(seed)
			if err := p.Validate(); err != nil {
				t.Fatalf("%s, seed %d: %v", name, seed, err)
			}
			text := p.String()
			if text != s.Plan(seed).String() {
				t.Fatalf("%s, seed %d: two plans", name, seed)
			}
			back, err := plan.Parse("plan.toml", text)
			if err != nil || back.String() != text {
				t.Fatalf("%s, seed %d: the plan does not parse back: %v", name, seed, err)
			}
			seen[text] = true
		}
		if len(seen) != 50 {
			t.Errorf("%s: 50 seeds gave %d plans", name, len(seen))
		}
	}
}

// A change in one part of a scenario does not change what a seed means in
// another.
func TestChoicesAreIndependent(t *testing.T) {
	s, err := Find("bank")
	if err != nil {
		t.Fatal(err)
	}
	before := s.Plan(7)
	s.Workload.Clients = Range{5, 5}
	s.Knobs.Order = nil
	after := s.Plan(7)
	if before.Cluster.Stores != after.Cluster.Stores || before.Workload.Rate != after.Workload.Rate ||
		before.Phases.Storm != after.Phases.Storm || before.Knobs.LockTTL != after.Knobs.LockTTL {
		t.Errorf("before:\n%v\nafter:\n%v", before, after)
	}
}

// Keys beyond the width of their names are divided in their own order, not in that of their
// numbers, in scenarios of prefixes as of tables.
func TestManyKeysAreDivided(t *testing.T) {
	for _, name := range []string{"bank", "register", "table", "shop"} {
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		s.Workload.Keys, s.Cluster.Regions = Range{50_000, 50_000}, Range{5, 7}
		for seed := range uint64(2) {
			p := s.Plan(seed)
			if err := p.Validate(); err != nil || len(p.Cluster.SplitKeys) < 4 {
				t.Errorf("%s, seed %d: %v, split at %q", name, seed, err, p.Cluster.SplitKeys)
			}
		}
	}
}

// A mistake in a scenario file gives one error that names file and place and
// says what to do.
func TestMalformedScenarios(t *testing.T) {
	good, err := files.ReadFile("bank.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, replacement, want string }{
		{`api      = "txn"`, `apy = "txn"`, `x.toml:5:1: cluster.apy is no field of a scenario: in [cluster] there are api, stores, replicas, regions, placement, joining`},
		{`name  = "bank"`, `nome = "bank"`, `x.toml:1:1: nome is no field of a scenario: at the top there are name, about, cluster, workload, storm, knobs, scheduling, faults`},
		{`for-max     = "2s"`, `for-mix = "2s"`, `x.toml:58:1: faults.for-mix is no field of a scenario: in [faults] there are kinds, kind-chance, period-min, `},
		{`for-max     = "2s"`, `length = "1h"`, `x.toml:58:1: faults.length is no field of a scenario: in [faults] there are kinds, kind-chance, `},
		{`max = "20s"`, `max = "25h"`, `x.toml:20:1: storm.max is 25h: write 1ms to 24h`},
		{`name    = "bank"`, `name = "bonk"`, `x.toml:11:1: workload.name is "bonk"; known are append, bank`},
		{`name    = "bank"`, `name = `, `x.toml:11:`},
		{`stores   = [3, 3, 5]`, `stores = []`, `x.toml:6:1: cluster.stores must list`},
		{`replicas = [3, 3, 5]`, `replicas = [5]`, `x.toml:7:1: cluster.replicas must list`},
		{`min = "6s"`, `min = "29s"`, `x.toml:19:1: storm.min must be positive and not above storm.max`},
		{`min = "6s"`, `min = "never"`, `x.toml:19:7: storm.min: invalid duration "never": write a number and a unit`},
		{`clients = { min = 3, max = 8 }`, `clients = { min = 0, max = 8 }`, `x.toml:13:1: workload.clients: min is 0 and max is 8`},
		{`"partition"`, `"partytion"`, `x.toml:53:3: faults.kinds`},
		{`stores   = [3, 3, 5]`, `stores = [3, 12]`, `x.toml:6:14: cluster.stores[1] is 12: write 1 to 9`},
		{`replicas = [3, 3, 5]`, `replicas = [3, 2]`, `x.toml:7:16: cluster.replicas[1] is 2: write 1, 3, 5 or 7`},
		{`replicas = [3, 3, 5]`, `replicas = [3, 4]`, `x.toml:7:16: cluster.replicas[1] is 4: write 1, 3, 5 or 7`},
		{`replicas = [3, 3, 5]`, `replicas = [3]
placement = [3, 4]`, `x.toml:8:17: cluster.placement[1] is 4: write 1, 3 or 5`},
		{`replicas = [3, 3, 5]`, `replicas = [3]
joining = [-1]`, `x.toml:8:12: cluster.joining[0] is -1, but of `},
		{`clients = { min = 3, max = 8 }`, `clients = { min = 3, max = 1001 }`, `x.toml:13:22: workload.clients.max is 1001: write 1 to 1000`},
		{`rate    = { min = 40, max = 120 }`, `rate = { min = 2000000, max = 2000000 }`, `x.toml:14:10: workload.rate.min is 2000000: write 1 to 1000000`},
		{`keys    = { min = 6, max = 24 }`, `keys = { min = 1, max = 4000000000000000000 }`, `x.toml:15:19: workload.keys.max is 4000000000000000000: write 1 to 1000000`},
		{`regions  = { min = 2, max = 8 }`, `regions = { min = 2, max = 25 }`, `x.toml:8:22: cluster.regions.max is 25, but regions begin at keys of the workload, of which there are at most 24: write 1 to 24, or more for workload.keys.max`},
		{`regions  = { min = 2, max = 8 }`, `regions = { min = 25, max = 1000000000 }`, `x.toml:8:13: cluster.regions.min is 25, but`},
		{`["500ms", "1s", "3s"]`, `["500ms", "0s"]`, `x.toml:33:35: knobs.lock-ttl[1] is 0s: write '1ns' to `},
		{`["500ms", "1s", "3s"]`, `["500ms"]
store-heartbeat = ["1s", "-1s"]`, `x.toml:34:26: knobs.store-heartbeat[1] is -1s: write '1ns' to `},
		{`min = "6s"`, `min = 5`, `x.toml:19:1: storm.min has a value of another type: write a duration in quotes, such as '1.5s'`},
		{`max = "20s"`, `max = 20.5`, `x.toml:20:1: storm.max has a value of another type`},
		{`["500ms", "1s", "3s"]`, `["500ms", 1]`, `x.toml:33:35: knobs.lock-ttl[1] has a value of another type`},
		{`for-max     = "2s"`, `for-max = 2`, `x.toml:58:1: faults.for-max has a value of another type`},
		{`params  = { newest = 30`, `params = { reed = 1`, `x.toml:16:12: workload.params.reed is no parameter of the workload bank: it has balance, newest, noted, past, read, singly, turnover`},
		{`api      = "txn"`, `api = "raw"`, `x.toml:5:1: cluster.api is 'raw', which does not serve the workload bank`},
		{`"partition"`, `"join"`, `x.toml:53:3: faults.kinds[0] is join, which no seed can draw: list in cluster.joining how many stores join`},
		{`"partition"`, `"wipe"`, `x.toml:53:3: faults.kinds[0] is wipe, which takes a store away, and nobody would replace what it held: set scheduling.interval`},
		{`bursts      = 300`, `aimed = 300`, `x.toml:59:1: faults.aimed stands there without steps: name the requests`},
		{`kind-chance = 400`, `kind-chance = 4000`, `x.toml:56:1: faults.kind-chance is 4000: write 1 to 1000`},
		{`bursts      = 300`, `steps = ["KvWrite"]`, `x.toml:59:10: faults.steps[0] is KvWrite, which is no kind of message: write the name of a request, such as KvPrewrite`},
	} {
		text := strings.Replace(string(good), c.old, c.replacement, 1)
		if text == string(good) {
			t.Fatalf("%q is not in the file", c.old)
		}
		_, err := Parse("x.toml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want %q...", c.replacement, err, c.want)
		}
	}
}

// The workload table with side tables has more places for regions than keys, and a group of the
// api raft is one region whatever the scenario says.
func TestRegionsWithinBounds(t *testing.T) {
	for _, c := range []struct {
		name    string
		regions Range
		want    string
	}{
		{"table", Range{2, 30}, "cluster.regions.max is 30, but regions begin at keys of the workload, of which there are at most 24: "},
		{"table with side tables", Range{2, 30}, ""},
		{"table with side tables", Range{40, 50}, "cluster.regions.min is 40, but "},
		{"raft", Range{30, 30}, ""},
		{"bank", Range{24, 24}, ""}, // of which a seed has that many keys
	} {
		name, _, side := strings.Cut(c.name, " with ")
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		s.Cluster.Regions = c.regions
		s.Workload.Params = map[string]int{}
		if side {
			s.Workload.Params["side"] = 100
		}
		if err = s.checkValues(); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s, regions %v: %v", c.name, c.regions, err)
		}
	}
}

// The mark with which some editors begin a text is no part of a scenario, nor does it move what
// is wrong.
func TestMarkIsSkipped(t *testing.T) {
	text, err := files.ReadFile("bank.toml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse("x.toml", []byte("\ufeff"+string(text)))
	if err != nil || s.Name != "bank" {
		t.Error(err)
	}
	if _, err = Parse("x.toml", []byte("\ufeffnome = 1")); err == nil || !strings.HasPrefix(err.Error(), "x.toml:1:1: nome") {
		t.Error(err)
	}
}

// A kind of fault that no plan of the lists has a target for is told when the file is read.
func TestKindsWithoutTarget(t *testing.T) {
	good, err := files.ReadFile("bank.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ stores, kind, want string }{
		{"[3]", "add-peer", "which no seed can draw: list more stores than replicas"},
		{"[3]", "wipe", "which no seed can draw: list more stores than replicas, and more than one replica"},
		{"[3, 5]", "add-peer", ""},
		{"[3]", "clog", ""},
	} {
		text := strings.Replace(string(good), "stores   = [3, 3, 5]", "stores = "+c.stores, 1)
		text = strings.Replace(text, `"partition"`, `"`+c.kind+`"`, 1)
		_, err := Parse("x.toml", []byte(text))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want)) {
			t.Errorf("%s, stores %s: %v", c.kind, c.stores, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := files.ReadFile(name + ".toml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = Parse("x.toml", text)
	})
}
