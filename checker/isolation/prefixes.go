package isolation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"simrun/checker/verdict"
)

// list judges the answers about a list against one another. To a list that is never
// written as a whole elements are only added, each behind all of those that are there: what
// a snapshot shows is the beginning of what every later one shows, and two snapshots of one
// timestamp are equal. It does not matter who appended what, nor when, nor what was there
// at first. So this holds also for a list of which an element may be of one transaction or
// another.
//
// An answer is that of a snapshot without its reader's own elements, which the walker has
// taken off its end. If these may have been committed by then, they would belong there, and
// the answer is passed over.
func (a *agreement) list(number int32) {
	var answers []*read
	a.ix.sweep(int(number), func(r *read, _ int) {
		if !a.maySeeItself(r) {
			answers = append(answers, r)
		}
	})
	if len(answers) == 0 {
		return
	}
	slices.SortStableFunc(answers, func(x, y *read) int { return cmp.Compare(x.ts, y.ts) })
	for i := 1; i < len(answers); i++ {
		before, r := answers[i-1], answers[i]
		switch {
		case r.value == before.value, before.ts < r.ts && begins(r.value, before.value):
		case before.ts < r.ts && begins(before.value, r.value):
			a.contradiction(verdict.GSIb, fmt.Sprintf("%s, less than before: %s", a.got(r), a.got(before)), []*read{before, r})
		default:
			a.contradiction(verdict.WriteOrder, fmt.Sprintf("%s, of which nothing else was the beginning before: %s", a.got(r), a.got(before)), []*read{before, r})
		}
	}
	if k := &a.ix.keys[number]; !a.found && !k.vague && !k.free {
		a.elements(k, answers)
	}
}

// begins says whether a list begins with another one.
func begins(list, beginning string) bool {
	rest, ok := strings.CutPrefix(list, beginning)
	return ok && (rest == "" || beginning == "" || rest[0] == ' ')
}

// elements concludes from the longest answer in which order its elements were appended, and
// from all of them when: before the first snapshot that shows an element, and after the last
// one that does not. Each element is one transaction's alone, or it is passed over.
func (a *agreement) elements(k *key, answers []*read) {
	sizes := make([]int, len(answers))
	for i, r := range answers {
		for range strings.FieldsSeq(r.value) {
			sizes[i]++
		}
	}
	owners, shown := k.elementOwners(), map[int32]bool{}
	longest, before, size := answers[len(answers)-1], int32(initial), 0
	for e := range strings.FieldsSeq(longest.value) {
		size++
		owner, ok := owners[e]
		if !ok || owner == initial {
			continue
		}
		shown[owner] = true
		if first, _ := slices.BinarySearch(sizes, size); !a.ix.txns[owner].known {
			a.lower(owner, answers[first].ts, answers[first])
			if first > 0 {
				a.raise(owner, answers[first-1].ts+1, answers[first-1])
			}
		}
		if before != owner && before != initial {
			a.precede(before, owner, longest, true)
		}
		before = owner
	}
	for i := range k.floating {
		if v := &k.floating[i]; !shown[v.txn] && a.ix.fates[v.txn] == committed {
			a.raise(v.txn, longest.ts+1, longest)
		}
	}
}

// elementOwners returns by element who appended it, initial if it was there at first or is
// not one transaction's alone. The lists must be written out.
func (k *key) elementOwners() map[string]int32 {
	owners := map[string]int32{}
	own := func(elements string, t int32) {
		for e := range strings.FieldsSeq(elements) {
			if _, dup := owners[e]; dup {
				t = initial
			}
			owners[e] = t
		}
	}
	for i := range k.versions {
		before := ""
		if i > 0 {
			before = k.versions[i-1].value
		}
		own(strings.TrimPrefix(k.versions[i].value, before), k.versions[i].txn)
	}
	for i := range k.floating {
		own(k.floating[i].value, k.floating[i].txn)
	}
	return owners
}
