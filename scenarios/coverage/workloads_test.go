package coverage

import (
	"slices"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// workloadPromises are what the histories of each workload must hold, all of it
// in the storm. See workloadCounts.
var workloadPromises = map[string][]string{
	"register":   {"a swap that succeeded", "a swap that found another value", "a read that saw a value", "a delete"},
	"bank":       {"a transfer", "a full read", "a full read beside a transfer", "a backward read"},
	"timestamps": {"a timestamp"},
	"table":      {"a row that moved", "a range downward", "an index entry read", "a schema change"},
	"sql":        {"a row that moved", "a range downward", "an index entry read", "a row locked"},
	"append":     {"a list by several clients", "appends to one list at the same time"},
	"long-fork": {
		"a key written blindly and alone", "several keys read at once, of which some are written", "a read of a key beside its write",
	},
	"predicate": {
		string(verdict.G2) + ", which is allowed", "a range downward", "a range cut off by its limit", "a range read twice",
		"a key found by a range and removed", "a key added to the range of another one at the same time",
	},
	"write-skew": {
		string(verdict.G2Item) + ", which is allowed",
		"a pair changed under locks", "a pair changed without locks", "somebody off call",
	},
}

// workloadCounts counts what the clients of a workload did during the storm,
// with success.
func workloadCounts(h *history.History) map[string]uint64 {
	counts := map[string]uint64{}
	var done []*history.Op
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Outcome == history.OK && op.Phase == "storm" {
			done = append(done, op)
		}
	}
	for _, op := range done {
		if op.Txn == nil {
			counts[registerCount(op)]++
			continue
		}
		for _, what := range txnCounts(h, op.Txn) {
			counts[what]++
		}
	}
	for i, a := range done {
		for _, b := range done[i+1:] { // in the order of return
			if b.Invoke < a.Return && a.Txn != nil && b.Txn != nil {
				for _, what := range pairCounts(h, a.Txn, b.Txn) {
					counts[what]++
				}
			}
		}
	}
	return counts
}

func registerCount(op *history.Op) string {
	switch {
	case op.Kind == history.Timestamp:
		return "a timestamp"
	case op.Kind == history.CAS && op.Swapped:
		return "a swap that succeeded"
	case op.Kind == history.CAS:
		return "a swap that found another value"
	case op.Kind == history.Read && op.Value != nil:
		return "a read that saw a value"
	case op.Kind == history.Write && op.Value == nil:
		return "a delete"
	}
	return "something else"
}

// txnCounts names what one transaction did.
func txnCounts(h *history.History, x *history.TxnRecord) []string {
	var found []string
	if h.Tables {
		return tableCounts(h, x)
	}
	writes, locks := written(x, history.TxnWrite), written(x, history.TxnLock)
	switch {
	case h.Bank != nil && (len(writes) == 2 || len(writes) == 4): // with notes or without
		found = append(found, "a transfer")
	case len(writes) > 0 && len(locks) > 0:
		found = append(found, "a pair changed under locks")
	case len(writes) > 0:
		found = append(found, "a pair changed without locks")
	}
	if fullRead(h, x) {
		found = append(found, "a full read")
	}
	found = append(found, rangeCounts(x)...)
	if h.WriteOnce {
		found = append(found, forkCounts(x)...)
	}
	if len(written(x, history.TxnAppend)) > 256 {
		found = append(found, "more than 256 lists appended to at once")
	}
	for _, key := range locks {
		if appended := written(x, history.TxnAppend); h.Consistency == history.Serializable && !slices.Contains(appended, key) {
			found = append(found, "a list read under a lock and not appended to")
		}
	}
	for i := range x.Ops {
		op := &x.Ops[i]
		if op.Kind == history.TxnScan && op.Reverse {
			found = append(found, "a backward read")
		}
		if op.Kind != history.TxnRead || op.Value == nil {
			continue
		}
		if len(clientsOf(*op.Value)) > 1 {
			found = append(found, "a list by several clients")
		}
		if strings.HasPrefix(*op.Value, "off ") {
			found = append(found, "somebody off call")
		}
	}
	return found
}

// tableCounts names what one transaction did to tables, whose keys tell.
func tableCounts(h *history.History, x *history.TxnRecord) []string {
	var found []string
	isRow := func(key string) bool {
		return strings.HasPrefix(key, "t") && strings.HasPrefix(key[min(9, len(key)):], "_r")
	}
	isIndex := func(key string) bool {
		return strings.HasPrefix(key, "t") && strings.HasPrefix(key[min(9, len(key)):], "_i")
	}
	rowsWritten, rowsDeleted := false, false
	for i := range x.Ops {
		op := &x.Ops[i]
		key := h.Bytes(op.Key)
		switch {
		case op.Kind == history.TxnScan && op.Reverse && isRow(key):
			found = append(found, "a range downward")
		case (op.Kind == history.TxnScan || op.Kind == history.TxnRead) && isIndex(key):
			found = append(found, "an index entry read")
		case op.Kind == history.TxnLock && isRow(key):
			found = append(found, "a row locked")
		case op.Kind == history.TxnWrite && strings.HasPrefix(key, "m"):
			found = append(found, "a schema change")
		}
		rowsWritten = rowsWritten || op.Kind == history.TxnWrite && isRow(key)
		rowsDeleted = rowsDeleted || op.Kind == history.TxnDelete && isRow(key)
	}
	if rowsWritten && rowsDeleted {
		found = append(found, "a row that moved")
	}
	return append(found, dropCounts(h, x)...)
}

// pairCounts names what two transactions did that were under way at the same
// time.
func pairCounts(h *history.History, a, b *history.TxnRecord) []string {
	var found []string
	for _, pair := range [][2]*history.TxnRecord{{a, b}, {b, a}} {
		if fullRead(h, pair[0]) && len(written(pair[1], history.TxnWrite)) == 2 {
			found = append(found, "a full read beside a transfer")
		}
	}
	found = append(found, pairOfRanges(a, b)...)
	found = append(found, pairOfDrop(h, a, b)...)
	for _, key := range written(a, history.TxnAppend) {
		if slices.Contains(written(b, history.TxnAppend), key) {
			found = append(found, "appends to one list at the same time")
		}
	}
	return found
}

// written returns the keys of a transaction's operations of a kind.
func written(x *history.TxnRecord, kind history.TxnKind) []string {
	var keys []string
	for i := range x.Ops {
		if x.Ops[i].Kind == kind {
			keys = append(keys, x.Ops[i].Key)
		}
	}
	return keys
}

// fullRead reports whether a transaction read all accounts of a bank.
func fullRead(h *history.History, x *history.TxnRecord) bool {
	return h.Bank != nil && slices.ContainsFunc(x.Ops, func(op history.TxnOp) bool {
		return op.Kind == history.TxnScan && op.Limit == 0 // accounts that are closed are missing
	})
}

// clientsOf returns the clients that have appended to a list, whose elements
// begin with their number.
func clientsOf(list string) []string {
	var clients []string
	for element := range strings.FieldsSeq(list) {
		client, _, isElement := strings.Cut(element, ".")
		if isElement && !slices.Contains(clients, client) {
			clients = append(clients, client)
		}
	}
	return clients
}
