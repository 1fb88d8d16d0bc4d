package verdict

// Anomaly is the name of what went wrong, in the words of Adya's thesis where
// it has one, of Elle and Jepsen where they extend it, and plain where the
// matter is not one of isolation.
type Anomaly string

// Anomalies of isolation.
const (
	G0             Anomaly = "G0"                 // dirty write: write dependencies form a cycle
	G1a            Anomaly = "G1a"                // aborted read
	G1b            Anomaly = "G1b"                // intermediate read
	G1c            Anomaly = "G1c"                // circular information flow
	GSIa           Anomaly = "G-SIa"              // interference: a dependency on a transaction that had not committed at the start
	GSIb           Anomaly = "G-SIb"              // missed effects: a transaction committed before the start is not seen
	GSingle        Anomaly = "G-single"           // read skew: one transaction is seen in part
	GNonadjacent   Anomaly = "G-nonadjacent"      // a cycle of which no two anti-dependencies are adjacent
	LongFork       Anomaly = "long-fork"          // the shortest of these: two readers see two writers in opposite orders
	G2Item         Anomaly = "G2-item"            // write skew; snapshot isolation allows it
	G2             Anomaly = "G2"                 // write skew by what a range did not hold; snapshot isolation allows it
	LostUpdate     Anomaly = "lost-update"        // P4: an update was overwritten by one that had not seen it
	Internal       Anomaly = "internal"           // a transaction does not see its own writes
	GarbageRead    Anomaly = "garbage-read"       // a value that nobody wrote
	Phantom        Anomaly = "phantom"            // a scan lacks a key, or has one too many
	ScanOrder      Anomaly = "scan-order"         // a scan's keys are out of order, out of range, or more than the limit
	DuplicateWrite Anomaly = "duplicate"          // an append took effect twice
	WriteOrder     Anomaly = "incompatible-order" // a list's elements are not in the order of commit
)

// Anomalies of time.
const (
	SessionOrder   Anomaly = "strong-session"      // a client's transaction is ordered before its earlier one
	RealTimeOrder  Anomaly = "real-time"           // a transaction is ordered before one that ended before it began
	TimestampOrder Anomaly = "timestamp-order"     // timestamps contradict real time or one another
	TimestampDup   Anomaly = "duplicate-timestamp" // the oracle handed out a timestamp twice
)

// Anomalies of single objects and invariants.
const (
	NotLinearizable Anomaly = "not-linearizable"
	BankTotal       Anomaly = "bank-total"
	BankNegative    Anomaly = "bank-negative"
	BankAccounts    Anomaly = "bank-accounts" // a full read lacks an account, or has one too many
)

// Anomalies of tables.
const (
	AnswersDiffer Anomaly = "answers-differ" // two answers of one snapshot contradict each other
	IndexMissing  Anomaly = "index-missing"  // a row without its entry in an index
	IndexOrphan   Anomaly = "index-orphan"   // an entry of an index, or another key, without its row or table
	NotUnique     Anomaly = "not-unique"     // two rows with the same unique value
	RangeEarly    Anomaly = "range-early"    // the keys of a dropped table or index were removed before a safe point was past the drop
	RangeWritten  Anomaly = "range-written"  // a dropped table or index was written
	RangeLeft     Anomaly = "range-left"     // the keys of a dropped table or index are left, though they were or should have been removed
)

// Anomalies of stored state.
const (
	ReplicaDiverged Anomaly = "replica-diverged" // two replicas differ at the same applied index
	OutOfRange      Anomaly = "out-of-range"     // a store holds data that belongs to none of its regions
	RegionMap       Anomaly = "region-map"       // a key belongs to no region, or to more than one
	MembersConflict Anomaly = "members-conflict" // who is alive of a region is not who its configuration names
	RecordCorrupt   Anomaly = "record-corrupt"   // a key or record does not decode
	RecordConflict  Anomaly = "record-conflict"  // records of one transaction contradict one another
	ValueMissing    Anomaly = "value-missing"    // a record refers to a value that is not there
	ValueOrphan     Anomaly = "value-orphan"     // a value that no record refers to
	LockLeft        Anomaly = "lock-left"        // a committed transaction's lock that a reader met and did not resolve
	GarbageLeft     Anomaly = "garbage-left"     // a version that a whole round of garbage collection had to remove
	LostCommit      Anomaly = "lost-commit"      // an acknowledged commit has no record
	UndeadAbort     Anomaly = "undead-abort"     // a failed transaction has a commit record, or locks that commit it
	Misplaced       Anomaly = "misplaced"        // a region has too few or too many replicas, or one where none should be
	Unbalanced      Anomaly = "unbalanced"       // one store has much more to do than another that could help
	Unmerged        Anomaly = "unmerged"         // neighbours that are small were not merged
	StaleDirectory  Anomaly = "stale-directory"  // what the placement driver tells of stores and regions is not so
	SnapshotLeft    Anomaly = "snapshot-left"    // a snapshot that nobody needs is still there, or still being applied
)

// Anomalies of consensus.
const (
	ElectionSafety     Anomaly = "election-safety"
	LeaderAppendOnly   Anomaly = "leader-append-only"
	LogMatching        Anomaly = "log-matching"
	LeaderCompleteness Anomaly = "leader-completeness"
	StateMachineSafety Anomaly = "state-machine-safety"
	SecondVote         Anomaly = "second-vote"
	NotDurable         Anomaly = "not-durable"
	Resurrected        Anomaly = "resurrected"
	ConfigConflict     Anomaly = "configuration-conflict"
	StaleRead          Anomaly = "stale-read"
)

// Describe returns what the anomaly's name stands for, in a few words.
func (a Anomaly) Describe() string { return describe()[a] }

// describe is a function, not a variable, so that nobody can change it.
func describe() map[Anomaly]string {
	return map[Anomaly]string{
		G0:                 "dirty write",
		G1a:                "aborted read",
		G1b:                "intermediate read",
		G1c:                "circular information flow",
		GSIa:               "interference: a dependency on a transaction that had not committed when this one started",
		GSIb:               "missed effects: a transaction that committed before the start is not seen",
		GSingle:            "read skew: a transaction is seen in part",
		GNonadjacent:       "a cycle of which no two anti-dependencies are adjacent",
		LongFork:           "long fork: two readers see two writers in opposite orders",
		G2Item:             "write skew",
		G2:                 "write skew by predicate: somebody inserted what another one's range did not hold",
		LostUpdate:         "lost update (P4)",
		Internal:           "a transaction does not see its own write",
		GarbageRead:        "a value that nobody wrote",
		Phantom:            "an incomplete scan, or one that returns too much",
		ScanOrder:          "a scan out of order, range or limit",
		DuplicateWrite:     "an append that took effect twice",
		WriteOrder:         "appends that are not in the order of commit",
		SessionOrder:       "a session goes back in time",
		RealTimeOrder:      "commit order contradicts real time",
		TimestampOrder:     "timestamps contradict real time",
		TimestampDup:       "a timestamp handed out twice",
		NotLinearizable:    "no order of the operations explains the results",
		BankTotal:          "the total changed",
		BankNegative:       "an overdrawn account",
		BankAccounts:       "a full read of the wrong accounts",
		ReplicaDiverged:    "replicas differ at the same applied index",
		OutOfRange:         "data that belongs to none of its store's regions",
		RegionMap:          "keys that belong to no region, or to more than one",
		RecordCorrupt:      "a record that does not decode",
		MembersConflict:    "other peers than the members of a region",
		RecordConflict:     "contradicting records of one transaction",
		ValueMissing:       "a value that is not there",
		ValueOrphan:        "a value that no record refers to",
		LockLeft:           "a lock of a committed transaction that a reader has met and not resolved",
		GarbageLeft:        "a version that garbage collection had to remove",
		LostCommit:         "an acknowledged commit without a record",
		UndeadAbort:        "a failed transaction that is committed",
		ElectionSafety:     "two leaders in one term",
		LeaderAppendOnly:   "a leader changes its own log",
		LogMatching:        "two logs differ before an entry that both have",
		LeaderCompleteness: "a leader lacks what was committed",
		StateMachineSafety: "two peers apply, or take for committed, different entries at one index",
		SecondVote:         "a term or a vote is taken back",
		NotDurable:         "something was acknowledged, or lost, that was not, or was, on disk",
		Resurrected:        "a peer comes back that was removed, or an id is given twice",
		ConfigConflict:     "peers disagree on the range or the members of their group",
		StaleRead:          "a read misses what was committed before it began",
		SnapshotLeft:       "a snapshot that nobody needs, or that is applied for ever",
		Misplaced:          "replicas that are missing, left over or on stores that should hold nothing",
		Unbalanced:         "leaders or replicas that are spread unevenly",
		Unmerged:           "small regions side by side, which should have been merged",
		StaleDirectory:     "a directory of stores and regions that is not what the stores hold",
		AnswersDiffer:      "two answers of one snapshot that contradict each other",
		IndexMissing:       "a row that an index lacks",
		IndexOrphan:        "an index entry without a row",
		NotUnique:          "two rows with the same unique value",
		RangeEarly:         "a dropped table or index that was removed too early",
		RangeWritten:       "a dropped table or index that was written",
		RangeLeft:          "keys of a dropped table or index that should be gone",
	}
}
