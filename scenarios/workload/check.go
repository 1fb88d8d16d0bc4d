package workload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"simrun/sim/plan"
)

// kind is what is known of a workload before it runs.
type kind struct {
	name   string
	apis   []plan.API // which serve it
	params []param
	// shares are parameters that divide a thousand operations.
	shares []string
	build  func(Config) Workload
	// places returns keys all over its data, in their order, for regions and faults.
	// Without it they are a prefix of the scenario's and a number.
	places func(*plan.Workload) []string
	// scripted workloads are written as SQL text.
	scripted bool
	// tables: its data are rows of tables.
	tables bool
}

// param is a parameter and its range.
type param struct {
	name                string
	byDefault, min, max int
}

// kinds returns all workloads, sorted by name. Each one's type says what its
// parameters mean.
func kinds() []kind {
	return []kind{
		{
			name: "append", apis: []plan.API{plan.Txn}, build: func(c Config) Workload { return newAppend(c) },
			params: []param{{"keys-per-txn", 4, 1, 1000}, {"large", 0, 0, 1000}, {"large-keys", 400, 1, 10_000}, {"length", 120, 1, 10_000}, {"linger", 0, 0, 60_000}, {"locked", 0, 0, 1}, {"newest", 0, 0, 1000}, {"past", 0, 0, 1000}, {"read", 500, 0, 1000}, {"scan", 50, 0, 1000}},
			shares: []string{"newest", "past"},
		},
		{
			name: "bank", apis: []plan.API{plan.Txn}, build: func(c Config) Workload { return newBank(c) },
			params: []param{{"balance", 100, 0, 1_000_000_000}, {"newest", 0, 0, 1000}, {"noted", 200, 0, 1000}, {"past", 0, 0, 1000}, {"read", 250, 0, 1000}, {"singly", 200, 0, 1000}, {"turnover", 150, 0, 1000}},
			shares: []string{"newest", "past"},
		},
		{
			name: "long-fork", apis: []plan.API{plan.Txn}, build: func(c Config) Workload { return newLongFork(c) },
			params: []param{{"groups", 2, 1, 100}, {"read", 550, 0, 999}},
		},
		{
			name: "predicate", apis: []plan.API{plan.Txn}, build: func(c Config) Workload { return newPredicate(c) },
			params: []param{{"claim", 250, 0, 1000}, {"linger", 20, 0, 60_000}, {"read", 350, 0, 1000}},
		},
		{
			name: "register", apis: []plan.API{plan.Raw, plan.Raft}, build: func(c Config) Workload { return newRegister(c) },
			params: []param{{"batch", 0, 0, 1000}, {"cas", 250, 0, 1000}, {"delete", 50, 0, 1000}, {"hot", 0, 0, 1000}, {"scan", 0, 0, 1000}, {"value-bytes", 0, 0, 65_536}, {"write", 350, 0, 1000}},
			shares: []string{"batch", "cas", "scan", "write"},
		},
		{
			name: "sql", apis: []plan.API{plan.Txn}, build: func(c Config) Workload { return newSQL(c) },
			params: []param{{"check", 50, 0, 1000}},
			places: sqlPlaces, scripted: true, tables: true,
		},
		{
			name: "table", apis: []plan.API{plan.Txn}, build: func(c Config) Workload { return newTables(c) },
			params: []param{{"ddl", 40, 0, 1000}, {"read", 300, 0, 1000}, {"side", 0, 0, 1000}},
			places: tablePlaces, tables: true,
		},
		{
			name: "timestamps", apis: []plan.API{plan.Raw, plan.Txn}, build: func(c Config) Workload { return newTimestamps(c) },
			params: []param{{"burst", 8, 1, 1000}},
		},
		{
			name: "write-skew", apis: []plan.API{plan.Txn}, build: func(c Config) Workload { return newWriteSkew(c) },
			params: []param{{"locked", 500, 0, 1000}},
		},
	}
}

// OwnKeys says whether a workload has keys of its own.
func OwnKeys(name string) bool {
	k := find(name)
	return k != nil && k.places != nil
}

// HasTables says whether a workload has tables, which may be dropped.
func HasTables(name string) bool {
	k := find(name)
	return k != nil && k.tables
}

// Places returns keys all over the data of a workload that has keys of its own,
// in their order, as a plan writes them.
func Places(w *plan.Workload) (keys []string, own bool) {
	if !OwnKeys(w.Name) {
		return nil, false
	}
	return find(w.Name).places(w), true
}

// Names returns the names of all workloads, sorted.
func Names() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Check reports what is wrong with what a plan says of its workload and the API
// that is to serve it. The error is a *plan.Error.
func Check(w *plan.Workload, api plan.API) error {
	name, params := w.Name, w.Params
	k := find(name)
	if k == nil {
		return plan.Errorf("workload.name", "is %q; known are %s", name, strings.Join(Names(), ", "))
	}
	if !slices.Contains(k.apis, api) {
		return plan.Errorf("cluster.api", "is '%s', which does not serve the workload %s: write %s", api, name, quotedList(k.apis))
	}
	for _, given := range slices.Sorted(maps.Keys(params)) {
		i := slices.IndexFunc(k.params, func(p param) bool { return p.name == given })
		if i < 0 {
			return plan.Errorf("workload.params."+given, "is no parameter of the workload %s: %s", name, k.known())
		}
		if p, v := k.params[i], params[given]; v < p.min || v > p.max {
			return plan.Errorf("workload.params."+given, "is %d: write %d to %d", v, p.min, p.max)
		} else if v > 0 && api == plan.Raft && (given == "batch" || given == "scan") {
			return plan.Errorf("workload.params."+given, "is %d, but the api raft knows single keys only: write 0", v)
		}
	}
	if err := k.checkScript(w); err != nil {
		return err
	}
	sum := 0
	for _, share := range k.shares {
		sum += k.param(params, share)
	}
	if sum > 1000 {
		return plan.Errorf("workload.params", "has shares (%s) of %d per mille in all: write at most 1000", k.shown(params), sum)
	}
	return nil
}

// checkScript checks the SQL text of a workload, which it has or has not.
func (k *kind) checkScript(w *plan.Workload) error {
	switch {
	case !k.scripted && w.SQL != "":
		return plan.Errorf("workload.sql", "stands there, but the workload %s has none: leave it out", k.name)
	case !k.scripted:
		return nil
	}
	s, err := parseScript(w.SQL)
	if err == nil {
		err = s.rehearse()
	}
	if err != nil {
		return plan.Errorf("workload.sql", ": %v", err)
	}
	return nil
}

// New returns the workload of that name. What Check says of it must be nothing.
func New(name string, cfg Config) (Workload, error) {
	k := find(name)
	switch {
	case k == nil:
		return nil, fmt.Errorf("unknown workload %q; known are %s", name, strings.Join(Names(), ", "))
	case cfg.Keys < 1:
		return nil, fmt.Errorf("workload %s: keys is %d, but must be at least 1", name, cfg.Keys)
	}
	cfg.kind = k
	return k.build(cfg), nil
}

// find returns the workload of that name, nil if there is none.
func find(name string) *kind {
	all := kinds()
	i, ok := slices.BinarySearchFunc(all, name, func(k kind, name string) int { return cmp.Compare(k.name, name) })
	if !ok {
		return nil
	}
	return &all[i]
}

// param returns a parameter, or what it is by default.
func (k *kind) param(params map[string]int, name string) int {
	if v, ok := params[name]; ok {
		return v
	}
	i := slices.IndexFunc(k.params, func(p param) bool { return p.name == name })
	return k.params[i].byDefault
}

// param returns a parameter of the workload that is configured.
func (c *Config) param(name string) int { return c.kind.param(c.Params, name) }

// known lists the parameters.
func (k *kind) known() string {
	var names []string
	for _, p := range k.params {
		names = append(names, p.name)
	}
	if len(names) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(names, ", ")
}

// shown lists the shares as they are, given or by default.
func (k *kind) shown(params map[string]int) string {
	var words []string
	for _, share := range k.shares {
		words = append(words, fmt.Sprintf("%s = %d", share, k.param(params, share)))
	}
	return strings.Join(words, ", ")
}

func quotedList(apis []plan.API) string {
	var words []string
	for _, a := range apis {
		words = append(words, "'"+string(a)+"'")
	}
	return strings.Join(words, " or ")
}
