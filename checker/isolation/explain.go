package isolation

import (
	"fmt"
	"slices"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// lookup finds who wrote a value. It is made only when something is wrong.
type lookup struct {
	writes map[int32][]write  // by key
	lists  map[int32]*appends // by key, made when they are first asked for
}

// write is one write operation, whatever became of its transaction.
type write struct {
	txn   int32
	found bool
	value string
	last  bool // no later operation of the transaction writes the key
}

func newLookup(ix *index) *lookup {
	l := &lookup{writes: map[int32][]write{}, lists: map[int32]*appends{}}
	for i := range ix.txns {
		t := &ix.txns[i]
		latest := map[int32]int{} // per key, index in l.writes of the latest write
		for j := range t.rec.Ops {
			op := &t.rec.Ops[j]
			if !op.Kind.Writes() || op.Kind == history.TxnLock {
				continue
			}
			k := ix.keyOf(t, j)
			w := write{txn: int32(i), found: op.Value != nil, last: true} // fewer than 2^31
			if op.Value != nil {
				w.value = *op.Value
			}
			if at, ok := latest[k]; ok {
				l.writes[k][at].last = false
			}
			latest[k] = len(l.writes[k])
			l.writes[k] = append(l.writes[k], w)
		}
	}
	return l
}

// explain names a wrong answer to a read. The right one is the version should. A
// list in which something floats differs from every version, so that its elements
// have to be looked at to tell whether the answer is wrong at all: one that is not
// takes nothing away from the bound, or a history with one such append would not be
// judged beyond its first few hundred reads.
func (c *checker) explain(r *read, should *version) {
	k := &c.ix.keys[r.key]
	doubtful := k.lists && (k.unsure || k.vague)
	if c.wrongs >= explainMax {
		if !doubtful {
			c.wrongs++
		}
		return
	}
	if c.lookup == nil {
		c.lookup = newLookup(c.ix)
	}
	before := len(c.findings)
	c.tell(r, should)
	if !doubtful || len(c.findings) > before {
		c.wrongs++
	}
}

// tell adds the finding of a wrong answer.
func (c *checker) tell(r *read, should *version) {
	if k := &c.ix.keys[r.key]; k.unjudged() {
		if e, of := c.nobodys(r.key, r.value); of {
			c.add(verdict.GarbageRead, r.txn, fmt.Sprintf("%s: nobody wrote %q", c.got(r), e))
		}
		return
	} else if k.lists {
		c.explainList(r, should)
		return
	}
	if c.stale(r, should) || c.early(r) || c.uncommitted(r) {
		return
	}
	if r.found {
		c.add(verdict.GarbageRead, r.txn, c.got(r)+", which nobody wrote", should.txn)
		return
	}
	c.missed(r, should)
}

// unjudged says whether what is wrong with a list cannot be told from what is right: an
// element may be of one transaction or another, or what somebody wrote over it may be
// there or not. An element that nobody wrote is wrong in any case.
func (k *key) unjudged() bool { return k.lists && (k.vague || k.plain && k.unsure) }

// nobodys returns the first element of an answer that nobody wrote.
func (c *checker) nobodys(key int32, value string) (e string, of bool) {
	k := &c.ix.keys[key]
	if k.free {
		return "", false // anything may have been there at first
	}
	if c.lookup == nil {
		c.lookup = newLookup(c.ix)
	}
	owners, first := c.lookup.appendsTo(key).owners, strings.Fields(k.versions[0].value)
	for e := range strings.FieldsSeq(value) {
		if len(owners[e]) == 0 && !slices.Contains(first, e) {
			return e, true
		}
	}
	return "", false
}

// unjudgedLists returns how many lists that somebody read were not judged, and one of them.
func (c *checker) unjudgedLists() (n int, example string) {
	for i := range c.ix.keys {
		k, a := &c.ix.keys[i], &c.ix.answers
		if (a.first[i] < a.first[i+1] && k.unjudged()) || c.passed[int32(i)] { // fewer than 2^31 keys
			if n++; n == 1 {
				example = k.name
			}
		}
	}
	return n, example
}

// got begins the sentence about a wrong answer.
func (c *checker) got(r *read) string {
	how := "read"
	if r.scan {
		how = "scanned"
	}
	return fmt.Sprintf("%s %s %q = %s", c.ix.name(r.txn), how, c.ix.keys[r.key].name, show(r.value, r.found))
}

// stale: the answer is an older version.
func (c *checker) stale(r *read, should *version) bool {
	k := &c.ix.keys[r.key]
	limit := should.commit
	if should.txn != initial {
		limit = c.ix.txns[should.txn].lo
	}
	for i := range k.versions {
		v := &k.versions[i]
		if v.commit < limit && v.is(r) {
			c.missed(r, should)
			return true
		}
	}
	return false
}

// early: the answer is a version committed after the reader's snapshot.
func (c *checker) early(r *read) bool {
	k := &c.ix.keys[r.key]
	for i := c.ix.upTo(k, r.ts); i < len(k.versions); i++ {
		v := &k.versions[i]
		if v.is(r) && v.txn != r.txn {
			c.interference(r, v.txn)
			return true
		}
	}
	return false
}

// interference: the reader depends on a transaction that had not committed when
// it started.
func (c *checker) interference(r *read, writer int32) {
	if c.readsFrom(writer, r.txn) {
		c.add(verdict.G1c, r.txn, fmt.Sprintf("%s, written by %s, which in turn read what this transaction wrote", c.got(r), c.ix.name(writer)), writer)
		return
	}
	c.add(verdict.GSIa, r.txn, fmt.Sprintf("%s, which %s committed after this snapshot was taken", c.got(r), c.ix.name(writer)), writer)
}

// uncommitted: the answer was overwritten before its transaction committed, or
// the transaction did not commit.
func (c *checker) uncommitted(r *read) bool {
	for _, w := range c.lookup.writes[r.key] {
		if w.txn == r.txn || w.found != r.found || w.value != r.value {
			continue
		}
		switch {
		case c.ix.fates[w.txn] == aborted:
			c.add(verdict.G1a, r.txn, fmt.Sprintf("%s, written by %s, which was not committed", c.got(r), c.ix.name(w.txn)), w.txn)
		case !w.last:
			c.add(verdict.G1b, r.txn, fmt.Sprintf("%s, which %s overwrote before it committed", c.got(r), c.ix.name(w.txn)), w.txn)
		default:
			c.interference(r, w.txn)
		}
		return true
	}
	return false
}

// missed: the reader does not see a version that was committed before it
// started. The name depends on what else it saw, and what it did then.
func (c *checker) missed(r *read, should *version) {
	d := should.txn
	message := fmt.Sprintf("%s and missed %s", c.got(r), show(should.value, !should.absent))
	if d == initial {
		c.add(verdict.GSIb, r.txn, message+" of the initial state")
		return
	}
	message += " of " + c.ix.name(d)
	if c.overwrites(r.txn, r.key) {
		c.add(verdict.LostUpdate, r.txn, message+", which it then overwrote", d)
		return
	}
	for _, other := range c.saw(r.txn) {
		switch {
		case c.ix.txns[other.writer].lo > r.ts:
			continue
		case other.writer == d:
			c.add(verdict.GSingle, r.txn, fmt.Sprintf("%s, but saw its %q", message, c.ix.keys[other.key].name), d)
			return
		case c.ix.txns[other.writer].rec.StartTS >= c.ix.txns[d].lo:
			c.add(verdict.GSingle, r.txn, fmt.Sprintf("%s, but saw %q of the later %s",
				message, c.ix.keys[other.key].name, c.ix.name(other.writer)), d, other.writer)
			return
		}
		if fork, ok := c.fork(r, d, other); ok {
			c.add(verdict.LongFork, r.txn, fmt.Sprintf("%s, but saw %q of %s; %s saw them the other way round",
				message, c.ix.keys[other.key].name, c.ix.name(other.writer), c.ix.name(fork)), fork, d, other.writer)
			return
		}
	}
	if r.scan && r.found == should.absent {
		c.add(verdict.Phantom, r.txn, message, d)
		return
	}
	c.add(verdict.GSIb, r.txn, message, d)
}

// overwrites says whether a transaction was committed and wrote the key.
func (c *checker) overwrites(t, k int32) bool {
	if c.ix.fates[t] != committed {
		return false
	}
	for _, w := range c.lookup.writes[k] {
		if w.txn == t {
			return true
		}
	}
	return false
}

// sight is a write that a transaction saw.
type sight struct {
	key    int32
	writer int32
}

// saw returns the committed writes, other than the initial state, whose values
// a transaction's snapshot reads returned. Who deleted a key that is absent
// cannot be told.
func (c *checker) saw(t int32) []sight {
	var out []sight
	w := walker{ix: c.ix, seen: visitor{snapshot: func(r read) {
		k := &c.ix.keys[r.key]
		for i := len(k.versions) - 1; i > 0 && r.found; i-- {
			if v := &k.versions[i]; k.same(v, &r) && v.txn != t {
				out = append(out, sight{key: r.key, writer: v.txn})
				return
			}
		}
	}}}
	w.walk(t)
	return out
}

// readsFrom says whether transaction t read what another one wrote.
func (c *checker) readsFrom(t, writer int32) bool {
	for _, s := range c.saw(t) {
		if s.writer == writer {
			return true
		}
	}
	return false
}

// fork looks for a transaction that saw d's write to the key of r, and missed
// the other one.
func (c *checker) fork(r *read, d int32, other sight) (int32, bool) {
	if c.wrongs > verdict.FindingsMax {
		return 0, false // it takes a pass over the history
	}
	mine, others := &c.ix.keys[r.key], &c.ix.keys[other.key]
	byD, byOther := mine.versionOf(d), others.versionOf(other.writer)
	for i := range c.ix.txns {
		t := int32(i) // fewer than 2^31 transactions
		if t == r.txn || t == d || t == other.writer {
			continue
		}
		sawD, readOther, sawOther := false, false, false
		w := walker{ix: c.ix, seen: visitor{snapshot: func(s read) {
			switch s.key {
			case r.key:
				sawD = sawD || (byD != nil && mine.same(byD, &s))
			case other.key:
				readOther = true
				sawOther = sawOther || (byOther != nil && others.same(byOther, &s))
			}
		}}}
		w.walk(t)
		if sawD && readOther && !sawOther {
			return t, true
		}
	}
	return 0, false
}

// versionOf returns what a transaction wrote to the key, at a timestamp that is
// known; nil if it did not.
func (k *key) versionOf(writer int32) *version {
	i := slices.IndexFunc(k.versions, func(v version) bool { return v.txn == writer })
	if i < 0 {
		return nil
	}
	return &k.versions[i]
}
