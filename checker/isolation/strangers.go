package isolation

import "simrun/sim/history"

// Transactions without a start timestamp are not in the index, and nobody knows where
// among the versions of a key those stand that they wrote. An answer that may be one of
// theirs proves nothing, neither that something else was committed nor that it was not,
// and what it should have been cannot be told. So it is as if nobody had asked, and the
// result says how many such answers there are. All others are of versions in the index:
// what strangers wrote was overwritten by then, or was not there yet, and may have hidden a
// version from somebody, but shows none to anybody. So what is said of these answers is
// true whatever strangers did.

// strangers are what transactions outside the index have written to one key, if they may
// have been committed.
type strangers struct {
	wrote map[content]struct{}
	list  bool // they appended it to something
}

// collectStrangers collects them. Of a read nobody knows more than its answer, of one that
// failed nobody sees anything.
func (ix *index) collectStrangers(wanted func(*history.TxnRecord) bool) {
	for i := range ix.h.Ops {
		op := &ix.h.Ops[i]
		if op.Kind == history.Txn && op.Txn != nil && op.Outcome != history.Failed && !wanted(op.Txn) && op.Txn.Writes() {
			ix.outside = append(ix.outside, op.Txn)
		}
	}
}

// collectStrange arranges what they wrote by keys, when these have their numbers.
func (ix *index) collectStrange() {
	ix.strangers = map[int32]*strangers{}
	for _, t := range ix.outside {
		for i := range t.Ops {
			op := &t.Ops[i]
			if !op.Kind.Writes() || op.Kind == history.TxnLock {
				continue
			}
			s := ix.strangers[ix.ids[op.Key]]
			if s == nil {
				s = &strangers{wrote: map[content]struct{}{}}
				ix.strangers[ix.ids[op.Key]] = s
			}
			s.list = s.list || op.Kind == history.TxnAppend
			c := content{absent: op.Value == nil}
			if op.Value != nil {
				c.value = *op.Value
			}
			s.wrote[c] = struct{}{}
		}
	}
}

// strange says whether an answer about a key may be of a stranger. In a list his elements
// may stand among those of others.
func (ix *index) strange(key int32, c content) bool {
	s := ix.strangers[key]
	if s == nil {
		return false
	}
	_, wrote := s.wrote[c]
	return wrote || s.list || ix.keys[key].lists
}

// passed counts the answers that were passed over, and has the key of the first one.
type passed struct {
	count int
	key   int32
}

// strangely notes that an answer about a key may be of a stranger.
func (ix *index) strangely(key int32) {
	if ix.passed.count == 0 {
		ix.passed.key = key
	}
	ix.passed.count++
}
