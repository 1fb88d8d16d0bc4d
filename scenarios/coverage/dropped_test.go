package coverage

import (
	"encoding/hex"
	"encoding/json"
	"strings"

	"simrun/nodes/codec"
	"simrun/sim/history"
)

// What becomes of tables and indexes that are dropped, beside what clients mark.
const (
	tableDropped = "a table dropped"
	indexDropped = "an index dropped"
	readOverDrop = "a table read again after it was dropped, at the snapshot from before"
)

// promiseDropped lists what a scenario promises that drops tables under garbage
// collection.
func (c *coverage) promiseDropped() {
	s := c.scenario
	if s.Workload.Params["side"] == 0 {
		return
	}
	c.want(workloadSeen, tableDropped, indexDropped, readOverDrop)
	if len(s.Knobs.GCInterval) > 0 {
		c.want(markSeen, "client: dropped range deleted", "client: dropped range deleted in several regions",
			"client: region of a dropped range changed, the request for it repeated", "client: KvDeleteRange sent again after no answer",
			"table: dropped range left alone, it was dropped after the safe point", "table: record of a dropped range removed by somebody else")
	}
}

// dropCounts names what a transaction has dropped.
func dropCounts(h *history.History, x *history.TxnRecord) (found []string) {
	for _, prefix := range droppedBy(h, x) {
		what := indexDropped
		if len(prefix) == len(codec.AppendTablePrefix(nil, 1)) {
			what = tableDropped
		}
		found = append(found, what)
	}
	return found
}

// pairOfDrop says whether the second of two transactions, which returned later,
// ended with a read of what the first one had dropped meanwhile.
func pairOfDrop(h *history.History, drop, reader *history.TxnRecord) (found []string) {
	if len(reader.Ops) == 0 || reader.StartTS > drop.CommitTS {
		return nil
	}
	last := h.Bytes(reader.Ops[len(reader.Ops)-1].Key)
	for _, prefix := range droppedBy(h, drop) {
		if strings.HasPrefix(last, prefix) {
			found = append(found, readOverDrop)
		}
	}
	return found
}

// droppedBy returns what the keys of the tables and indexes begin with that a
// transaction has dropped, which it records.
func droppedBy(h *history.History, x *history.TxnRecord) (prefixes []string) {
	records := string(codec.MetaHashPrefix("GCDeleteRange"))
	for i := range x.Ops {
		if op := &x.Ops[i]; op.Kind == history.TxnWrite && strings.HasPrefix(h.Bytes(op.Key), records) {
			var record struct{ Start string }
			if json.Unmarshal([]byte(h.Bytes(*op.Value)), &record) == nil {
				prefix, _ := hex.DecodeString(record.Start)
				prefixes = append(prefixes, string(prefix))
			}
		}
	}
	return prefixes
}
