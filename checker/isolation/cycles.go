package isolation

import (
	"fmt"
	"slices"
	"strings"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// CyclesName is the name in results of the check that goes by the values alone.
const CyclesName = "cycles"

// Cycles judges transactions by what they read and wrote, as Elle does (Kingsbury and
// Alvaro, 2020), and takes no word of the database for anything: it needs no
// timestamps, and looks at none. Where the values tell in which order the versions
// of a key took effect, they tell which transaction depends on which, and a cycle of
// dependencies is what a level of isolation forbids:
//
//   - under snapshot isolation one in which no two anti-dependencies are adjacent
//     (Fekete et al., and Cerone and Gotsman, 2016, who prove the converse);
//   - under serializability any;
//   - under strict serializability any, and what ended before another one began
//     comes before it.
//
// Nothing is asked of transactions that wanted more than one snapshot: under read
// committed, or with locks that they took as they went; nor of those that failed,
// unless they were promised a snapshot by a timestamp.
//
// With alone, nobody else judges the transactions: the result is Unknown if the
// order of some versions is not told, and what is wrong beside cycles is found too, lost
// updates among it (lost.go).
func Cycles(h *history.History, alone bool) verdict.Result {
	r := verdict.Result{Checker: CyclesName}
	c := newCycles(h, alone)
	for c.see() { // what was seen was committed, and has seen something itself
	}
	c.settle()
	c.depend()
	c.report(&r)
	r.Checked = c.judged
	switch unclear, example := c.unclear(); {
	case r.Verdict != verdict.OK:
	case alone && unclear > 0:
		r.Undecided(fmt.Sprintf("the values do not tell in which order the versions of %d of %d keys took effect: %q was %s",
			unclear, len(c.orders), c.ix.keys[example].name, c.orders[example].unclear))
	case c.judged == 0 && (alone || h.WriteOnce):
		r.Undecided("nobody read a key of which the values tell the order of its versions")
	case c.judged == 0:
		r.NotJudged("nobody read a key of which the values tell the order of its versions")
	}
	return r
}

// Telling says whether the values of a history are meant to tell the order of
// versions: lists, or keys that are written once.
func Telling(h *history.History) bool {
	return h.WriteOnce || slices.ContainsFunc(h.Ops, func(op history.Op) bool {
		return op.Txn != nil && slices.ContainsFunc(op.Txn.Ops, func(o history.TxnOp) bool { return o.Kind == history.TxnAppend })
	})
}

type cycles struct {
	collector // of what is wrong beside cycles

	alone  bool
	serial bool // any cycle is forbidden
	orders []order
	deps   []dependence
	judged int     // answers of which it is known which version they are
	lookup *lookup // made when somebody read what is no version of a key
}

// dependence is an edge of the direct serialization graph, between transactions.
type dependence struct {
	from int32
	edge edge
}

func newCycles(h *history.History, alone bool) *cycles {
	c := &cycles{
		collector: newCollector(arrange(h, func(x *history.TxnRecord) bool { return !x.Newest })),
		alone:     alone,
		serial:    h.Consistency != history.SnapshotIsolation,
	}
	c.learnInitial()
	c.orders = make([]order, len(c.ix.keys))
	c.ix.ownElements(c.orders)
	for i := range c.orders {
		c.orders[i].begin(&c.ix.keys[i])
	}
	return c
}

// trusted says whether the answers of a transaction are of one snapshot that it was
// promised.
func (c *cycles) trusted(t int32) bool {
	rec := c.ix.txns[t].rec
	locked := (rec.Pessimistic || rec.ReadCommitted) && rec.Writes()
	return !locked && !readsTwice(rec) && (c.ix.fates[t] == committed || rec.StartTS != 0)
}

// see notes the longest answers of lists, and that what was seen of a transaction of
// unknown outcome was committed. It reports whether it has learned of one.
func (c *cycles) see() bool {
	learned := false
	commit := func(t int32) {
		if t != initial && c.ix.fates[t] == open {
			c.ix.fates[t] = committed
			learned = true
		}
	}
	c.walk(visitor{snapshot: func(r read) {
		o := &c.orders[r.key]
		switch {
		case o.unclear != "":
		case o.list:
			if len(r.value) > len(o.longest) || o.by == initial {
				o.longest, o.by = r.value, r.txn
			}
		default:
			if writer, ok := o.wrote[held{r.value, r.found}]; ok {
				commit(writer)
			}
		}
	}})
	for i := range c.orders {
		for e := range strings.FieldsSeq(c.orders[i].longest) {
			if owner, owned := c.orders[i].owners[e]; owned {
				commit(owner)
			}
		}
	}
	return learned
}

func (c *cycles) walk(seen visitor) {
	w := walker{ix: c.ix, seen: seen}
	for t := range c.ix.txns {
		if t := int32(t); c.trusted(t) { // fewer than 2^31 transactions
			w.walk(t)
		}
	}
}

// settle finds the order of the versions of each key.
func (c *cycles) settle() {
	for i := range c.orders {
		o, k := &c.orders[i], &c.ix.keys[i]
		if !o.list || o.unclear != "" {
			c.lost(o, k, c.ix.writersOf(k))
		}
		switch {
		case o.unclear != "":
		case o.list:
			c.ix.settleList(o, k, func(a verdict.Anomaly, reader int32, element string, owner int32) {
				c.wrong(a, reader, fmt.Sprintf("%s: %q", c.got(reader, k, o.longest, true), element), owner)
			})
			if o.unclear == "" && !c.serial { // otherwise they are a cycle
				c.lost(o, k, o.tail)
			}
		default:
			c.ix.settleRegister(o, k, c.trusted)
		}
	}
}

// depend draws the dependencies between committed transactions.
func (c *cycles) depend() {
	link := func(from, to int32, e edge) {
		if from != initial && to != initial && from != to {
			e.to = to
			c.deps = append(c.deps, dependence{from, e})
		}
	}
	for i := range c.orders {
		o, key := &c.orders[i], int32(i) // fewer than 2^31 keys
		if o.unclear != "" {
			continue
		}
		for j := range o.versions {
			for _, after := range o.next(j) {
				link(o.versions[j].txn, after, edge{key: key, kind: ww})
			}
		}
	}
	c.walk(visitor{
		snapshot: func(r read) {
			o := &c.orders[r.key]
			if o.unclear != "" {
				return
			}
			i, partly, ok := o.place(&r)
			switch {
			case !ok || partly:
				c.strange(&r, o, i, partly)
				return
			case o.versions[i].txn == r.txn:
				c.wrong(verdict.Internal, r.txn, c.got(r.txn, &c.ix.keys[r.key], r.value, r.found)+", which it wrote only afterwards", initial)
				return
			}
			if c.alone || len(o.versions)+len(o.tail) > 1 {
				c.judged++
			}
			link(o.versions[i].txn, r.txn, edge{key: r.key, kind: wr})
			for _, after := range o.next(i) {
				link(r.txn, after, edge{key: r.key, kind: rw, phantom: r.scan && !r.found})
			}
		},
		wrong: func(t int32, _ int, k int32, problem string, _ bool) {
			if k >= 0 {
				problem = fmt.Sprintf("%q: %s", c.ix.keys[k].name, problem)
			}
			c.wrong(verdict.Internal, t, c.name(t)+": "+problem, initial)
		},
	})
}

// strange judges an answer that is none of the versions.
func (c *cycles) strange(r *read, o *order, i int, partly bool) {
	if !c.alone {
		return
	}
	k := &c.ix.keys[r.key]
	message := c.got(r.txn, k, r.value, r.found)
	switch {
	case partly:
		c.wrong(verdict.G1b, r.txn, message+", which has only a part of what "+c.name(o.versions[i].txn)+" appended", o.versions[i].txn)
	case o.list:
		c.wrong(verdict.WriteOrder, r.txn, fmt.Sprintf("%s, and %s", message, c.got(o.by, k, o.longest, true)), o.by)
	default:
		c.strangeValue(r, message)
	}
}

// strangeValue judges a value of a register that is none of its versions: nobody wrote
// it, or not to stay.
func (c *cycles) strangeValue(r *read, message string) {
	if c.lookup == nil {
		c.lookup = newLookup(c.ix)
	}
	for _, w := range c.lookup.writes[r.key] {
		switch {
		case w.found != r.found || w.value != r.value:
		case c.ix.fates[w.txn] == aborted:
			c.wrong(verdict.G1a, r.txn, message+", written by "+c.name(w.txn)+", which was not committed", w.txn)
			return
		case !w.last:
			c.wrong(verdict.G1b, r.txn, message+", which "+c.name(w.txn)+" overwrote before it committed", w.txn)
			return
		}
	}
	c.wrong(verdict.GarbageRead, r.txn, message+", which nobody wrote", initial)
}

// wrong adds a finding that is no cycle, if nobody else looks for it.
func (c *cycles) wrong(a verdict.Anomaly, t int32, message string, other int32) {
	if c.alone {
		c.add(a, t, message, other)
	}
}

func (c *cycles) name(t int32) string {
	if t == initial {
		return "the initial state"
	}
	return fmt.Sprintf("id %d", c.ix.txns[t].op.ID)
}

func (c *cycles) got(t int32, k *key, value string, found bool) string {
	return fmt.Sprintf("%s read %q = %s", c.name(t), k.name, show(value, found))
}

// unclear counts the keys of which the order is not told, and names one.
func (c *cycles) unclear() (n, example int) {
	for i := range c.orders {
		if c.orders[i].unclear != "" {
			if n == 0 {
				example = i
			}
			n++
		}
	}
	return n, example
}
