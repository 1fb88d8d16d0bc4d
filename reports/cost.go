package reports

import (
	"fmt"

	"simrun/sim/history"
)

// CostStats is what replication has cost: the work of all nodes over all phases,
// elections, heartbeats, compactions and the placement driver's own log included,
// by what it was done for.
type CostStats struct {
	Proposals uint64 `json:"proposals"` // commands that leaders have taken into their logs, those of the placement driver among them
	Messages  uint64 `json:"messages"`  // of raft, before those to one store are joined into datagrams
	UserBytes uint64 `json:"user_bytes"`
	// The ratios are rounded down to hundredths, and zero if there is nothing to
	// divide by.
	MessagesPerProposal  float64 `json:"messages_per_proposal"`
	DatagramsPerProposal float64 `json:"datagrams_per_proposal"` // of all kinds, requests of clients too
	SyncsPerProposal     float64 `json:"syncs_per_proposal"`
	// WriteAmplification is the bytes written to all disks for a byte of user data:
	// with three replicas, at least three.
	WriteAmplification float64 `json:"write_amplification"`
}

// SetCost derives the cost of a run from what was counted.
func (s *Stats) SetCost(proposals, messages uint64, h *history.History) {
	user := UserBytes(h)
	s.Cost = CostStats{
		Proposals: proposals, Messages: messages, UserBytes: user,
		MessagesPerProposal:  ratio(messages, proposals),
		DatagramsPerProposal: ratio(s.Network.Sent, proposals),
		SyncsPerProposal:     ratio(s.Disk.Syncs, proposals),
		WriteAmplification:   ratio(s.Disk.Bytes, user),
	}
}

// ratio is a/b in hundredths: a division of integers, so that it is the same on
// every machine.
func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a*100/b) / 100
}

// UserBytes counts the bytes of keys and values that were certainly written by
// the clients of a history.
func UserBytes(h *history.History) (n uint64) {
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		switch op.Kind {
		case history.Write, history.Append:
			n += sizeOf(op.Key, op.Value)
		case history.CAS:
			if op.Swapped {
				n += sizeOf(op.Key, op.Value)
			}
		case history.Txn:
			n += transactionBytes(op.Txn)
		default:
		}
	}
	return n
}

func transactionBytes(t *history.TxnRecord) (n uint64) {
	if t == nil {
		return 0
	}
	for i := range t.Ops {
		if o := &t.Ops[i]; o.Kind.Writes() && o.Kind != history.TxnLock {
			n += sizeOf(o.Key, o.Value)
		}
	}
	return n
}

func sizeOf(key string, value *string) uint64 {
	n := len(key)
	if value != nil {
		n += len(*value)
	}
	return uint64(n)
}

// cost tells what a proposal and a byte of user data have cost.
func (t *text) cost() {
	c := &t.r.Stats.Cost
	if c.Proposals == 0 {
		return
	}
	words := fmt.Sprintf("%s:", plural(c.Proposals, "proposal"))
	if c.Messages > 0 {
		words += fmt.Sprintf(" %.2f raft messages,", c.MessagesPerProposal)
	}
	words += fmt.Sprintf(" %.2f datagrams and %.2f syncs each", c.DatagramsPerProposal, c.SyncsPerProposal)
	if c.UserBytes > 0 && t.r.Stats.Disk.Bytes > 0 {
		words += fmt.Sprintf("; %.2f bytes written to disk a byte of user data (%s)", c.WriteAmplification, byteSize(c.UserBytes))
	}
	if b := peaks(t.r.Stats.Backlogs); b != (BacklogStats{}) {
		words += fmt.Sprintf("; at most %s of entries waited on a store to be durable, %s to be applied", byteSize(b.Append), byteSize(b.Apply))
	}
	t.labelled("cost", words)
}

// peaks are the highest of all stores.
func peaks(stores []BacklogStats) (most BacklogStats) {
	for _, b := range stores {
		most.Append, most.Apply = max(most.Append, b.Append), max(most.Apply, b.Apply)
	}
	return most
}

// costTable is the cost as the page shows it.
func costTable(s *Stats) pageTable {
	c := &s.Cost
	t := figures("Cost", figure{"proposals", c.Proposals}, figure{"proposals of clients' commands", s.Commits.Proposals},
		figure{"bytes of user data", c.UserBytes})
	for _, r := range []struct {
		name  string
		value float64
	}{
		{"raft messages a proposal", c.MessagesPerProposal},
		{"datagrams a proposal", c.DatagramsPerProposal},
		{"syncs a proposal", c.SyncsPerProposal},
		{"bytes written a byte of user data", c.WriteAmplification},
	} {
		t.Rows = append(t.Rows, []string{r.name, fmt.Sprintf("%.2f", r.value)})
	}
	return t
}
