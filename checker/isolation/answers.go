package isolation

import "slices"

// answers are what all transactions got from their snapshots, key by key. To go
// through them is to stay with one key, its versions and their writers until all
// is asked of them. In the order of the transactions each answer is about another
// key: if there are more keys than a cache holds, every step waits for memory.
type answers struct {
	reads []read  // of the first key, then of the second; of one key as they were walked
	first []int32 // by key, where its answers begin; at last, where they all end
	wrong []int32 // transactions with answers that contradict their own writes
}

// collectAnswers walks through all transactions in the order of start timestamps,
// and sorts what they read by key.
func (ix *index) collectAnswers() {
	a := &ix.answers
	a.first = make([]int32, len(ix.keys)+1)
	var walked batches[read]
	w := walker{ix: ix, seen: visitor{
		snapshot: func(r read) {
			r.order = int32(walked.len()) // fewer than 2^31 answers
			walked.add(r)
			a.first[r.key+1]++
		},
		strange: func(r read) { ix.strangely(r.key) },
		wrong:   func(t int32, _ int, _ int32, _ string, _ bool) { a.wrong = append(a.wrong, t) },
	}}
	for _, t := range ix.byStart {
		w.walk(t)
		if w.apart && len(w.tx.rec.Statements) == 0 {
			ix.undated++
		}
	}
	for k := range ix.keys {
		a.first[k+1] += a.first[k]
	}
	a.reads = make([]read, walked.len())
	place := slices.Clone(a.first)
	for i := range walked.len() {
		r := walked.at(i)
		a.reads[place[r.key]] = *r
		place[r.key]++
	}
}

// sweep visits the answers about key k as they were walked, and tells of each how
// many versions of the key it sees. Start timestamps never go down meanwhile.
func (ix *index) sweep(k int, visit func(r *read, n int)) {
	a, versions, passed := &ix.answers, ix.keys[k].versions, 0
	for i := a.first[k]; i < a.first[k+1]; i++ {
		r := &a.reads[i]
		if r.apart {
			visit(r, ix.upTo(&ix.keys[k], r.ts))
			continue
		}
		for passed < len(versions) && versions[passed].commit <= r.ts {
			passed++
		}
		visit(r, passed)
	}
}
