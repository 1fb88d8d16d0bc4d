package cluster

import "simrun/nodes/client"

// Commits counts how transactions were committed, over all processes, and what it
// took.
type Commits struct {
	TwoPhase, Async, OnePhase Mode
	// Proposals are those of all commands of clients to all stores: of transactions
	// that failed, of locks and their resolution, and of raw writes too.
	Proposals uint64
}

// Mode counts the transactions that were committed in one way, and the rounds of
// requests until their clients had the answer.
type Mode struct {
	Transactions, Rounds uint64
}

// Commits returns what was counted so far.
func (c *Cluster) Commits() Commits { return c.commits }

func (c *Commits) count(mode client.CommitMode, rounds int) {
	m := &c.TwoPhase
	switch mode {
	case client.TwoPhase:
	case client.AsyncCommit:
		m = &c.Async
	case client.OnePhase:
		m = &c.OnePhase
	}
	m.Transactions++
	m.Rounds += uint64(rounds)
}
