package sql

import (
	"slices"

	"simrun/nodes/codec"
	"simrun/nodes/table"
)

// plan is the way in which a statement finds its rows. The condition is always
// evaluated for every row, so that a plan need only find rows enough; it is the
// better the fewer they are.
type plan struct {
	kind  planKind
	index *table.Index // nil: by primary key
	point []table.Datum
	span  table.Range
	// ordered says that the rows come in the order that is wanted, so that a limit
	// ends the search.
	ordered, reverse bool
}

// planKind is how rows are found, the best way first.
type planKind int

const (
	nothing   planKind = iota // the condition contradicts itself
	pointGet                  // one row by primary key
	lookup                    // one row by a unique index
	keyRange                  // a range of the primary key
	indexScan                 // a range of an index
	fullScan
)

func (k planKind) String() string {
	return [...]string{"nothing", "point get", "unique lookup", "range of the primary key", "range of an index", "full scan"}[k]
}

// restriction is what the condition says of one column by itself.
type restriction struct {
	low, high         *table.Datum
	lowOpen, highOpen bool
	never             bool // it contradicts itself
}

// exact returns the value that the column must have, if there is only one.
func (r *restriction) exact() (v table.Datum, ok bool) {
	if r == nil || r.low == nil || r.high == nil || *r.low != *r.high || r.lowOpen || r.highOpen || r.low.IsNull() {
		return v, false
	}
	return *r.low, true
}

// above and below narrow the restriction.
func (r *restriction) above(v table.Datum, open bool) {
	if r.low == nil || v.Compare(*r.low) > 0 {
		r.low, r.lowOpen = &v, open
	} else if v == *r.low {
		r.lowOpen = r.lowOpen || open
	}
}

func (r *restriction) below(v table.Datum, open bool) {
	if r.high == nil || v.Compare(*r.high) < 0 {
		r.high, r.highOpen = &v, open
	} else if v == *r.high {
		r.highOpen = r.highOpen || open
	}
}

// restrictions takes a condition apart: what its parts that are joined by AND say
// of single columns. What is not understood is left out; the condition itself is
// evaluated in any case.
func restrictions(s *scope, tb *table.Table, where expr) map[int]*restriction {
	found := map[int]*restriction{}
	var visit func(e expr)
	visit = func(e expr) {
		switch e := e.(type) {
		case conjunction:
			visit(e.a)
			visit(e.b)
		case compared:
			if c, ok := e.a.(columnRef); ok {
				restrict(s, tb, found, c, e.op, e.b)
			} else if c, ok := e.b.(columnRef); ok {
				restrict(s, tb, found, c, e.op.mirrored(), e.a)
			}
		}
	}
	visit(where)
	return found
}

func restrict(s *scope, tb *table.Table, found map[int]*restriction, c columnRef, op comparison, e expr) {
	place, err := tb.Place(c.name)
	if err != nil {
		return // evaluation tells
	}
	v, ok, err := fixed(s, e)
	if err != nil || !ok || op == different || op == same {
		return
	}
	column := tb.Columns[place]
	column.NotNull, column.Precision = false, table.PrecisionMax // what is only compared is not rounded
	if v, err = column.Convert(v); err != nil {
		return // a value that the column cannot have: evaluation compares
	}
	r := found[place]
	if r == nil {
		r = &restriction{}
		found[place] = r
	}
	if v.IsNull() {
		r.never = true // nothing compares with NULL
		return
	}
	switch op {
	case equal:
		r.above(v, false)
		r.below(v, false)
	case less, lessEqual:
		r.below(v, op == less)
		if r.low == nil {
			r.above(codec.Null(), true) // NULL sorts first, and is not less
		}
	case greater, greaterEqual:
		r.above(v, op == greater)
	case different, same:
	}
}

// choose returns the best plan for a statement.
func choose(s *scope, tb *table.Table, src *source) *plan {
	var found map[int]*restriction
	if src.where != nil {
		found = restrictions(s, tb, src.where)
	}
	for _, r := range found { //nolint:gocritic // whether one of them is so does not depend on the order
		if r.never {
			return &plan{kind: nothing, ordered: true}
		}
	}
	best := &plan{kind: fullScan}
	if tb.PrimaryKey >= 0 {
		best = primaryPlan(found[tb.PrimaryKey])
	}
	best.sort(tb, src)
	for i := range tb.Indexes {
		x := &tb.Indexes[i]
		if x.State != table.Public || best.kind == pointGet {
			continue
		}
		p := indexPlan(x, found)
		p.sort(tb, src)
		if p.better(best) {
			best = p
		}
	}
	return best
}

// better says whether a plan is to be preferred. An index is used if the
// condition bounds it, or if its order spares a sort.
func (p *plan) better(than *plan) bool {
	if p.kind != than.kind {
		bounded := len(p.span.Low)+len(p.span.High) > 0
		return p.kind < than.kind && bounded || p.kind == lookup && than.kind > lookup || than.kind == fullScan && p.ordered && !than.ordered
	}
	if n, m := p.equals(), than.equals(); n != m {
		return n > m
	}
	return p.ordered && !than.ordered
}

// equals is the number of columns that are fixed to a value.
func (p *plan) equals() int {
	n := 0
	for n < len(p.span.Low) && n < len(p.span.High) && p.span.Low[n] == p.span.High[n] {
		n++
	}
	return n
}

func primaryPlan(r *restriction) *plan {
	if r == nil {
		return &plan{kind: fullScan}
	}
	if v, ok := r.exact(); ok {
		return &plan{kind: pointGet, point: []table.Datum{v}, ordered: true}
	}
	p := &plan{kind: keyRange}
	if r.low != nil && !r.low.IsNull() { // a primary key is never NULL
		p.span.Low, p.span.LowOpen = []table.Datum{*r.low}, r.lowOpen
	}
	if r.high != nil {
		p.span.High, p.span.HighOpen = []table.Datum{*r.high}, r.highOpen
	}
	return p
}

// indexPlan uses as many columns of an index as are fixed to a value, and the
// range of the next one.
func indexPlan(x *table.Index, found map[int]*restriction) *plan {
	var fixed []table.Datum
	for _, place := range x.Columns {
		v, ok := found[place].exact()
		if !ok {
			break
		}
		fixed = append(fixed, v)
	}
	if x.Unique && len(fixed) == len(x.Columns) {
		return &plan{kind: lookup, index: x, point: fixed, ordered: true}
	}
	p := &plan{kind: indexScan, index: x, span: table.Point(fixed...)}
	if len(fixed) == len(x.Columns) {
		return p
	}
	if r := found[x.Columns[len(fixed)]]; r != nil {
		if r.low != nil {
			p.span.Low, p.span.LowOpen = append(slices.Clone(fixed), *r.low), r.lowOpen
		}
		if r.high != nil {
			p.span.High, p.span.HighOpen = append(slices.Clone(fixed), *r.high), r.highOpen
		}
	}
	return p
}

// sort notes whether the plan's rows come in the order that is wanted: the
// columns of ORDER BY are, after those that are fixed, the next ones of the key,
// all in one direction.
func (p *plan) sort(tb *table.Table, src *source) {
	if p.ordered || len(src.order) == 0 {
		p.ordered = true
		return
	}
	key := []int{tb.PrimaryKey}
	skip := 0
	if p.index != nil {
		key, skip = p.index.Columns, p.equals()
	}
	if len(src.order) > len(key)-skip {
		return
	}
	for i, o := range src.order {
		place, err := tb.Place(o.column)
		if err != nil || key[skip+i] != place || o.reverse != src.order[0].reverse {
			return
		}
	}
	p.ordered, p.reverse = true, src.order[0].reverse
}
