package reports

import (
	"fmt"
	"regexp"
	"strings"

	"simrun/sim/history"
)

// pageOpsMax bounds the operations that the page draws. Evidence is always
// among them.
const pageOpsMax = 50_000

// opTextMax bounds the characters that describe one operation.
const opTextMax = 2_000

// pageData is what the script draws. Instants are nanoseconds: numbers up to
// 2^53, a hundred days, are exact in JavaScript.
type pageData struct {
	Virtual int64      `json:"virtual"`
	Nodes   []string   `json:"nodes"`
	Events  []Event    `json:"events"`
	Ops     []pageOp   `json:"ops"`
	Flags   []pageFlag `json:"flags"`
	// Programs are the statements of the programs that operations are of.
	Programs map[string]string `json:"programs,omitempty"`
}

type pageOp struct {
	ID     int `json:"id"`
	Client int `json:"client"`
	// Of is the client to whom the operation belongs, in one of its lives and lanes, which
	// Who names if it is not the first: see clients.
	Of      int             `json:"of"`
	Who     string          `json:"who,omitempty"`
	Invoke  int64           `json:"invoke"`
	Return  int64           `json:"return"`
	Outcome history.Outcome `json:"outcome"`
	Text    string          `json:"text"`
	Error   string          `json:"error,omitempty"`
	Phase   string          `json:"phase,omitempty"`
	Note    string          `json:"note,omitempty"` // of one of a program
}

// pageFlag is a finding where it was seen: at an instant, on nodes, in operations,
// of which any may be unknown.
type pageFlag struct {
	At    int64    `json:"at"`
	Nodes []string `json:"nodes"`
	Text  string   `json:"text"`
	Ops   []int    `json:"ops"`
}

// pageDataOf collects what is drawn, and how many operations are not. Of a run that was
// cut off nothing is known of the nodes.
func pageDataOf(run *Run) (data *pageData, omitted int) {
	r := run.Result
	data = &pageData{Virtual: r.Stats.Virtual, Ops: []pageOp{}, Flags: []pageFlag{}, Programs: programTexts(run.Plan)}
	if !run.Cut {
		data.Nodes, data.Events = r.Nodes, readableEvents(run)
	}
	returns := map[int]int64{} // of the operations that are evidence
	findings := r.Findings()
	for _, f := range findings {
		for _, id := range f.Evidence {
			returns[id] = 0
		}
	}
	if run.History != nil {
		tables, clients := tablesOf(run.History), clients(run)
		for i := range run.History.Ops {
			op := &run.History.Ops[i]
			_, evidence := returns[op.ID]
			if evidence {
				returns[op.ID] = op.Return
			}
			if i >= pageOpsMax && !evidence {
				omitted++
				continue
			}
			shown := pageOp{
				ID: op.ID, Client: op.Client, Invoke: op.Invoke, Return: op.Return, Outcome: op.Outcome,
				Text: clip(tables.describe(&run.History.Header, op), opTextMax), Error: Visible(clip(op.Error, opTextMax)), Phase: op.Phase,
			}
			shown.Of, shown.Who = whose(op.Client, clients)
			if name, _, _ := strings.Cut(op.Note, " "); data.Programs[name] != "" {
				shown.Note = op.Note
			}
			data.Ops = append(data.Ops, shown)
		}
	}
	for _, f := range findings {
		if len(f.Evidence)+len(f.Nodes) == 0 && f.At == 0 {
			continue
		}
		flag := pageFlag{At: f.At, Nodes: f.Nodes, Text: string(f.Anomaly) + ": " + run.readable(f.Message), Ops: f.Evidence}
		if flag.At == 0 && len(f.Evidence) > 0 {
			flag.At = returns[f.Evidence[0]]
		}
		data.Flags = append(data.Flags, flag)
	}
	return data, omitted
}

// clientNode is the name of the node of a client.
var clientNode = regexp.MustCompile(`^client[1-9][0-9]*$`)

// clients is the number by which those of a client's lives differ: a process that was
// started again goes on under the next number that its client has, with those of all
// others and of the administrator between. Who has no such nodes has no lives either.
func clients(run *Run) int {
	n := 0
	for _, node := range run.Result.Nodes {
		if clientNode.MatchString(node) {
			n++
		}
	}
	if !run.ofDatabase() || n == 0 {
		return history.LaneStride
	}
	return n + 1
}

// whose returns the client of whom another one is a life or a lane, and what to call that;
// see clients for lives.
func whose(client, lives int) (of int, who string) {
	of = history.ClientOf(client)
	if life := of/lives + 1; life > 1 {
		who = fmt.Sprintf(", life %d", life)
	}
	if lane := client / history.LaneStride; lane > 0 {
		who += fmt.Sprintf(", lane %d", lane)
	}
	of %= lives
	if who != "" {
		who = fmt.Sprint(of) + who
	}
	return of, who
}

// readableEvents are the events with the keys of tables by what they mean.
func readableEvents(run *Run) []Event {
	events := make([]Event, len(run.Result.Timeline))
	for i, e := range run.Result.Timeline {
		e.Text = run.readable(e.Text)
		events[i] = e
	}
	return events
}
