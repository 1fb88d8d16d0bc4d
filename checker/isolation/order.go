package isolation

import (
	"slices"
	"sort"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// order is in which order the versions of one key took effect, as far as the
// values that were read tell it.
//
// A list to which elements are only appended, each of them once, shows its whole past
// to every reader (Elle, Kingsbury and Alvaro, 2020, section 4.2). A register whose
// values are all different shows it if every writer but one has read the version
// that it replaces.
type order struct {
	list bool
	// unclear says why the values do not tell the order; empty if they do.
	unclear string
	// versions are in order, beginning with the initial one. tail are transactions
	// whose elements nobody has read: they come after all versions of a list.
	versions []version
	tail     []int32
	// Of a list: the longest answer, who got it, and where in it the versions end.
	longest string
	by      int32
	ends    []int
	owners  map[string]int32 // by element, who appended it
	// Of a register: by value, who wrote it, and the place of the version.
	wrote map[held]int32
	at    map[held]int
}

// held is what a key holds: a value, or nothing.
type held struct {
	value string
	found bool
}

func (v *version) held() held { return held{v.value, !v.absent} }

// begin takes in what the writes of a key tell.
func (o *order) begin(k *key) {
	o.list, o.by = o.owners != nil, initial
	switch {
	case o.unclear != "":
	case o.list && k.plain:
		o.unclear = "appended to and also written as a whole"
	case !o.list && k.free:
		o.unclear = "read, and nothing tells what it held at first: perhaps what was written later"
	case !o.list:
		o.wrote = map[held]int32{}
		for _, v := range slices.Concat(k.versions, k.floating) {
			if _, dup := o.wrote[v.held()]; dup {
				o.unclear = "given one value twice"
				return
			}
			o.wrote[v.held()] = v.txn
		}
	}
}

// writersOf returns the transactions that wrote a key and were committed.
func (ix *index) writersOf(k *key) (writers []int32) {
	for _, v := range slices.Concat(k.versions[1:], k.floating) {
		if ix.fateOf(&v) == committed {
			writers = append(writers, v.txn)
		}
	}
	return writers
}

// settleRegister puts the versions of a register in order. A writer that has read
// another version replaces just that one: snapshot isolation and serializability
// let nobody else replace it too (lost.go), if it was promised one snapshot, as trusted says.
func (ix *index) settleRegister(o *order, k *key, trusted func(t int32) bool) {
	var writers []version
	for _, v := range slices.Concat(k.versions[1:], k.floating) {
		if ix.fateOf(&v) == committed {
			writers = append(writers, v)
		}
	}
	next := map[held]version{}
	for _, v := range writers {
		from, known := ix.replaces(v.txn, k)
		if !known || !trusted(v.txn) {
			if len(writers) > 1 {
				o.unclear = "written several times by those who had not read it"
				return
			}
			from = k.versions[0].held()
		}
		if _, twice := next[from]; twice {
			o.unclear = "updated twice from one version"
			return
		}
		next[from] = v
	}
	o.versions = append(o.versions, k.versions[0])
	o.at = map[held]int{}
	for {
		at := o.versions[len(o.versions)-1].held()
		o.at[at] = len(o.versions) - 1
		v, ok := next[at]
		if !ok {
			break
		}
		delete(next, at)
		o.versions = append(o.versions, v)
	}
	if len(next) > 0 {
		o.unclear = "written from versions of which it is not known how they came to be"
	}
}

// replaces returns what a transaction that wrote a key has read of it before.
func (ix *index) replaces(writer int32, k *key) (from held, known bool) {
	for i := range ix.txns[writer].rec.Ops {
		op := &ix.txns[writer].rec.Ops[i]
		switch {
		case op.Kind == history.TxnScan && op.Key <= k.name && (op.EndKey == "" || k.name < op.EndKey):
			at := slices.IndexFunc(op.Pairs, func(p history.Pair) bool { return p.Key == k.name })
			switch {
			case at >= 0:
				return held{op.Pairs[at].Value, true}, true
			case op.Limit == 0 || len(op.Pairs) < op.Limit:
				return held{}, true
			}
		case op.Key != k.name || op.Kind == history.TxnLock:
		case op.Kind == history.TxnRead && op.Value != nil:
			return held{*op.Value, true}, true
		case op.Kind == history.TxnRead:
			return held{}, true
		default:
			return held{}, false // a write
		}
	}
	return held{}, false
}

// ownElements notes who appended which element to which list, whatever became of it.
func (ix *index) ownElements(orders []order) {
	for t := range ix.txns {
		for j := range ix.txns[t].rec.Ops {
			op := &ix.txns[t].rec.Ops[j]
			if op.Kind != history.TxnAppend {
				continue
			}
			o := &orders[ix.keyOf(&ix.txns[t], j)]
			if o.owners == nil {
				o.owners = map[string]int32{}
			}
			for e := range strings.FieldsSeq(*op.Value) {
				if _, dup := o.owners[e]; dup {
					o.unclear = "has an element that was appended twice"
				}
				o.owners[e] = int32(t) // fewer than 2^31 transactions
			}
		}
	}
}

// wrongList is told of an answer that no order of appends explains.
type wrongList func(a verdict.Anomaly, reader int32, element string, owner int32)

// settleList cuts the longest answer into what each transaction appended.
func (ix *index) settleList(o *order, k *key, wrong wrongList) {
	o.versions = append(o.versions, k.versions[0])
	o.ends = append(o.ends, 0)
	known := strings.Fields(k.versions[0].value)
	missing := map[int32]struct{}{}
	for _, v := range slices.Concat(k.versions[1:], k.floating) {
		if ix.fateOf(&v) == committed {
			missing[v.txn] = struct{}{}
		}
	}
	met := map[string]struct{}{}
	end := 0
	for e := range strings.FieldsSeq(o.longest) {
		end = min(end+len(e)+1, len(o.longest)+1)
		if _, dup := met[e]; dup {
			wrong(verdict.DuplicateWrite, o.by, e, o.owners[e])
			o.unclear = "holds an element twice"
			return
		}
		met[e] = struct{}{}
		owner, owned := o.owners[e]
		first := len(o.versions) == 1
		switch {
		case first && len(known) > 0 && known[0] == e, first && !owned && k.free:
			known = known[min(1, len(known)):]
			o.ends[0] = end - 1
			continue
		case !owned:
			wrong(verdict.GarbageRead, o.by, e, initial)
			o.unclear = "holds what nobody appended"
			return
		case ix.fates[owner] == aborted:
			wrong(verdict.G1a, o.by, e, owner)
			o.unclear = "holds what was not committed"
			return
		}
		delete(missing, owner)
		if last := len(o.versions) - 1; last > 0 && o.versions[last].txn == owner {
			o.ends[last] = end - 1
			continue
		}
		o.versions, o.ends = append(o.versions, version{txn: owner}), append(o.ends, end-1)
	}
	if len(known) > 0 && o.by != initial {
		wrong(verdict.GSIb, o.by, known[0], initial)
		o.unclear = "lacks what was there at first"
		return
	}
	for t := range missing {
		o.tail = append(o.tail, t)
	}
	slices.Sort(o.tail)
}

// place returns which version an answer is of. partly: it ends in the middle of
// what one transaction appended.
func (o *order) place(r *read) (i int, partly, ok bool) {
	if !o.list {
		i, ok = o.at[held{r.value, r.found}]
		return i, false, ok
	}
	n := len(r.value)
	if !strings.HasPrefix(o.longest, r.value) || n > 0 && n < len(o.longest) && o.longest[n] != ' ' {
		return 0, false, false
	}
	i = sort.SearchInts(o.ends, n)
	return i, o.ends[i] != n, true
}

// next returns the transactions of which one wrote the version after another one.
func (o *order) next(i int) []int32 {
	if i+1 < len(o.versions) {
		return []int32{o.versions[i+1].txn}
	}
	return o.tail
}
