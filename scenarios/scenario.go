// Package scenarios holds the named scenarios: generators that turn a seed into
// a plan. A scenario is a file: what it leaves open - how many stores, regions,
// clients, which faults, how often - the seed decides, each choice from a
// stream of its own name, so that a change in one place of a scenario does not
// change what a seed means in all others.
//
//	s, err := scenarios.Find("bank")
//	p := s.Plan(7)
package scenarios

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"simrun/faults"
	"simrun/nodes/rpc"
	"simrun/scenarios/workload"
	"simrun/sim/bom"
	"simrun/sim/plan"
)

//go:embed *.toml
var files embed.FS

// Scenario is one scenario file. A Range in it is drawn for each seed.
type Scenario struct {
	// Name is its name on the command line, About one sentence for people.
	Name  string `toml:"name"`
	About string `toml:"about"`

	Cluster  Cluster  `toml:"cluster"`
	Workload Workload `toml:"workload"`
	Storm    Span     `toml:"storm"` // length of the storm
	Knobs    Knobs    `toml:"knobs"`
	// Scheduling is what becomes of regions by themselves; without it, nothing.
	Scheduling Scheduling         `toml:"scheduling"`
	Faults     faults.StormConfig `toml:"faults"`

	fixed [][2]string // knobs of a plan that are not drawn: names and values
}

// Cluster is the shape of the cluster.
type Cluster struct {
	// API is what the clients talk to the cluster in: raw, txn or raft.
	API      plan.API `toml:"api"`
	Stores   []int    `toml:"stores"`   // how many: one of these
	Replicas []int    `toml:"replicas"` // one of these that does not exceed the number of stores
	// Regions is how many there are at the start: at most as many as the workload has keys, also
	// if a seed draws fewer keys.
	Regions Range `toml:"regions"`
	// Placement is the number of placement members: one of these; default 3.
	Placement []int `toml:"placement"`
	// Joining is how many of the stores join later: one of these, but at most as many as
	// leave enough stores for the replicas; default none.
	Joining []int `toml:"joining"`
}

// Workload is what the clients do.
type Workload struct {
	// Name is the name of a workload. Prefix is the prefix of its keys; a workload with keys
	// of its own has none.
	Name   string `toml:"name"`
	Prefix string `toml:"prefix"`

	Clients Range          `toml:"clients"` // how many there are
	Rate    Range          `toml:"rate"`    // operations per virtual second, all clients together
	Keys    Range          `toml:"keys"`    // how many keys, accounts or lists there are
	Params  map[string]int `toml:"params"`  // the workload's own parameters
	SQL     string         `toml:"sql"`     // the script of the workload sql
}

// Knobs are the parts of the configuration that a seed varies. An empty list
// leaves the default.
type Knobs struct {
	Order              []plan.Order      `toml:"order"`
	MaxUncommitted     []int             `toml:"max-uncommitted-bytes"`
	MaxInflightMsgs    []int             `toml:"max-inflight-msgs"`
	MaxSizePerMsg      []int             `toml:"max-size-per-msg"`
	Hibernate          []plan.Duration   `toml:"hibernate"`
	RaftLogGCThreshold []int             `toml:"raft-log-gc-threshold"`
	LeaderLease        []bool            `toml:"leader-lease"`
	ReplicaRead        []int             `toml:"replica-read"`
	RaftLogGCLimit     []int             `toml:"raft-log-gc-limit"`
	SnapshotChunkBytes []int             `toml:"snapshot-chunk-bytes"`
	SnapshotRate       []int             `toml:"snapshot-rate"`
	SnapshotsMax       []int             `toml:"snapshots-max"`
	MemtableBytes      []int             `toml:"memtable-bytes"`
	L0SlowdownFiles    []int             `toml:"l0-slowdown-files"` // writes stop at 8 more
	PendingBytes       []int             `toml:"pending-compaction-bytes"`
	BackgroundRate     []int             `toml:"background-rate"`
	LockTTL            []plan.Duration   `toml:"lock-ttl"`
	RequestTimeout     []plan.Duration   `toml:"request-timeout"`
	OperationTimeout   []plan.Duration   `toml:"operation-timeout"`
	ScanPage           []int             `toml:"scan-page"`
	BatchBytes         []int             `toml:"batch-bytes"`
	CommitMode         []plan.CommitMode `toml:"commit-mode"`
	AsyncKeys          []int             `toml:"async-keys"`
	AsyncBytes         []int             `toml:"async-bytes"`
	CommitWindow       []plan.Duration   `toml:"commit-window"`
	SchemaLease        []plan.Duration   `toml:"schema-lease"`
	Pessimistic        []int             `toml:"pessimistic"`
	ReadCommitted      []int             `toml:"read-committed"`
	PrimaryFirst       []bool            `toml:"primary-first"`
	ResolveByCleanup   []bool            `toml:"resolve-by-cleanup"`
	PendingWrites      []int             `toml:"pending-writes"`
	SyncMax            []plan.Duration   `toml:"sync-max"`
	Loss               []int             `toml:"loss"`
	Duplicate          []int             `toml:"duplicate"`
	Reorder            []int             `toml:"reorder"`
	Detour             []plan.Duration   `toml:"detour"`
	TSOWindow          []plan.Duration   `toml:"tso-window"`
	GCInterval         []plan.Duration   `toml:"gc-interval"`
	GCLifetime         []plan.Duration   `toml:"gc-lifetime"`
	ClockOffset        []plan.Duration   `toml:"clock-offset"`
	ClockDrift         []int             `toml:"clock-drift"`
	StoreHeartbeat     []plan.Duration   `toml:"store-heartbeat"`
	RegionHeartbeat    []plan.Duration   `toml:"region-heartbeat"`
	Minority           []plan.Minority   `toml:"minority"` // in the calm
}

// Scheduling are the parts of a plan's scheduling that a seed varies. An empty list
// leaves the default.
type Scheduling struct {
	Interval         []plan.Duration `toml:"interval"`
	MaxStoreDownTime []plan.Duration `toml:"max-store-down-time"`
	OperatorTimeout  []plan.Duration `toml:"operator-timeout"`
	OperatorLimit    []int           `toml:"operator-limit"`
	StoreLimit       []int           `toml:"store-limit"`
	ReplicaCheck     []bool          `toml:"replica-check"`
	BalanceLeaders   []bool          `toml:"balance-leaders"`
	BalanceRegions   []bool          `toml:"balance-regions"`
	BySize           []bool          `toml:"by-size"`
	Tolerance        []int           `toml:"tolerance"`
	EvictSlow        []bool          `toml:"evict-slow"`
	SplitSize        []int64         `toml:"split-size"`
	SplitKeys        []int64         `toml:"split-keys"`
	SplitCheck       []plan.Duration `toml:"split-check"`
	MergeSize        []int64         `toml:"merge-size"`
	MergeKeys        []int64         `toml:"merge-keys"`
	MergeDelay       []plan.Duration `toml:"merge-delay"`
}

// Range is a closed range of integers.
type Range struct {
	Min int `toml:"min"`
	Max int `toml:"max"`
}

// Span is a closed range of durations.
type Span struct {
	Min plan.Duration `toml:"min"`
	Max plan.Duration `toml:"max"`
}

// Names returns the names of the embedded scenarios, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

// NotFoundError says that there is no scenario of a name.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no scenario %q; there are %s, or give the path of a .toml file", e.Name, strings.Join(Names(), ", "))
}

// Find returns the embedded scenario of that name, or reads the scenario file
// of that path.
func Find(name string) (*Scenario, error) {
	if strings.HasSuffix(name, ".toml") {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("scenario: %w", err)
		}
		return Parse(name, text)
	}
	text, err := files.ReadFile(path.Clean(name) + ".toml")
	if err != nil {
		return nil, &NotFoundError{Name: name}
	}
	return Parse(name+".toml", text)
}

// Parse reads a scenario. An error names the file, the line and what to do.
func Parse(file string, text []byte) (*Scenario, error) {
	s := &Scenario{}
	text = []byte(bom.Skip(string(text)))
	isTOML := toml.Unmarshal(text, &map[string]any{}) == nil
	if isTOML {
		if err := plan.CheckTypes(file, string(text), reflect.TypeFor[Scenario]()); err != nil {
			return nil, err
		}
	}
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, describe(file, err, isTOML)
	}
	err := s.validate()
	if err == nil {
		err = s.checkValues()
	}
	if err == nil {
		err = s.checkKinds()
	}
	var wrong *plan.Error
	switch {
	case errors.As(err, &wrong):
		return nil, plan.Locate(file, string(text), wrong)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// describe adds file, line and column to an error of the TOML library.
// isTOML says that the text is sound, and a value in it is not.
func describe(file string, err error, isTOML bool) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		row, column := e.Position()
		return fmt.Errorf("%s:%d:%d: %s is no field of a scenario: %s", file, row, column,
			strings.Join(e.Key(), "."), plan.KnownFields(reflect.TypeFor[Scenario](), e.Key()))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		row, column := decode.Position()
		field := strings.Join(decode.Key(), ".")
		if field != "" && strings.Contains(decode.Error(), "cannot decode") {
			return fmt.Errorf("%s:%d:%d: %s has a value of another type%s", file, row, column, field, remedy(decode.Error()))
		}
		text := strings.TrimPrefix(decode.Error(), "toml: ")
		if isTOML {
			return fmt.Errorf("%s:%d:%d: %s", file, row, column, strings.TrimPrefix(field+": "+text, ": "))
		}
		return fmt.Errorf("%s:%d:%d: invalid TOML: %s", file, row, column, text)
	}
	return fmt.Errorf("%s: %w", file, err)
}

// remedy says what a field of the type that the TOML library names looks like.
func remedy(text string) string {
	_, kind, _ := strings.Cut(text, "of type ")
	switch kind {
	case "scenarios.Range":
		return ": write a range such as { min = 2, max = 8 }"
	case "[]int":
		return ": write a list such as [3, 5]"
	case "[]string":
		return `: write a list such as ["a", "b"]`
	case "string":
		return ": write it in quotes"
	case "int", "uint64":
		return ": write a whole number"
	default:
		return ""
	}
}

// validate checks what does not depend on the seed. What does is checked by the
// plan. The error is a *plan.Error.
func (s *Scenario) validate() error {
	switch {
	case s.Name == "":
		return plan.Errorf("name", "is missing: give the scenario a name")
	case len(s.Cluster.Stores) == 0 || slices.Min(s.Cluster.Stores) < 1:
		return plan.Errorf("cluster.stores", "must list at least one number of stores, each at least 1")
	case len(s.Cluster.Replicas) == 0 || slices.Min(s.Cluster.Replicas) > slices.Min(s.Cluster.Stores):
		return plan.Errorf("cluster.replicas", "must list at least one number that is not above the smallest of cluster.stores")
	case s.Workload.Prefix == "" && !workload.OwnKeys(s.Workload.Name):
		return plan.Errorf("workload.prefix", "is missing: it is what the workload's keys begin with")
	case s.Workload.Prefix != "" && workload.OwnKeys(s.Workload.Name):
		return plan.Errorf("workload.prefix", "stands there, but the workload has keys of its own: leave it out")
	case s.Storm.Min <= 0 || s.Storm.Max < s.Storm.Min:
		return plan.Errorf("storm.min", "must be positive and not above storm.max")
	}
	ranges := []struct {
		name string
		r    Range
	}{
		{"cluster.regions", s.Cluster.Regions},
		{"workload.clients", s.Workload.Clients},
		{"workload.rate", s.Workload.Rate},
		{"workload.keys", s.Workload.Keys},
	}
	for _, f := range ranges {
		if f.r.Min < 1 || f.r.Max < f.r.Min {
			return plan.Errorf(f.name, ": min is %d and max is %d; min must be at least 1 and not above max", f.r.Min, f.r.Max)
		}
	}
	if err := s.validateFaults(); err != nil {
		return err
	}
	return workload.Check(&plan.Workload{Name: s.Workload.Name, Params: s.Workload.Params, SQL: s.Workload.SQL}, s.Cluster.API)
}

func (s *Scenario) validateFaults() error {
	for _, list := range []struct {
		field string
		kinds []string
	}{{"faults.steps", s.Faults.Steps}, {"faults.beside", s.Faults.Beside}} {
		for i, kind := range list.kinds {
			if !rpc.KnownMethod(kind) {
				return plan.Errorf(fmt.Sprintf("%s[%d]", list.field, i), "is %s, which is no kind of message: write the name of a request, such as KvPrewrite", kind)
			}
		}
	}
	for _, bound := range []struct {
		field  string
		length plan.Duration
	}{{"storm.min", s.Storm.Min}, {"storm.max", s.Storm.Max}} {
		c := s.Faults
		c.Length = bound.length
		err := c.Validate()
		var mistake *faults.ConfigError
		switch {
		case errors.As(err, &mistake) && mistake.Field == "length":
			return plan.Errorf(bound.field, "%s", mistake.Message)
		case errors.As(err, &mistake):
			return plan.Errorf("faults."+mistake.Field, "%s", mistake.Message)
		case err != nil:
			return err
		}
	}
	return nil
}
