// Package history is the record of what the clients of a simulated system did
// and saw: one Op per operation, in JSON lines, in the order of return.
//
// Clients record through a Recorder, which also streams every operation to a
// file the moment it ends. Load reads such a file back, strictly; the
// subpackage jepsen reads and writes the formats of other tools.
//
// It knows nothing of the simulator, so that a checker can read a history from
// anywhere.
package history

import "encoding/hex"

// History is a header and the operations, in the order of return.
type History struct {
	Header
	Ops []Op
	// Unjudged is why operations on registers cannot be judged: what another tool recorded of
	// them is of a form that is not understood. Empty: they can. No file holds it.
	Unjudged string
}

// Header says where a history comes from and in which state the system was
// before its first operation.
type Header struct {
	// Scenario and Seed are what the run was generated from; histories from elsewhere
	// leave them out.
	Scenario string `json:"scenario,omitempty"`
	Seed     uint64 `json:"seed"`
	// Foreign says that another tool recorded it, so that it is not known what the
	// history was meant to hold.
	Foreign bool `json:"foreign,omitempty"`
	// Numbered says that ids were given from 0 on in the order of invocation. Those that are
	// missing from a history that was cut off then tell since when operations are missing.
	Numbered bool `json:"numbered,omitempty"`

	// Initial holds the keys that were present before the first operation.
	// Other keys were absent.
	Initial map[string]string `json:"initial,omitempty"`
	// InitialUnknown says that nothing is known of keys that Initial does not
	// name: the first read of one defines what it held.
	InitialUnknown bool `json:"initial_unknown,omitempty"`

	// Consistency is the level that the system promises for transactions;
	// empty is snapshot isolation.
	Consistency Consistency `json:"consistency,omitempty"`

	// WriteOnce says that each key is written at most once, so that reads alone
	// determine the order of the versions, without timestamps.
	WriteOnce bool `json:"write_once,omitempty"`

	// Hex says that keys and values of transactions are bytes in hexadecimal; they are
	// ordered as bytes.
	Hex bool `json:"hex,omitempty"`
	// Tables says that transactions read tables and that clients compared their
	// answers: see TxnRecord.Compared.
	Tables bool `json:"tables,omitempty"`

	// Bank, if set, says that the keys are accounts with a constant total.
	Bank *Bank `json:"bank,omitempty"`
}

// Text returns bytes as the operations have them.
func (h *Header) Text(b string) string {
	if h.Hex {
		return hex.EncodeToString([]byte(b))
	}
	return b
}

// Bytes is the inverse of Text. What is no such text is returned as it is.
func (h *Header) Bytes(text string) string {
	if h.Hex {
		if b, err := hex.DecodeString(text); err == nil {
			return string(b)
		}
	}
	return text
}

// Consistency is a level of isolation of transactions.
type Consistency string

// The levels that a history can promise.
const (
	SnapshotIsolation  Consistency = ""
	Serializable       Consistency = "serializable"        // snapshot isolation, and the workload locks what would skew
	StrictSerializable Consistency = "strict-serializable" // one multi-register, linearizable
)

// Bank is the invariant of a bank workload: every transfer moves money between
// two accounts, so every consistent view of all accounts has the same total.
type Bank struct {
	Accounts []string `json:"accounts"` // their keys; if empty, those that the first full read returns
	// Total is the sum over all accounts. If omitted (foreign histories do not state it), the first full
	// read defines it.
	Total *int64 `json:"total,omitempty"`
	// Negative allows overdrawn accounts.
	Negative bool `json:"negative,omitempty"`
	// Closable allows accounts to be absent; an absent account holds nothing.
	Closable bool `json:"closable,omitempty"`
}

// Outcome is what the client knows of its operation's fate.
type Outcome string

// The three outcomes. Unknown is not failed: an operation of unknown outcome
// may take effect at any time after its invocation, or never.
const (
	OK      Outcome = "ok"
	Failed  Outcome = "failed" // it definitely had and will have no effect
	Unknown Outcome = "unknown"
)

// Kind is the kind of an operation.
type Kind string

// The kinds of operations. A workload of one's own may use others; a checker
// passes over the kinds that it does not know.
const (
	Read  Kind = "read"  // one register: Key; result Value (nil: absent)
	Write Kind = "write" // one register: Key, Value (nil: delete)
	CAS   Kind = "cas"   // one register: Key, Expected (nil: absent), Value; Swapped tells the result
	Txn   Kind = "txn"   // a transaction: Txn

	Append  Kind = "append"  // one register: Value is joined to the end of the string that is there
	Acquire Kind = "acquire" // the mutex Key
	Release Kind = "release" // the mutex Key

	Timestamp Kind = "timestamp" // of an oracle; result Value, a number in decimal
)

// Op is one operation of one client. A client (Client) is sequential: its
// operations do not overlap.
type Op struct {
	ID      int     `json:"id"`              // unique in the history
	Client  int     `json:"client"`          // the sequential process that issued it
	Kind    Kind    `json:"kind"`            // what it does
	Invoke  int64   `json:"invoke"`          // when it was invoked: true virtual time in nanoseconds
	Return  int64   `json:"return"`          // when it returned; for Unknown, when the client gave up
	Outcome Outcome `json:"outcome"`         // what the client knows of the outcome: OK, Failed or Unknown
	Error   string  `json:"error,omitempty"` // why it is not ok, for people
	Phase   string  `json:"phase,omitempty"` // boot, storm, calm or audit
	// Note is what the client was doing, for people: the name of a program, by which
	// reports count outcomes, and perhaps values after it.
	Note string `json:"note,omitempty"`

	// Key, Value, Expected and Swapped mean what Kind says of them. An omitted value is
	// absent.
	Key      string  `json:"key,omitempty"`
	Value    *string `json:"value,omitempty"`
	Expected *string `json:"expected,omitempty"`
	Swapped  bool    `json:"swapped,omitempty"`

	// Txn is what it did, if it is a transaction; then it has none of the four fields above.
	Txn *TxnRecord `json:"txn,omitempty"`
}

// TxnRecord is what a transaction did. A transaction that came from a tool
// without timestamps has a StartTS of zero. For an outcome of OK, CommitTS is set
// unless it wrote nothing. For Unknown it is set if the client got far enough
// to know with which timestamp the transaction would have committed.
type TxnRecord struct {
	// StartTS is the timestamp of the snapshot that it reads, CommitTS that of its commit.
	StartTS  uint64 `json:"start_ts"`
	CommitTS uint64 `json:"commit_ts,omitempty"`
	// Calculated says that the stores calculated the commit timestamp (async commit,
	// one-phase commit) and did not draw it from the oracle: another timestamp may
	// have the same value.
	Calculated bool `json:"calculated,omitempty"`
	// Newest says that it is a single read of the newest version of one key, without a
	// timestamp. It has to return what was newest at some instant between invocation and
	// return.
	Newest bool `json:"newest,omitempty"`
	// AsOf says that it reads the past: the client reused a timestamp that it had been
	// given before as StartTS. Other transactions have it too, and what was committed
	// since must not be visible.
	AsOf bool `json:"as_of,omitempty"`
	// Pessimistic says that it locked keys before writing them: TxnLock operations
	// with a TxnOp.TS. Of these keys it has seen the newest version at that timestamp, and
	// nobody may have changed them between then and its commit.
	Pessimistic bool `json:"pessimistic,omitempty"`
	// ReadCommitted says that each of its statements sees what is committed when it is
	// invoked: all its reads have a TxnOp.TS, except those of keys that it has written.
	ReadCommitted bool `json:"read_committed,omitempty"`
	// Statements are those with a timestamp of their own, in the order of issue. If there
	// are none although operations have a TxnOp.TS, it is not known when they were issued.
	Statements []Statement `json:"statements,omitempty"`
	// Ops are its reads and writes, in the order in which the client issued them.
	Ops []TxnOp `json:"ops"`
	// Compared counts the answers that the client compared with others of the same
	// transaction, such as an index range with the rows; Problem is what did not
	// agree.
	Compared int    `json:"compared,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

// Statement is a read, or a locking of keys, that was given a timestamp of its own:
// it sees all that was acknowledged before it was invoked. One statement may be
// several operations, those with its TS.
type Statement struct {
	TS     uint64 `json:"ts"`     // its timestamp
	Invoke int64  `json:"invoke"` // when it was issued, between Op.Invoke and Op.Return
}

// Writes says whether the transaction wrote or locked anything.
func (t *TxnRecord) Writes() bool {
	for i := range t.Ops {
		if t.Ops[i].Kind.Writes() {
			return true
		}
	}
	return false
}

// HeldUntil returns the timestamp above which the transaction has to commit: that of its
// start, and of every lock that a pessimistic one was granted. What a store calculates is
// above the for_update_ts of the locks, and what is drawn was drawn after them.
func (t *TxnRecord) HeldUntil() uint64 {
	last := t.StartTS
	if !t.Pessimistic {
		return last
	}
	for i := range t.Ops {
		if op := &t.Ops[i]; op.Kind == TxnLock {
			last = max(last, op.TS)
		}
	}
	return last
}

// TxnKind is the kind of an operation inside a transaction.
type TxnKind string

// The kinds of operations inside a transaction, in the order in which the
// client issued them; a read sees the transaction's own earlier writes.
const (
	TxnRead   TxnKind = "r"      // Key; Value (nil: absent)
	TxnWrite  TxnKind = "w"      // Key, Value
	TxnDelete TxnKind = "d"      // Key
	TxnAppend TxnKind = "append" // Key, Value: one element appended to the space-separated list in Key, by read and write
	TxnScan   TxnKind = "scan"   // Key, EndKey, Limit, Reverse; Pairs
	TxnLock   TxnKind = "lock"   // Key: SELECT FOR UPDATE
)

// Writes says whether an operation of this kind conflicts with another's write
// of its key.
func (k TxnKind) Writes() bool {
	switch k {
	case TxnWrite, TxnDelete, TxnAppend, TxnLock:
		return true
	case TxnRead, TxnScan:
		return false
	}
	return false
}

// TxnOp is one operation inside a transaction.
type TxnOp struct {
	Kind    TxnKind `json:"f"`                 // what it does
	Key     string  `json:"key"`               // the key, or the first of a scan's range
	Value   *string `json:"value,omitempty"`   // what was read or is written; absent if it is left out
	EndKey  string  `json:"end_key,omitempty"` // end of a scan's range, exclusive; empty: no bound
	Limit   int     `json:"limit,omitempty"`   // the most pairs that a scan asked for; 0: any
	Reverse bool    `json:"reverse,omitempty"` // a scan from the end of its range to its beginning
	Pairs   []Pair  `json:"pairs,omitempty"`   // what a scan returned, in its direction
	// TS is the timestamp at which it saw the database, if that is not the start
	// timestamp of the transaction: for reads for update and locks of a pessimistic
	// transaction, and for all reads under read committed. It is that of one of
	// TxnRecord.Statements.
	TS uint64 `json:"ts,omitempty"`
}

// Pair is one key and its value, as a scan returns them.
type Pair struct {
	Key   string `json:"k"` // the key
	Value string `json:"v"` // what it held
}
