package reports

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"simrun/checker"
	"simrun/sim/history"
)

// Locate completes what the checkers tell of the places of their findings, from
// what they say: the operations whose timestamps a message names, the nodes that
// it names, and, where nobody knows better, the return of the first operation as
// the instant. It changes no verdict.
func (r *Result) Locate(h *history.History) {
	l := &locator{nodes: r.Nodes, h: h}
	for i := range r.Checkers {
		c := &r.Checkers[i]
		for j := range c.Findings {
			l.locate(&c.Findings[j])
		}
		for j := range c.Observations {
			l.locate(&c.Observations[j])
		}
	}
}

// locator finds places in a run.
type locator struct {
	nodes []string
	h     *history.History
	// byTS holds the ids of transactions by their timestamps; nil until it is needed.
	byTS map[uint64][]int
}

func (l *locator) locate(f *checker.Finding) {
	words := strings.FieldsFunc(f.Message, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
	})
	if len(f.Nodes) == 0 {
		f.Nodes = l.namedNodes(words)
	}
	if len(f.Evidence) == 0 {
		f.Evidence = l.namedOperations(words)
	}
	if f.At == 0 && len(f.Evidence) > 0 {
		f.At = returned(l.h, f.Evidence[0])
	}
}

// returned is when an operation returned, 0 if there is none of that id.
func returned(h *history.History, id int) int64 {
	for i := range h.Ops {
		if h.Ops[i].ID == id {
			return h.Ops[i].Return
		}
	}
	return 0
}

// namedNodes returns the nodes that stand in a message, in its order.
func (l *locator) namedNodes(words []string) (names []string) {
	for _, word := range words {
		if slices.Contains(l.nodes, word) && !slices.Contains(names, word) {
			names = append(names, word)
		}
	}
	return names
}

// timestampMin is the least number that is taken for a timestamp: these count
// milliseconds above 18 bits, and smaller numbers are ids, terms and indexes.
const timestampMin = 1 << 18

// namedMax bounds the operations of one message.
const namedMax = 10

// namedOperations returns the transactions whose start or commit timestamps stand
// in a message, in its order.
func (l *locator) namedOperations(words []string) (ids []int) {
	for _, word := range words {
		ts, err := strconv.ParseUint(word, 10, 64)
		if err != nil || ts < timestampMin {
			continue
		}
		for _, id := range l.at(ts) {
			if len(ids) < namedMax && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// at returns the transactions that have a timestamp.
func (l *locator) at(ts uint64) []int {
	if l.byTS == nil {
		l.byTS = map[uint64][]int{}
		for i := range l.h.Ops {
			op := &l.h.Ops[i]
			if op.Txn == nil || op.Txn.AsOf { // whose timestamp is another one's
				continue
			}
			for _, ts := range []uint64{op.Txn.StartTS, op.Txn.CommitTS} {
				if ts != 0 {
					l.byTS[ts] = append(l.byTS[ts], op.ID)
				}
			}
		}
	}
	return l.byTS[ts]
}

// describePlace says where and when a finding was seen, "" if nobody knows.
func describePlace(p *checker.Place) string {
	var words []string
	if p.At != 0 {
		words = append(words, "at "+seconds(p.At))
	}
	if len(p.Nodes) > 0 {
		words = append(words, "on "+strings.Join(p.Nodes, ", "))
	}
	if p.Task != "" {
		words = append(words, "in task "+p.Task)
	}
	return strings.Join(words, " ")
}
