package sql

import (
	"simrun/nodes/codec"
	"simrun/nodes/table"
)

// scope is what an expression is evaluated in.
type scope struct {
	variables map[string]table.Datum
	tb        *table.Table // nil: there are no columns
	row       table.Row
}

// expr is an expression.
type expr interface {
	eval(s *scope) (value, error)
}

// The expressions.
type (
	constant   struct{ table.Datum }
	variable   struct{ name string }
	columnRef  struct{ name string }
	calculated struct {
		op   operator
		a, b expr
	}
	opposite struct{ a expr } // with the other sign
	compared struct {
		op   comparison
		a, b expr
	}
	conjunction struct{ a, b expr }
	disjunction struct{ a, b expr }
	negation    struct{ a expr }
	isNull      struct{ a expr }
)

// comparison is an operator that compares.
type comparison string

// The comparisons.
const (
	equal        comparison = "="
	different    comparison = "<>"
	less         comparison = "<"
	lessEqual    comparison = "<="
	greater      comparison = ">"
	greaterEqual comparison = ">="
	same         comparison = "<=>" // NULL is the same as NULL
)

// mirrored is the comparison with its sides exchanged.
func (c comparison) mirrored() comparison {
	switch c {
	case less:
		return greater
	case lessEqual:
		return greaterEqual
	case greater:
		return less
	case greaterEqual:
		return lessEqual
	case equal, different, same:
	}
	return c
}

func (e constant) eval(*scope) (value, error) { return value{Datum: e.Datum}, nil }

func (e variable) eval(s *scope) (value, error) {
	v, ok := s.variables[e.name]
	if !ok {
		return value{}, exprError("variable @%s is not set", e.name)
	}
	return value{Datum: v}, nil
}

func (e columnRef) eval(s *scope) (value, error) {
	p, err := s.place(e)
	if err != nil {
		return value{}, err
	}
	return value{s.row[p], &s.tb.Columns[p]}, nil
}

func (s *scope) place(e columnRef) (int, error) {
	if s.tb == nil {
		return 0, exprError("column %s stands where there is no row", e.name)
	}
	return s.tb.Place(e.name)
}

// both evaluates two expressions.
func both(s *scope, a, b expr) (x, y value, err error) {
	if x, err = a.eval(s); err == nil {
		y, err = b.eval(s)
	}
	return x, y, err
}

func (e calculated) eval(s *scope) (value, error) {
	x, y, err := both(s, e.a, e.b)
	if err != nil || x.IsNull() || y.IsNull() {
		return value{}, err
	}
	return arithmetic(e.op, x, y)
}

func (e opposite) eval(s *scope) (value, error) {
	v, err := e.a.eval(s)
	if err != nil || v.IsNull() {
		return value{}, err
	}
	return negative(v)
}

func (e compared) eval(s *scope) (value, error) {
	x, y, err := both(s, e.a, e.b)
	if err != nil {
		return value{}, err
	}
	if x.IsNull() || y.IsNull() {
		if e.op == same {
			return boolean(x.IsNull() && y.IsNull()), nil
		}
		return value{}, nil
	}
	c, err := compare(x, y)
	if err != nil {
		return value{}, err
	}
	return boolean(e.op.holds(c)), nil
}

// holds says whether the comparison does, of values in that order.
func (c comparison) holds(order int) bool {
	switch c {
	case equal, same:
		return order == 0
	case different:
		return order != 0
	case less:
		return order < 0
	case lessEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterEqual:
	}
	return order >= 0
}

func (e conjunction) eval(s *scope) (value, error) { return logical(s, e.a, e.b, false) }

func (e disjunction) eval(s *scope) (value, error) { return logical(s, e.a, e.b, true) }

// logical evaluates AND and OR: one side that is decisive decides, else one that
// is NULL does.
func logical(s *scope, a, b expr, decisive bool) (value, error) {
	unknown := false
	for _, e := range []expr{a, b} {
		v, err := e.eval(s)
		if err != nil {
			return v, err
		}
		is, known, err := truth(v)
		if err != nil {
			return v, err
		}
		if known && is == decisive {
			return boolean(decisive), nil
		}
		unknown = unknown || !known
	}
	if unknown {
		return value{}, nil
	}
	return boolean(!decisive), nil
}

func (e negation) eval(s *scope) (value, error) {
	v, err := e.a.eval(s)
	if err != nil {
		return v, err
	}
	is, known, err := truth(v)
	if err != nil || !known {
		return value{}, err
	}
	return boolean(!is), nil
}

func (e isNull) eval(s *scope) (value, error) {
	v, err := e.a.eval(s)
	return boolean(v.IsNull()), err
}

// fixed evaluates an expression that has no columns; ok is false if it has.
func fixed(s *scope, e expr) (v table.Datum, ok bool, err error) {
	if hasColumn(e) {
		return v, false, nil
	}
	r, err := e.eval(s)
	return r.Datum, err == nil, err
}

func hasColumn(e expr) bool {
	return contains(e, func(e expr) bool { _, is := e.(columnRef); return is })
}

func hasVariable(e expr) bool {
	return contains(e, func(e expr) bool { _, is := e.(variable); return is })
}

// contains says whether an expression is what is asked for, or a part of it is.
func contains(e expr, is func(e expr) bool) bool {
	if is(e) {
		return true
	}
	switch e := e.(type) {
	case calculated:
		return contains(e.a, is) || contains(e.b, is)
	case opposite:
		return contains(e.a, is)
	case compared:
		return contains(e.a, is) || contains(e.b, is)
	case conjunction:
		return contains(e.a, is) || contains(e.b, is)
	case disjunction:
		return contains(e.a, is) || contains(e.b, is)
	case negation:
		return contains(e.a, is)
	case isNull:
		return contains(e.a, is)
	}
	return false
}

// unlimited is the number of rows of no LIMIT.
const unlimited = -1

// limitOf returns the number of rows that a LIMIT is.
func limitOf(s *scope, e expr) (int, error) {
	if e == nil {
		return unlimited, nil
	}
	v, err := e.eval(s)
	if err != nil {
		return 0, err
	}
	const most = 1 << 30
	switch {
	case v.Kind() == codec.KindUint && v.Uint() <= most:
		return int(v.Uint()), nil // it was looked at
	case v.Kind() == codec.KindInt && v.Int() >= 0 && v.Int() <= most:
		return int(v.Int()), nil
	}
	return 0, exprError("LIMIT %v is no number of rows", v.Datum)
}
