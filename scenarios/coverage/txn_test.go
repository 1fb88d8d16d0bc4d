package coverage

import (
	"slices"

	"simrun/sim/history"
)

// forkCounts names what a transaction did with keys that are written once.
func forkCounts(x *history.TxnRecord) (found []string) {
	present, absent := 0, 0
	for i := range x.Ops {
		switch op := &x.Ops[i]; {
		case op.Kind != history.TxnRead:
		case op.Value != nil:
			present++
		default:
			absent++
		}
	}
	switch {
	case present > 0 && absent > 0:
		found = append(found, "several keys read at once, of which some are written")
	case present+absent == 0 && len(written(x, history.TxnWrite)) == 1:
		found = append(found, "a key written blindly and alone")
	}
	return found
}

// rangeCounts names what a transaction did with ranges.
func rangeCounts(x *history.TxnRecord) (found []string) {
	removed := written(x, history.TxnDelete)
	for i := range x.Ops {
		op := &x.Ops[i]
		if op.Kind != history.TxnScan {
			continue
		}
		if op.Reverse {
			found = append(found, "a range downward")
		}
		if op.Limit > 0 && len(op.Pairs) == op.Limit {
			found = append(found, "a range cut off by its limit")
		}
		if slices.ContainsFunc(x.Ops[:i], func(o history.TxnOp) bool {
			return o.Kind == history.TxnScan && o.Key == op.Key && o.EndKey == op.EndKey && o.Reverse != op.Reverse
		}) {
			found = append(found, "a range read twice")
		}
		if slices.ContainsFunc(op.Pairs, func(p history.Pair) bool { return slices.Contains(removed, p.Key) }) {
			found = append(found, "a key found by a range and removed")
		}
	}
	return found
}

// pairOfRanges names what one of two transactions did to the ranges or to the
// keys that the other one read.
func pairOfRanges(a, b *history.TxnRecord) (found []string) {
	for _, pair := range [][2]*history.TxnRecord{{a, b}, {b, a}} {
		for _, key := range written(pair[1], history.TxnWrite) {
			for i := range pair[0].Ops {
				op := &pair[0].Ops[i]
				if op.Kind == history.TxnScan && op.Limit == 0 && op.Key <= key && key < op.EndKey &&
					!slices.ContainsFunc(op.Pairs, func(p history.Pair) bool { return p.Key == key }) {
					found = append(found, "a key added to the range of another one at the same time")
				}
				if op.Kind == history.TxnRead && op.Key == key && op.Value == nil {
					found = append(found, "a read of a key beside its write")
				}
			}
		}
	}
	return found
}
