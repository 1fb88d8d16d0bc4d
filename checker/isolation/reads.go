package isolation

import (
	"fmt"

	"simrun/checker/verdict"
)

// reads checks every answer against the snapshot that its transaction reads. It
// judges them key by key, and then walks through the transactions that got a wrong
// one: what is said of them, and in which order, depends on nothing else.
func (c *checker) reads() {
	wrong := make([]bool, len(c.ix.txns))
	for _, t := range c.ix.answers.wrong {
		wrong[t] = true
	}
	for k := range c.ix.keys {
		c.judgeKey(k, wrong)
	}
	w := walker{ix: c.ix, seen: visitor{snapshot: c.snapshot, wrong: c.wrong}}
	for _, t := range c.ix.byStart {
		if wrong[t] {
			w.walk(t)
		}
	}
}

// judgeKey judges all answers about a key, and collects what agreement is to look at.
func (c *checker) judgeKey(number int, wrong []bool) {
	k, contests := &c.ix.keys[number], &c.contests
	contests.begin(int32(number)) // fewer than 2^31 keys
	c.ix.sweep(number, func(r *read, n int) {
		if c.judge(r, n) != nil {
			wrong[r.txn] = true
		} else if k.unsure && !k.lists && len(c.candidates.floating) > 0 {
			c.contest(r, contests)
		}
	})
	if c.settleContest(contests); len(contests.answers) > 0 {
		c.contested = append(c.contested, contests.contested)
	}
}

// wrong is told of answers that contradict the transaction's own writes.
func (c *checker) wrong(t int32, _ int, k int32, problem string, scan bool) {
	if k < 0 {
		c.add(verdict.ScanOrder, t, fmt.Sprintf("%s: %s", c.ix.name(t), problem))
		return
	}
	how := "read of"
	if scan {
		how = "scan over"
	}
	c.add(verdict.Internal, t, fmt.Sprintf("%s, %s %q: %s", c.ix.name(t), how, c.ix.keys[k].name, problem))
}

// snapshot checks one answer, and explains what is wrong with it.
func (c *checker) snapshot(r read) {
	if should := c.judge(&r, c.ix.upTo(&c.ix.keys[r.key], r.ts)); should != nil {
		c.explain(&r, should)
	}
}

// judge returns nil if an answer is right: the newest of the first n versions of
// its key, those committed at or before the start timestamp. Where that is certain
// it takes a comparison. Of a wrong answer it returns what should have been read, and
// of a list in which something floats always, for its explanation tells.
func (c *checker) judge(r *read, n int) *version {
	k := &c.ix.keys[r.key]
	if !k.unsure {
		if v := &k.versions[n-1]; !k.same(v, r) && !k.anything(v) {
			return v
		}
		return nil
	}
	cand := &c.candidates
	cand.collect(c.ix, r, n)
	if k.anything(cand.newest) {
		return nil
	}
	if k.lists && !k.plain {
		return cand.newest // element by element: what floats is in no version
	}
	hidden := c.hiding(cand, r.ts)
	if hidden == nil && k.same(cand.newest, r) {
		return nil
	}
	for _, list := range [][]*version{cand.open, cand.floating} {
		for _, v := range list {
			if k.same(v, r) {
				return nil
			}
		}
	}
	if hidden != nil && k.same(cand.newest, r) {
		return hidden
	}
	return cand.newest
}

// same says whether the version explains the answer. An empty list and an
// absent one are the same.
func (k *key) same(v *version, r *read) bool {
	if k.lists {
		return r.value == v.value
	}
	return v.is(r)
}

// anything says whether the version may have been anything.
func (k *key) anything(v *version) bool { return v.txn == initial && k.free }

// hiding returns a version that was surely committed between the newest one of
// known timestamp and ts, though its own timestamp is not known.
func (c *checker) hiding(cand *candidates, ts uint64) *version {
	newest := cand.newest.commit
	for _, v := range cand.floating {
		if t := &c.ix.txns[v.txn]; c.ix.fates[v.txn] == committed && t.lo > newest && t.hi <= ts {
			return v
		}
	}
	return nil
}

// name prints a transaction for a message.
func (ix *index) name(n int32) string {
	if n == initial {
		return "the initial state"
	}
	t := &ix.txns[n]
	switch {
	case t.rec.CommitTS != 0:
		return fmt.Sprintf("id %d (start_ts %d, commit_ts %d)", t.op.ID, t.rec.StartTS, t.rec.CommitTS)
	default:
		return fmt.Sprintf("id %d (start_ts %d)", t.op.ID, t.rec.StartTS)
	}
}
