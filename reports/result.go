package reports

import (
	"fmt"
	"strconv"
	"time"

	"simrun/checker"
	"simrun/nodes/invariant"
	"simrun/sim/history"
)

// Run is everything that a run produced: the contents of its folder.
type Run struct {
	// Plan is the plan's text form; empty if there is none. A run that has none, or that of
	// a system of one's own (Result.Own), has no command that runs it again, unless the
	// result names one, and the figures of the database do not exist.
	Plan    string
	History *history.History
	Result  *Result
	// Cut says that the process died before the run's end: the result has what plan
	// and history tell. What else there was to count was not recorded.
	Cut bool
}

// ofDatabase reports whether it is a run of the database's plans.
func (r *Run) ofDatabase() bool { return r.Plan != "" && !r.Result.Own }

// Reproduce is the command that runs the same again, "" if there is none.
func (r *Run) Reproduce() string {
	if !r.ofDatabase() && r.Result.Command == "" {
		return ""
	}
	return r.Result.Reproduce()
}

// readable is a message of a finding as it is told, with the keys of tables by what
// they mean.
func (r *Run) readable(message string) string {
	if r.History == nil {
		return Visible(message)
	}
	return Visible(readableMessage(&r.History.Header, message))
}

// Result is what a run produced apart from its history.
type Result struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Command runs it again, where scenario and seed do not suffice: a plan that
	// was written by hand. See Reproduce.
	Command string `json:"command,omitempty"`
	// Own says that the plan is that of a system of one's own: Command runs it, and what
	// runs the plans of the database does not.
	Own bool `json:"own,omitempty"`

	// Shrunk says that the plan is what was left of another one: not the run that scenario
	// and seed stand for.
	Shrunk bool `json:"shrunk,omitempty"`

	// Program is the version of the program that recorded the run, empty if
	// nobody knows: a seed means the same to equal programs only. It is told and
	// never compared, for two versions may well do the same.
	Program string `json:"program,omitempty"`

	// Verdict is the worst of the Checkers' verdicts; see Conclude.
	Verdict checker.Verdict `json:"verdict"`
	// Checkers holds the answers. What no checker of histories finds, such as a
	// failed invariant or a cluster that does not recover, is the answer of a
	// checker too.
	Checkers []checker.Result `json:"checkers"`

	// Stack are the calls that led to a panic, the innermost first; see sim.Failure.Calls.
	Stack []string `json:"stack,omitempty"`

	// Waits is who waited for what when the run ended, if somebody waited too long.
	Waits []Wait `json:"waits,omitempty"`

	Stats Stats `json:"statistics"`

	// TraceHash is the hash over all events of the run.
	TraceHash Hash `json:"trace_hash"`
	// Checkpoints are kept in trace.json.
	Checkpoints []Checkpoint `json:"-"`

	// Marks counts the rare branches, sorted by name, the unreached ones
	// included.
	Marks []invariant.Count `json:"marks,omitempty"`

	// Nodes are the names of all nodes, in the order in which they are shown.
	Nodes []string `json:"nodes,omitempty"`
	// Timeline is what happened to nodes and cluster, in the order of At.
	Timeline []Event `json:"timeline,omitempty"`

	// Wall is the time that the run took. It differs from run to run, so that
	// it is shown and not kept.
	Wall time.Duration `json:"-"`
}

// Conclude sets Verdict from Checkers. A run that was not checked at all is
// Unknown.
func (r *Result) Conclude() checker.Verdict {
	if len(r.Checkers) == 0 {
		r.Verdict = checker.Unknown
	} else {
		r.Verdict = checker.Of(r.Checkers)
	}
	return r.Verdict
}

// Name is what the run is called: its scenario and seed.
func (r *Result) Name() string {
	scenario := r.Scenario
	if scenario == "" {
		scenario = "plan"
	}
	name := fmt.Sprintf("%s, seed %d", scenario, r.Seed)
	if r.Shrunk {
		name += ", shrunk"
	}
	return name
}

// Reproduce is the command that runs the same again.
func (r *Result) Reproduce() string {
	switch {
	case r.Command != "":
		return r.Command
	case r.Scenario == "":
		return "simrun run " + FilePlan
	}
	return fmt.Sprintf("simrun run %s --seed %d", r.Scenario, r.Seed)
}

// Findings returns the findings of all checkers.
func (r *Result) Findings() []checker.Finding {
	var all []checker.Finding
	for i := range r.Checkers {
		all = append(all, r.Checkers[i].Findings...)
	}
	return all
}

// Signature groups failures that are likely to have one cause: the verdict, and
// the checker, the anomaly and the check of the first finding.
func (r *Result) Signature() string {
	all := r.Findings()
	if len(all) == 0 {
		return r.Verdict.String()
	}
	s := fmt.Sprintf("%v %s %s", r.Verdict, all[0].Checker, all[0].Anomaly)
	if all[0].Check != "" {
		s += ": " + all[0].Check
	}
	return s
}

// Message is what to say of a run that is not OK, in a line: its first finding, or why there is
// no verdict. It is empty if the run is OK.
func (r *Result) Message() string {
	if r.Verdict == checker.OK {
		return ""
	}
	for _, f := range r.Findings() {
		return fmt.Sprintf("%s: %s", f.Anomaly, Visible(f.Message))
	}
	for _, c := range r.Checkers {
		if c.Reason != "" {
			return fmt.Sprintf("%s: %s", c.Checker, c.Reason)
		}
	}
	return ""
}

// Hash is a trace hash. It is written as 16 hexadecimal digits: JSON numbers
// lose bits in other languages.
type Hash uint64

func (h Hash) String() string { return fmt.Sprintf("%016x", uint64(h)) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) != 16 {
		return fmt.Errorf("%q is no hash of 16 hexadecimal digits", text)
	}
	*h = Hash(v)
	return nil
}

// Checkpoint is the trace hash after a number of events.
type Checkpoint struct {
	Events uint64 `json:"events"`
	Time   int64  `json:"time"` // virtual nanoseconds
	Hash   Hash   `json:"hash"`
}
