// Package history is the record of what the clients of a simulated system did
// and saw: one Op per operation, in JSON lines, in the order of return.
//
// It knows nothing of the simulator, so that a checker can read a history from
// anywhere.
package history

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
)

// Op is one operation of one client. A client (Client) is sequential: its
// operations do not overlap.
type Op struct {
	ID      int     `json:"id"`     // unique in the history
	Client  int     `json:"client"` // the sequential process that issued it
	Kind    Kind    `json:"kind"`
	Invoke  int64   `json:"invoke"` // true virtual time in nanoseconds
	Return  int64   `json:"return"` // likewise; for Unknown the time at which the client gave up
	Outcome Outcome `json:"outcome"`
	Error   string  `json:"error,omitempty"` // why it is not ok, for people
	Phase   string  `json:"phase,omitempty"` // boot, storm, calm or audit

	Key      string  `json:"key,omitempty"`
	Value    *string `json:"value,omitempty"`
	Expected *string `json:"expected,omitempty"`
	Swapped  bool    `json:"swapped,omitempty"`

	Txn *TxnRecord `json:"txn,omitempty"`
}

// TxnRecord is what a transaction did. For an outcome of OK, CommitTS is set
// unless it wrote nothing. For Unknown it is set if the client got far enough
// to know with which timestamp the transaction would have committed.
type TxnRecord struct {
	StartTS  uint64  `json:"start_ts"`
	CommitTS uint64  `json:"commit_ts,omitempty"`
	Ops      []TxnOp `json:"ops"`
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

// TxnOp is one operation inside a transaction.
type TxnOp struct {
	Kind    TxnKind `json:"f"`
	Key     string  `json:"key"`
	Value   *string `json:"value,omitempty"`
	EndKey  string  `json:"end_key,omitempty"` // exclusive; empty: no bound
	Limit   int     `json:"limit,omitempty"`   // 0: none
	Reverse bool    `json:"reverse,omitempty"`
	Pairs   []Pair  `json:"pairs,omitempty"`
}

// Pair is one key and its value, as a scan returns them.
type Pair struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}
