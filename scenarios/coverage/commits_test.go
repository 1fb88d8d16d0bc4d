package coverage

import (
	"slices"

	"simrun/sim/plan"
)

// promiseCommits lists what the ways in which a scenario's transactions lock and
// commit are dangerous for.
func (c *coverage) promiseCommits() {
	k := &c.scenario.Knobs
	if slices.Contains(k.CommitMode, plan.AsyncCommit) {
		c.want(markSeen, "client: committed asynchronously", "client: async commit fell back to two phases",
			"client: lock of an async-commit transaction met",
			"txn: minimal commit timestamp above the maximal one, fell back")
	}
	if slices.Contains(k.CommitMode, plan.OnePhase) {
		c.want(markSeen, "client: committed in one phase")
		if c.scenario.Workload.Name != "long-fork" { // whose transactions write one key
			c.want(markSeen, "client: transaction too large for one request, no one-phase commit")
		}
	}
	if len(k.Pessimistic) > 0 {
		c.want(markSeen, "txn: pessimistic lock met the lock of another transaction", "txn: wait for a pessimistic lock ended with its release",
			"client: statement repeated at a later timestamp", "client: locks of a failed statement released")
	}
	switch c.scenario.Name {
	case "bank":
		c.want(markSeen, "txn: commit timestamp not chosen, max_ts is not synchronised")
	case "deadlock":
		c.want(markSeen, "txn: deadlock found", "client: statement ended by a deadlock", "txn: wait for a pessimistic lock timed out",
			"txn: several requests waited for one lock", "txn: wait for a pessimistic lock refused, too many wait",
			"client: pessimistic lock asked for again at once, for a store had waited for it",
			"client: statement repeated, for a lock of its own had closed a circle of waits")
	case "tickets":
		c.want(markSeen, "sql: deadlock ended a transaction", "table: statement ran again, for others came between",
			"table: duplicate told at a statement that reads what is newest", "table: absent key locked",
			"table: plain read merged with rows that a pessimistic transaction has changed",
			"table: own version of a row instead of the snapshot's, which has other entries",
			"table: statement looked at the version of the schema",
			"client: statement read again at a later timestamp, for what it read was overtaken",
			"client: statement that read what is newest had nothing more to lock",
			"client: statement read again does without the key that was to be the primary",
			"client: statement that was not to wait met a lock", "client: statement waited for locks for as long as it was to")
	case "client-crash":
		c.want(markSeen, "client: async-commit transaction found committed by its locks",
			"client: async-commit transaction rolled back, a secondary key had no lock",
			"client: transaction rolled back by us on expiry of its lock", "client: lock met of a committed transaction")
	case "large":
		c.want(markSeen, "client: locks of a large transaction resolved by their region",
			"client: several locks of a large transaction met, and their region resolved once",
			"client: transaction too large for async commit",
			"client: keys of one region prewritten by several requests", "client: keys of one prewrite found in several regions",
			"client: prewrite outlived the first TTL of its primary, which heartbeats kept alive",
			"client: async-commit transaction found committed by its locks",
			"client: async-commit transaction rolled back, a secondary key had no lock")
		c.want(workloadSeen, "more than 256 lists appended to at once")
	case "lost-responses":
		c.promiseLostResponses()
	}
}
