package checker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"simrun/checker/linear"
	"simrun/sim/history"
)

// strange answers Unknown if operations are of kinds that no checker knows: nobody has
// judged what they returned, nor the keys that only they touched. One that failed had
// no effect. What there is to say of a bank's transfers is said of its reads.
func strange(h *history.History) (r Result, some bool) {
	counts := map[history.Kind]int{}
	for i := range h.Ops {
		op := &h.Ops[i]
		switch {
		case op.Outcome == history.Failed, linear.Applies(op.Kind), op.Kind == history.Txn, op.Kind == history.Timestamp:
		case h.Foreign && h.Bank != nil && op.Kind == kindTransfer:
		default:
			counts[op.Kind]++
		}
	}
	if len(counts) == 0 {
		return r, false
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d of kind %q", counts[kind], kind))
	}
	r.Checker = "history"
	r.Undecided("operations not judged, no checker knows their kind: " + strings.Join(parts, ", "))
	return r, true
}

// kindTransfer is that of Jepsen's banks.
const kindTransfer history.Kind = "transfer"
