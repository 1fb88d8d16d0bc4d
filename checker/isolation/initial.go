package isolation

import "simrun/sim/history"

// learner finds out what keys held at first of which the history does not say it
// (history.Header.InitialUnknown): the first read of such a key tells, if it can only be
// of that. A value that anybody wrote may have been there before as well, so that only
// timestamps, or a value that nobody wrote, are certain.
type learner struct {
	ix      *index
	written map[int32]map[held]struct{} // by free key, what anybody wrote to it
	// outside are free keys that were written by transactions that are not in the index,
	// or appended to in vain: of those only values that nobody wrote tell, or nothing.
	outside, appended map[int32]bool
}

func newLearner(ix *index) *learner {
	l := &learner{ix: ix, written: map[int32]map[held]struct{}{}, outside: map[int32]bool{}, appended: map[int32]bool{}}
	inside := map[*history.TxnRecord]struct{}{}
	for i := range ix.txns {
		inside[ix.txns[i].rec] = struct{}{}
	}
	for i := range ix.h.Ops {
		t := ix.h.Ops[i].Txn
		if t == nil {
			continue
		}
		_, in := inside[t]
		for j := range t.Ops {
			op := &t.Ops[j]
			k, named := ix.ids[op.Key]
			if !named || !op.Kind.Writes() || op.Kind == history.TxnLock || !ix.keys[k].free {
				continue
			}
			l.outside[k] = l.outside[k] || !in
			l.appended[k] = l.appended[k] || op.Kind == history.TxnAppend
			v := held{}
			if op.Value != nil {
				v = held{*op.Value, true}
			}
			if l.written[k] == nil {
				l.written[k] = map[held]struct{}{}
			}
			l.written[k][v] = struct{}{}
		}
	}
	return l
}

// read learns from an answer to whom no timestamp is needed: nobody wrote it.
func (l *learner) read(k int32, value held) {
	if _, wrote := l.written[k][value]; !wrote && l.ix.keys[k].free && !l.appended[k] {
		l.ix.keys[k].learn(value)
	}
}

func (k *key) learn(value held) {
	k.versions[0].value, k.versions[0].absent, k.free = value.value, !value.found, false
}

// learnInitial learns from the answers of snapshots, and from reads of what is newest.
func (ix *index) learnInitial() {
	if !ix.h.InitialUnknown {
		return
	}
	l := newLearner(ix)
	for i := range ix.keys {
		number := int32(i) // fewer than 2^31 keys
		switch k := &ix.keys[i]; {
		case !k.free:
		case k.lists:
			l.list(number)
		default:
			ix.sweep(i, func(r *read, n int) {
				if value := (held{r.value, r.found}); k.free && n == 1 && !l.outside[number] && !l.appended[number] && !ix.mayFloat(k, r) {
					k.learn(value)
				} else {
					l.read(number, value)
				}
			})
		}
	}
	for i := range ix.h.Ops {
		t := ix.h.Ops[i].Txn
		if t == nil || !t.Newest {
			continue
		}
		for j := range t.Ops {
			if k, named := ix.ids[t.Ops[j].Key]; named && t.Ops[j].Value != nil {
				l.read(k, held{*t.Ops[j].Value, true})
			}
		}
	}
}

// mayFloat says whether the answer may be of a version whose commit timestamp is not known.
func (ix *index) mayFloat(k *key, r *read) bool {
	for i := range k.floating {
		if v := &k.floating[i]; v.txn != r.txn && ix.txns[v.txn].lo <= r.ts {
			return true
		}
	}
	return false
}

// list learns what stands in an answer before all that was appended. Where it is not
// certain what was, the elements may be of anybody.
func (l *learner) list(number int32) {
	k := &l.ix.keys[number]
	if k.unsure || l.outside[number] {
		k.vague = true
		return
	}
	l.ix.sweep(int(number), func(r *read, n int) {
		if !k.free {
			return
		}
		appended := ""
		for i := 1; i < n; i++ {
			if !k.versions[i].list {
				return // written as a whole, what was there before is gone
			}
			appended = join(appended, k.versions[i].value)
		}
		if before := *r; appended == "" || before.cutSuffix(appended) {
			k.learn(held{before.value, before.value != ""})
		}
	})
}

// learnInitial learns from what transactions read that were promised a snapshot. What
// nobody has read may have been anything, and matters to nobody.
func (c *cycles) learnInitial() {
	if !c.ix.h.InitialUnknown {
		return
	}
	l := newLearner(c.ix)
	asked := map[int32]bool{}
	c.walk(visitor{snapshot: func(r read) {
		asked[r.key] = true
		if !c.ix.keys[r.key].lists {
			l.read(r.key, held{r.value, r.found})
		}
	}})
	for i := range c.ix.keys {
		k := &c.ix.keys[i]
		k.free = k.free && (k.lists || asked[int32(i)]) // fewer than 2^31 keys
	}
}
