package isolation

import (
	"cmp"
	"slices"
	"sort"
)

// shelf arranges the versions of one key, so that those which explain an answer
// are found without looking at the others.
type shelf struct {
	k *key
	// committed and open are places in k.versions, rising. Open may hold some
	// that were decided since.
	committed, open []int32
	// holders are the versions that may or may not be there, by what they hold.
	holders map[content]*holders
	// doubtful are the answers that two versions or more explained at first, or one
	// whose commit timestamp is not known, by timestamp.
	doubtful []doubt
}

// doubt is an answer by its timestamp and number.
type doubt struct {
	ts uint64
	at int32
}

// content is what a version holds, or an answer says.
type content struct {
	absent bool
	value  string
}

// holders are the versions of one content: places in k.versions of those that were
// open, and in k.floating, both rising.
type holders struct {
	open, floating []int32
}

func (ix *index) newShelf(k *key) shelf {
	s := shelf{k: k, holders: map[content]*holders{}}
	for i := range k.versions {
		v, at := &k.versions[i], int32(i) // fewer than 2^31 versions
		switch ix.fateOf(v) {
		case committed:
			s.committed = append(s.committed, at)
		case open:
			s.open = append(s.open, at)
			h := s.holding(v.content())
			h.open = append(h.open, at)
		case aborted:
		}
	}
	for i := range k.floating {
		h := s.holding(k.floating[i].content())
		h.floating = append(h.floating, int32(i))
	}
	return s
}

// holding returns the holders of a content, to be added to.
func (s *shelf) holding(c content) *holders {
	h := s.holders[c]
	if h == nil {
		h = &holders{}
		s.holders[c] = h
	}
	return h
}

func (v *version) content() content {
	if v.absent {
		return content{absent: true}
	}
	return content{value: v.value}
}

// commit notes that an open version is committed.
func (s *shelf) commit(ix *index, n int32) {
	ts := ix.txns[n].lo
	at := sort.Search(len(s.k.versions), func(i int) bool { return s.k.versions[i].commit >= ts })
	for s.k.versions[at].txn != n {
		at++ // the same timestamp was given twice
	}
	place := int32(at)
	if i, found := slices.BinarySearch(s.committed, place); !found {
		s.committed = slices.Insert(s.committed, i, place)
	}
}

// between returns the bounds in open of the places in [from, to).
func (s *shelf) between(from, to int32) (i, j int) {
	i, _ = slices.BinarySearch(s.open, from)
	j, _ = slices.BinarySearch(s.open, to)
	return i, max(i, j)
}

// removeOpen asks of all open versions in [from, to), the newest first, whether
// they are to be removed.
func (s *shelf) removeOpen(from, to int32, remove func(v *version) bool) {
	i, j := s.between(from, to)
	kept := j
	for at := j - 1; at >= i; at-- {
		if place := s.open[at]; !remove(&s.k.versions[place]) {
			kept--
			s.open[kept] = place
		}
	}
	s.open = slices.Delete(s.open, i, kept)
}

// explanations are the versions that explain an answer.
type explanations struct {
	newest   *version // the newest one that is surely committed, whether it explains it or not
	newestAt int32    // its place
	open     *version // the newest one that may be committed, and is newer; nil if there is none
	openAt   int32    // its place
	floating *version // one that may be committed, at some time before the read
	count    int      // of open and floating ones; beyond two they are not counted
}

// search looks for what explains the answer. What the reader wrote itself is not
// in its snapshot.
func (f *explanations) search(ix *index, s *shelf, a *answer) {
	*f = explanations{}
	i, _ := slices.BinarySearch(s.committed, a.n)
	for i--; s.k.versions[s.committed[i]].txn == a.txn; i-- {
	}
	f.newestAt = s.committed[i]
	f.newest = &s.k.versions[f.newestAt]
	if from, to := s.between(f.newestAt+1, a.n); from == to && f.newest.is(&a.read) {
		return // as nearly always; what floats decides nothing then
	}
	if a.holders == nil {
		a.holders = cmp.Or(s.holders[content{absent: !a.found, value: a.value}], &holders{})
	}
	places := a.holders.open
	i, _ = slices.BinarySearch(places, a.n)
	for i--; i >= 0 && places[i] > f.newestAt && f.count < 2; i-- {
		v := &s.k.versions[places[i]]
		if v.txn == a.txn || ix.fateOf(v) != open {
			continue
		}
		if f.count++; f.open == nil {
			f.open, f.openAt = v, places[i]
		}
	}
	newest := f.newest.commit
	for _, at := range a.holders.floating {
		v := &s.k.floating[at]
		if ix.mayShow(v, &a.read, newest) {
			f.count++
			f.floating = v
			if f.count > 1 {
				break
			}
		}
	}
}

// number returns how many versions explain the answer, and whether one of them is
// surely committed.
func (f *explanations) number(ix *index, a *answer) (n int, sure bool) {
	sure = f.newest.is(&a.read) || ix.keys[a.key].anything(f.newest)
	if sure {
		return f.count + 1, true
	}
	return f.count, false
}

// only returns the version that alone explains the answer, if that is not surely
// committed.
func (f *explanations) only() *version {
	if f.open != nil {
		return f.open
	}
	return f.floating
}

// oldest returns the place of the version that explains the answer and is older than
// every other one that may have been read; ok is false if that is not certain.
func (f *explanations) oldest(a *answer) (at int32, ok bool) {
	switch {
	case f.floating != nil:
		return 0, false // it may be newer than all others
	case f.open != nil:
		return f.openAt, true
	}
	return f.newestAt, f.newest.is(&a.read) // otherwise the answer is wrong anyway
}
