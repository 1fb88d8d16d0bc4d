package isolation

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"

	"simrun/sim/history"
)

// index is a history arranged by keys and versions. Transactions and keys are
// numbered; keys in their own order, so that a scan's range is a range of
// numbers.
type index struct {
	h    *history.History
	txns []txn
	keys []key
	ids  map[string]int32 // the numbers of the keys by name
	// opKeys holds the key number of every operation of every transaction, one
	// transaction after another; txn.first says where its own begin.
	opKeys  []int32
	fates   []fate   // of each transaction
	starts  []uint64 // of each transaction, its start timestamp
	byStart []int32  // transactions in the order of start timestamps
	answers answers
	undated int // transactions of which it is not known when their statements were invoked
	// outside are transactions without timestamps that may have been committed and wrote
	// something, strangers what they wrote by key.
	outside   []*history.TxnRecord
	strangers map[int32]*strangers
	passed    passed // answers that may be of strangers
}

// fate is what became of a transaction.
type fate uint8

const (
	open      fate = iota // not known
	committed             // acknowledged, or seen by somebody
	aborted               // failed, or not seen by somebody who should have
)

// txn is a transaction.
type txn struct {
	op    *history.Op
	rec   *history.TxnRecord
	first int32 // index of its first operation in opKeys
	known bool  // the record has the commit timestamp
	// lo and hi bound the commit timestamp, and are equal if the record has it. Otherwise
	// answers bring them closer: hi is where its writes were there, lo is above its locks,
	// and above what its writes have replaced.
	lo, hi uint64
}

// initial is the number of the transaction that wrote the initial state.
const initial = -1

// version is what one transaction last wrote to a key.
type version struct {
	txn    int32
	absent bool
	list   bool   // value is what was appended to the version before
	value  string // settle replaces an appended value by the whole list
	commit uint64 // of its transaction; if that is not known, the lowest that it may be by the record alone
}

// key is one key with all versions that may be there.
type key struct {
	name string
	// versions whose commit timestamps are known, in their order, beginning
	// with the initial one. Until settle they include those of open
	// transactions.
	versions []version
	// floating are versions whose commit timestamps are not known.
	floating []version
	locks    []int32 // transactions that locked the key without writing it
	unsure   bool    // a version belongs to an open transaction, or floats
	lists    bool    // some version was appended
	plain    bool    // some version was written or deleted, not appended
	vague    bool    // an open transaction appended an element that is not its alone
	free     bool    // nobody knows what it held at first
}

// newIndex arranges the transactions that have timestamps.
func newIndex(h *history.History) *index {
	ix := arrange(h, func(x *history.TxnRecord) bool { return x.StartTS != 0 })
	ix.collectAnswers()
	ix.learnInitial()
	return ix
}

// arrange is newIndex of the transactions that are wanted, without the answers.
func arrange(h *history.History, wanted func(*history.TxnRecord) bool) *index {
	ix := &index{h: h}
	ix.collectTxns(wanted)
	ix.collectStrangers(wanted)
	ix.collectKeys()
	ix.collectStrange()
	writers := make([]int32, len(ix.keys))
	for t := range ix.txns {
		ix.addWrites(int32(t), writers) // fewer than 2^31 transactions
	}
	for k := range ix.keys {
		ix.sortVersions(&ix.keys[k])
	}
	ix.byStart = rising(ix.starts)
	return ix
}

func (ix *index) collectTxns(wanted func(*history.TxnRecord) bool) {
	n := len(ix.h.Ops)
	ix.txns, ix.starts, ix.fates = make([]txn, 0, n), make([]uint64, 0, n), make([]fate, 0, n)
	ops := 0
	for i := range ix.h.Ops {
		op := &ix.h.Ops[i]
		if op.Kind != history.Txn || op.Txn == nil || !wanted(op.Txn) {
			continue
		}
		t := txn{op: op, rec: op.Txn, first: int32(ops), known: op.Txn.CommitTS != 0, lo: op.Txn.CommitTS, hi: op.Txn.CommitTS} // fewer than 2^31 operations
		if !t.known {
			t.lo, t.hi = t.rec.HeldUntil()+1, math.MaxUint64
		}
		ix.txns = append(ix.txns, t)
		ix.starts = append(ix.starts, op.Txn.StartTS)
		ix.fates = append(ix.fates, told(op.Outcome))
		ops += len(op.Txn.Ops)
	}
	ix.opKeys = make([]int32, ops)
}

// told is the fate of a transaction by what its client was told.
func told(o history.Outcome) fate {
	switch o {
	case history.OK:
		return committed
	case history.Failed:
		return aborted
	case history.Unknown:
	}
	return open
}

// collectKeys numbers the keys in their order. While it meets them it numbers them
// as they come, so that the name of an operation's key is looked up once.
func (ix *index) collectKeys() {
	ix.ids = map[string]int32{}
	var names []string
	var writes []int // by key, how many operations may add versions of known timestamps
	number := func(name string) int32 {
		id, ok := ix.ids[name]
		if !ok {
			id = int32(len(names))     // fewer than 2^31 keys
			name = strings.Clone(name) // so that all names lie together, which are compared all the time
			ix.ids[name] = id
			names, writes = append(names, name), append(writes, 0)
		}
		return id
	}
	for name := range ix.h.Initial {
		number(name)
	}
	for i := range ix.txns {
		t := &ix.txns[i]
		for j := range t.rec.Ops {
			op, id := &t.rec.Ops[j], int32(-1)
			if op.Kind != history.TxnScan {
				id = number(op.Key)
			} else if ix.h.InitialUnknown { // what it shows may be of keys that nobody else names
				for p := range op.Pairs {
					number(op.Pairs[p].Key)
				}
			}
			if op.Kind.Writes() && t.known && ix.fates[i] != aborted {
				writes[id]++
			}
			ix.opKeys[int(t.first)+j] = id
		}
	}
	for _, t := range ix.outside {
		for j := range t.Ops {
			if t.Ops[j].Kind.Writes() {
				number(t.Ops[j].Key)
			}
		}
	}
	ix.sortKeys(names, writes)
}

// sortKeys replaces the numbers of the keys by those of their order. Each key has
// room for its versions in one array that holds them all.
func (ix *index) sortKeys(names []string, writes []int) {
	room := len(names) // for the initial versions
	for _, n := range writes {
		room += n
	}
	versions := make([]version, room)
	ix.keys = make([]key, len(names))
	numbers := make([]int32, len(names))
	for i, name := range slices.Sorted(slices.Values(names)) {
		met := ix.ids[name]
		numbers[met], ix.ids[name] = int32(i), int32(i) // fewer than 2^31 keys
		v, ok := ix.h.Initial[name]
		versions[0] = version{txn: initial, absent: !ok, value: v}
		end := 1 + writes[met]
		ix.keys[i] = key{name: name, versions: versions[:1:end], free: !ok && ix.h.InitialUnknown}
		versions = versions[end:]
	}
	for i, met := range ix.opKeys {
		if met >= 0 {
			ix.opKeys[i] = numbers[met]
		}
	}
}

// keyOf returns the number of the key of a transaction's j-th operation.
func (ix *index) keyOf(t *txn, j int) int32 { return ix.opKeys[int(t.first)+j] }

// addWrites adds the versions that a transaction makes if it commits: the last
// write of each key counts, appends add up. By key, writers has one more than the
// transaction that wrote it last.
func (ix *index) addWrites(n int32, writers []int32) {
	t := &ix.txns[n]
	if ix.fates[n] == aborted {
		return
	}
	for j := range t.rec.Ops {
		op := &t.rec.Ops[j]
		if !op.Kind.Writes() {
			continue
		}
		id := ix.keyOf(t, j)
		k := &ix.keys[id]
		if op.Kind == history.TxnLock {
			k.locks = append(k.locks, n)
			continue
		}
		versions := &k.versions
		if !t.known {
			versions = &k.floating
		}
		if writers[id] == n+1 {
			last := len(*versions) - 1
			(*versions)[last] = combine((*versions)[last], op)
		} else {
			*versions = append(*versions, combine(version{txn: n, absent: true, list: true, commit: t.lo}, op))
			writers[id] = n + 1
		}
		k.lists = k.lists || op.Kind == history.TxnAppend
		k.plain = k.plain || op.Kind != history.TxnAppend
		k.unsure = k.unsure || ix.fates[n] == open || !t.known
	}
}

// combine applies one more write of the same transaction.
func combine(v version, op *history.TxnOp) version {
	switch op.Kind {
	case history.TxnWrite:
		return version{txn: v.txn, value: *op.Value, commit: v.commit}
	case history.TxnDelete:
		return version{txn: v.txn, absent: true, commit: v.commit}
	case history.TxnAppend:
		v.value, v.absent = join(v.value, *op.Value), false
	case history.TxnRead, history.TxnScan, history.TxnLock:
	}
	return v
}

// join puts an element at the end of a space-separated list.
func join(list, element string) string {
	if list == "" {
		return element
	}
	return list + " " + element
}

func (ix *index) sortVersions(k *key) {
	slices.SortStableFunc(k.versions[1:], func(a, b version) int {
		return cmp.Compare(a.commit, b.commit)
	})
}

func (ix *index) fateOf(v *version) fate {
	if v.txn == initial {
		return committed
	}
	return ix.fates[v.txn]
}

// upTo returns how many of the key's versions were committed at or before ts.
func (ix *index) upTo(k *key, ts uint64) int {
	return sort.Search(len(k.versions), func(i int) bool { return k.versions[i].commit > ts })
}

// settle takes the versions of transactions that were not committed away from
// the keys without lists, and of lists also those of open ones (nobody has seen
// them), and writes out the lists. Afterwards a key is unsure only if a version
// is open or floats still.
func (ix *index) settle() {
	for i := range ix.keys {
		k := &ix.keys[i]
		gone := func(v version) bool {
			f := ix.fateOf(&v)
			return f == aborted || (f == open && k.lists)
		}
		k.versions = slices.DeleteFunc(k.versions, gone)
		k.floating = slices.DeleteFunc(k.floating, gone)
		k.unsure = len(k.floating) > 0 || slices.ContainsFunc(k.versions, func(v version) bool { return ix.fateOf(&v) == open })
		if k.lists {
			k.writeOut()
		}
	}
}

// writeOut replaces what was appended by the whole list. All versions between
// two plain writes share one string, of which each is a prefix.
func (k *key) writeOut() {
	for from := 0; from < len(k.versions); {
		to := from + 1
		for to < len(k.versions) && k.versions[to].list {
			to++
		}
		var whole []byte
		ends := make([]int, 0, to-from)
		for i := from; i < to; i++ {
			v := &k.versions[i]
			if len(whole) > 0 && v.value != "" {
				whole = append(whole, ' ')
			}
			whole = append(whole, v.value...)
			ends = append(ends, len(whole))
		}
		text := string(whole)
		for i, end := range ends {
			k.versions[from+i].value = text[:end]
		}
		from = to
	}
}
