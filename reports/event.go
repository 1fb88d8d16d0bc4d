package reports

import "fmt"

// EventKind is what an Event of the timeline tells.
type EventKind uint8

// The kinds. Down, Paused and Stalled are states of a node and are shown on its lane; a node
// is up when nothing else is said of it. What lasts, lasts from At to Until: these, a Phase,
// and a Fault that is no instant.
const (
	_        EventKind = iota
	Down               // the node's process does not run
	Paused             // the process stands still
	Stalled            // a database of the node slows its writes down or stops them
	Phase              // of the run; no node
	Fault              // in force from At to Until, or an instant; the node may be empty
	Election           // the node became leader of what Text says
	Split              // the node split a region
	Merge              // the node has taken a step of a merge of regions
	Snapshot           // the node applied a snapshot
	Note               // anything else that is worth a line
	eventKindEnd
)

func (k EventKind) String() string {
	switch k {
	case Down:
		return "down"
	case Paused:
		return "paused"
	case Stalled:
		return "stalled"
	case Phase:
		return "phase"
	case Fault:
		return "fault"
	case Election:
		return "election"
	case Split:
		return "split"
	case Merge:
		return "merge"
	case Snapshot:
		return "snapshot"
	case Note:
		return "note"
	case eventKindEnd:
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// state reports whether what lasts, of the kind, is over when the run is: the states of nodes,
// and the phases.
func (k EventKind) state() bool {
	switch k {
	case Down, Paused, Stalled, Phase:
		return true
	case Fault, Election, Split, Merge, Snapshot, Note, eventKindEnd:
	}
	return false
}

// MarshalText implements encoding.TextMarshaler.
func (k EventKind) MarshalText() ([]byte, error) {
	if k == 0 || k >= eventKindEnd {
		return nil, fmt.Errorf("reports: %v is no kind of event", k)
	}
	return []byte(k.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *EventKind) UnmarshalText(text []byte) error {
	for known := Down; known < eventKindEnd; known++ {
		if known.String() == string(text) {
			*k = known
			return nil
		}
	}
	return fmt.Errorf("%q is no kind of event", text)
}

// Event is one thing that happened to a node or to the cluster.
type Event struct {
	At int64 `json:"at"` // virtual nanoseconds
	// Until is when it ended; zero for an instant.
	Until int64     `json:"until,omitempty"`
	Node  string    `json:"node,omitempty"`
	Kind  EventKind `json:"kind"`
	Text  string    `json:"text,omitempty"`
	// Meant names the nodes that a fault's targets stood for when it came up, where its
	// text does not: "leader(k)" is another node at another time.
	Meant []string `json:"meant,omitempty"`
	// Idle: the fault was in force until its end and hit nothing.
	Idle bool `json:"idle,omitempty"`
}
