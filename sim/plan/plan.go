package plan

import (
	"simrun/faults"
)

// Version is the format that this program writes and reads. It changes
// whenever the meaning of a plan's text does.
const Version = "1"

// Duration is a time.Duration that is text in TOML: "1.5s".
type Duration = faults.Duration

// Plan is everything that decides a run besides the program. Ranges stand with
// the fields; Validate checks them.
type Plan struct {
	// Version is the format version. Only '1' is accepted.
	Version string `toml:"version"`
	// Scenario is the name of the scenario that the plan came from, for people
	// and for file names: letters, digits, _, - and ., and not a word of the fault
	// language, such as leader. It may be empty in a hand-written plan.
	Scenario string `toml:"scenario"`
	// Seed decides everything that the plan leaves to chance. Any value is valid.
	Seed uint64 `toml:"seed"`

	Cluster  Cluster  `toml:"cluster"`
	Workload Workload `toml:"workload"`
	Phases   Phases   `toml:"phases"`
	Knobs    Knobs    `toml:"knobs"`
	// Scheduling is what becomes of regions by themselves.
	Scheduling Scheduling `toml:"scheduling"`
	Network    Network    `toml:"network"`
	Disk       Disk       `toml:"disk"`
	Clocks     Clocks     `toml:"clocks"`
	Limits     Limits     `toml:"limits"`

	// Faults is the schedule; instants count from the start of the storm and
	// lie within it.
	Faults []faults.Fault `toml:"-"`
}

// API is what the clients talk to the cluster in.
type API string

// The APIs.
const (
	Raw  API = "raw"  // single keys, linearizable
	Txn  API = "txn"  // Percolator transactions
	Raft API = "raft" // no stores at all: bare raft nodes with a log in memory
)

// Cluster is who takes part.
type Cluster struct {
	// Stores is the number of stores, named store1, store2, ...: 1 to 9, not
	// below Replicas.
	Stores int `toml:"stores"`
	// Replicas is the number of peers of each region: 1, 3, 5 or 7.
	Replicas int `toml:"replicas"`
	// Placement is the number of placement members, named pd1, ...: 1, 3 or 5.
	// The API raft has none: 0.
	Placement int `toml:"placement"`
	// SplitKeys are the boundaries between the initial regions, in strictly ascending
	// order: n keys make n+1 regions. They are keys of the API's users; one
	// that begins with 0x is in hexadecimal. The API raft has none.
	SplitKeys []string `toml:"split-keys,multiline"`
	// API is what the clients use: raw, txn or raft.
	API API `toml:"api"`
	// Joining is how many of the stores, the last ones, are not part of the cluster at
	// the start: they join by a fault of that name, or never. At least Replicas stores
	// have to be there from the start.
	Joining int `toml:"joining"`
}

// Workload is what the clients do. The operations are drawn by the workload of
// that name from the seed, the client and the operation's number alone.
type Workload struct {
	// Name is the name of a workload, checked when the plan is run, not when it is
	// parsed. It must not be empty.
	Name string `toml:"name"`
	// Clients is the number of clients, named client1, ...: 1 to 1000.
	Clients int `toml:"clients"`
	// Rate is the number of operations (transactions) per virtual second that
	// all clients together aim at: 1 to 1000000.
	Rate int `toml:"rate"`
	// Operations is the maximum number of operations that all clients together
	// begin; zero means that only the phases limit it.
	Operations uint64 `toml:"operations"`
	// Keys is the number of keys, accounts or lists that they work on: 1 to
	// 1000000.
	Keys int `toml:"keys"`
	// Params are the workload's own parameters; it knows their ranges. May be omitted.
	Params map[string]int `toml:"params"`
	// SQL is the script of the workload sql, which knows its format. Others have
	// none. May be omitted.
	SQL string `toml:"sql,multiline,omitempty"`
}

// Phases are the lengths of the phases, in order.
type Phases struct {
	// Boot is how long the cluster may take until it serves; the storm
	// begins as soon as it does. Not zero.
	Boot Duration `toml:"boot"`
	// Storm is how long the clients work under faults. Not zero.
	Storm Duration `toml:"storm"`
	// Calm is how long the cluster may take, without faults, until every
	// region and every client is served again; if it takes longer, the run has
	// failed. Not zero.
	Calm Duration `toml:"calm"`
	// Minority is a fault of one store that lasts through the calm: none, kill, pause,
	// mute, deaf or cut. The cluster must serve everybody without that store.
	Minority Minority `toml:"minority"`
	// Audit is how long the final reads and state checks may take. Not zero.
	Audit Duration `toml:"audit"`
}

// Limits end a run that would not end by itself, as out of budget.
type Limits struct {
	// Events is the maximum number of kernel events; a run that reaches it is cut off. Not
	// zero. The events of a verdict are the records of the trace, a different number.
	Events uint64 `toml:"events"`
}
