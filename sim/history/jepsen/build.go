package jepsen

import (
	"cmp"
	"fmt"
	"slices"

	"simrun/sim/history"
)

// builder pairs the beginnings and ends of operations.
type builder struct {
	name    string
	h       history.History
	pending map[int64]*event
	events  []*event // in the order of completion
	open    []*event // never completed
	next    int      // position of the next form of a client; the nemesis has none
	// casFails says that a failed compare-and-swap is one that found another
	// value, rather than one that may have failed for any reason.
	casFails bool
	keys     map[string]string // by its text, what each key is exactly
	mapNames bool              // keys of maps are texts whatever they were, as in JSON
	forms    valueForms
}

// event is one operation: its beginning, and its end if there was one.
type event struct {
	id           int
	process      int64
	line         int // of the beginning, for errors
	endLine      int // of the end, 0 if there is none
	invoke       int64
	ret          int64
	kind         string // :f
	key          any    // of the forms that have a key of their own
	hasKey       bool
	begin        any // :value of the beginning
	end          any // :value of the end
	outcome      history.Outcome
	err          string
	start        uint64 // timestamps that simrun exports
	commit       uint64
	calculated   bool
	newest, asOf bool

	pessimistic, readCommitted bool
	statements, opTS, locks    []any // see statements.go
}

func newBuilder(name string) *builder {
	return &builder{name: name, pending: map[int64]*event{}, keys: map[string]string{}, h: history.History{Header: history.Header{Foreign: true}}}
}

func (b *builder) fail(line int, format string, args ...any) error {
	return &history.Error{File: b.name, Line: line, Problem: fmt.Sprintf(format, args...)}
}

// key is the text of a key. Two keys of one text, as 1 and "1" are, would be one here.
func (b *builder) key(line int, v any) (string, error) {
	s, _ := text(v)
	is := exact(v)
	was, there := b.keys[s]
	switch {
	case !there:
		b.keys[s] = is
	case was != is:
		return "", &history.Error{
			File: b.name, Line: line,
			Problem: fmt.Sprintf("key %s is not told from key %s of another operation", is, was),
			Remedy:  "write one key in one way everywhere, and give several keys different texts",
		}
	}
	return s, nil
}

// keyInMap is the text of a key of a map.
func (b *builder) keyInMap(line int, v any) (string, error) {
	if b.mapNames {
		s, _ := text(v)
		return s, nil
	}
	return b.key(line, v)
}

// nemesis is the process that brings about faults. It is the only one that Jepsen names;
// a client is a number.
const nemesis = "nemesis"

// add takes the next map of the file. Operations of the nemesis are not a client's.
func (b *builder) add(f form) error {
	process, ok := f.fields["process"].(int64)
	if !ok {
		return b.noClient(f)
	}
	if b.next == 0 {
		if err := b.state(f); err != nil {
			return err
		}
	}
	at := int64(b.next)
	b.next++
	kind := word(f.fields["type"])
	if kind == "invoke" {
		return b.begin(f, process, at)
	}
	e := b.pending[process]
	if e == nil {
		return b.fail(f.line, "process %d ends an operation that it has not begun", process)
	}
	delete(b.pending, process)
	if err := b.sameOperation(e, f); err != nil {
		return err
	}
	e.ret, e.end, e.endLine = at, f.fields["value"], f.line
	if v, ok := text(f.fields["error"]); ok {
		e.err = v
	}
	e.stamps(f)
	switch kind {
	case "ok":
		e.outcome = history.OK
	case "fail":
		e.outcome = history.Failed
	case "info":
		e.outcome = history.Unknown
	default:
		return b.fail(f.line, ":type %q is none of :invoke, :ok, :fail, :info", kind)
	}
	b.events = append(b.events, e)
	return nil
}

// noClient takes a map whose process is no number. That of a client which is known by
// a name would be lost without a word, with all that it wrote and saw.
func (b *builder) noClient(f form) error {
	process, there := text(f.fields["process"])
	switch {
	case !there:
		return b.fail(f.line, "the operation has no :process")
	case word(f.fields["process"]) == nemesis:
		return nil
	}
	return &history.Error{
		File: b.name, Line: f.line,
		Problem: fmt.Sprintf(":process %q is neither a whole number nor :%s", process, nemesis),
		Remedy:  "give every client a number",
	}
}

// sameOperation checks that an end says nothing of its operation but what the beginning
// has said.
func (b *builder) sameOperation(e *event, f form) error {
	switch v := word(f.fields["f"]); {
	case v == "":
	case e.kind == "":
		e.kind = v
	case v != e.kind:
		return b.fail(f.line, "process %d ends a :%s, and what it began in line %d is a :%s", e.process, v, e.line, e.kind)
	}
	if key := f.fields["key"]; key != nil && exact(key) != exact(e.key) {
		return b.fail(f.line, "process %d ends an operation of :key %s, and what it began in line %d is not of that", e.process, exact(key), e.line)
	}
	return nil
}

func (b *builder) begin(f form, process, at int64) error {
	if b.pending[process] != nil {
		return b.fail(f.line, "process %d begins an operation while its previous one, of line %d, is under way",
			process, b.pending[process].line)
	}
	e := &event{id: b.next, process: process, line: f.line, invoke: at, kind: word(f.fields["f"]), begin: f.fields["value"]}
	e.key = f.fields["key"]
	e.hasKey = e.key != nil
	b.pending[process] = e
	return nil
}

// stamps reads the timestamps that WriteEDN wrote.
func (e *event) stamps(f form) {
	e.start, e.commit = timestamp(f.fields["start-ts"]), timestamp(f.fields["commit-ts"])
	e.calculated, _ = f.fields["calculated"].(bool)
	e.newest, _ = f.fields["newest"].(bool)
	e.asOf, _ = f.fields["as-of"].(bool)
	e.pessimistic, _ = f.fields["pessimistic"].(bool)
	e.readCommitted, _ = f.fields["read-committed"].(bool)
	e.statements, _ = f.fields["statements"].([]any)
	e.opTS, _ = f.fields["op-ts"].([]any)
	e.locks, _ = f.fields["locks"].([]any)
}

// finish turns the events into a history. What never ended is of unknown
// outcome; its client gave up when the history ends.
func (b *builder) finish() (*history.History, error) {
	for _, e := range b.pending {
		e.outcome, e.ret = history.Unknown, int64(b.next)
		b.open = append(b.open, e)
	}
	slices.SortFunc(b.open, func(a, c *event) int { return cmp.Compare(a.id, c.id) })
	b.events = append(b.events, b.open...)
	shape := surveyEvents(b.events)
	if shape.bank {
		b.h.Bank = &history.Bank{Negative: true} // whether accounts may be overdrawn is not told
	}
	for i, e := range b.events {
		op, err := b.convert(e, shape)
		if err != nil {
			return nil, err
		}
		op.ID = e.id
		b.events[i] = nil
		b.h.Ops = append(b.h.Ops, op)
	}
	b.h.Unjudged = b.forms.doubt(&b.h.Header)
	if err := history.Validate(&b.h); err != nil {
		return nil, &history.Error{File: b.name, Problem: err.Error()}
	}
	return &b.h, nil
}

// shape is what can be told only from all operations together.
type shape struct {
	independent bool // values of registers are [k v] tuples
	keyed       bool // registers have a :key
	lists       bool // transactions append
	versioned   bool // values of registers are [version v]
	bank        bool // there are transfers, or nothing but such reads: a :read that returns a map is one of all accounts
}

func surveyEvents(events []*event) shape {
	s := shape{independent: true}
	seen := false
	maps, others := 0, 0
	for _, e := range events {
		if isTransaction(e) {
			e.kind = "txn"
		}
		switch {
		case e.kind == "read" && balances(e):
			maps++
		case e.kind != "read" || e.end != nil:
			others++
		}
		switch e.kind {
		case "transfer":
			s.bank = true
		case "read", "write", "cas":
			seen = true
			s.independent = s.independent && isTuple(e)
			s.keyed = s.keyed || e.hasKey
		case "txn", "":
			for _, o := range slices.Concat(triples(e.begin), triples(e.end)) {
				s.lists = s.lists || word(o[0]) == "append"
			}
		}
	}
	s.bank = s.bank || maps > 0 && others == 0
	s.independent = s.independent && seen && !s.keyed
	s.versioned = areVersioned(events, s)
	return s
}

// isTransaction says whether a :read or :write is in truth a transaction, for its value is
// a list of [f k v].
func isTransaction(e *event) bool {
	if e.kind != "read" && e.kind != "write" {
		return false
	}
	value := e.begin
	if value == nil {
		value = e.end
	}
	list, _ := value.([]any)
	for _, o := range list {
		micro, _ := o.([]any)
		if len(micro) != 3 || !slices.Contains([]string{"r", "w", "append"}, word(micro[0])) {
			return false
		}
	}
	return len(list) > 0
}

// isTuple says whether an operation's values look like [k v].
func isTuple(e *event) bool {
	_, v, ok := pairOf(e.begin)
	if ok && e.kind == "cas" {
		_, _, ok = pairOf(v)
	}
	return ok
}

// pairOf takes a vector of two apart.
func pairOf(v any) (first, second any, ok bool) {
	if t, is := v.([]any); is && len(t) == 2 {
		return t[0], t[1], true
	}
	return nil, nil, false
}

// triples takes apart the value of a transaction; operations that are not
// triples are passed over here and rejected by convert.
func triples(v any) [][]any {
	list, _ := v.([]any)
	var out [][]any
	for _, o := range list {
		if t, ok := o.([]any); ok && len(t) == 3 {
			out = append(out, t)
		}
	}
	return out
}
