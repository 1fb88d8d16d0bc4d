package sql

import (
	"fmt"
	"slices"

	"simrun/nodes/codec"
	"simrun/nodes/table"
)

// class is what an expression is, as far as it is known before any row is read.
type class uint8

const (
	nullClass   class = iota // NULL, which goes with everything
	numberClass              // or a condition, which is 0 or 1
	textClass
	timeClass // a column of type DATETIME
)

// classOf resolves the names in an expression, all of them, and finds out whether its
// operands go together: evaluation would tell only of what it comes upon, and if no row
// is read of nothing.
func (s *scope) classOf(e expr) (class, error) {
	switch e := e.(type) {
	case constant:
		return classOfDatum(e.Datum), nil
	case variable:
		v, err := e.eval(s)
		return classOfDatum(v.Datum), err
	case columnRef:
		return s.classOfColumn(e)
	case calculated:
		return numberClass, s.numbers(byte(e.op), e.a, e.b)
	case opposite:
		return numberClass, s.numbers('-', e.a)
	case compared:
		return numberClass, s.matching(e.a, e.b)
	case conjunction:
		return numberClass, s.conditions(e.a, e.b)
	case disjunction:
		return numberClass, s.conditions(e.a, e.b)
	case negation:
		return numberClass, s.conditions(e.a)
	case isNull:
		_, err := s.classOf(e.a)
		return numberClass, err
	}
	return nullClass, exprError("%s is not known", spelled(e))
}

func classOfDatum(v table.Datum) class {
	switch v.Kind() {
	case codec.KindNull:
		return nullClass
	case codec.KindBytes:
		return textClass
	case codec.KindInt, codec.KindUint, codec.KindFloat:
	}
	return numberClass
}

func (s *scope) classOfColumn(e columnRef) (class, error) {
	p, err := s.place(e)
	if err != nil {
		return nullClass, err
	}
	return classOfType(s.tb.Columns[p].Type), nil
}

func classOfType(t table.Type) class {
	switch t {
	case table.DateTime:
		return timeClass
	case table.VarChar:
		return textClass
	case table.BigInt, table.Int, table.Double:
	}
	return numberClass
}

// numbers makes sure that an operator has numbers to work on.
func (s *scope) numbers(op byte, operands ...expr) error {
	for _, e := range operands {
		if c, err := s.classOf(e); err != nil {
			return err
		} else if c == textClass || c == timeClass {
			return exprError("%c over %s, which is no number", op, spelled(e))
		}
	}
	return nil
}

// conditions makes sure that expressions can be true or false.
func (s *scope) conditions(es ...expr) error {
	for _, e := range es {
		if c, err := s.classOf(e); err != nil {
			return err
		} else if c == textClass || c == timeClass {
			return exprError("%s is no condition", spelled(e))
		}
	}
	return nil
}

// matching makes sure that two expressions can be compared.
func (s *scope) matching(a, b expr) error {
	x, err := s.classOf(a)
	if err != nil {
		return err
	}
	y, err := s.classOf(b)
	if err != nil {
		return err
	}
	switch {
	case x == y, x == nullClass, y == nullClass:
		return nil
	case x == timeClass && fixedText(b):
		return s.isTime(b)
	case y == timeClass && fixedText(a):
		return s.isTime(a)
	}
	return exprError("%s and %s cannot be compared", spelled(a), spelled(b))
}

// fixedText says whether an expression, if it is a text, is the same for all rows.
func fixedText(e expr) bool {
	switch e.(type) {
	case constant, variable:
		return true
	}
	return false
}

// isTime makes sure that a text beside a DATETIME is a date and time.
func (s *scope) isTime(e expr) error {
	v, err := e.eval(s)
	switch {
	case err != nil:
		return err
	case v.Kind() != codec.KindBytes:
		return exprError("%s is no date and time", spelled(e))
	}
	if _, err = table.ParseDateTime(v.Bytes()); err != nil {
		return exprError("%v", err)
	}
	return nil
}

// assignable makes sure that a column can be set to an expression: nothing is converted
// between numbers, texts and DATETIME, nor a floating point number to an integer. What else
// does not fit is a matter of values.
func (s *scope) assignable(c *table.Column, e expr) error {
	got, err := s.classOf(e)
	whole := c.Type == table.BigInt || c.Type == table.Int
	switch {
	case err != nil:
		return err
	case got == nullClass:
		return nil
	case got != timeClass && c.Type == table.DateTime && fixedText(e):
		return s.isTime(e)
	case got == numberClass && whole && s.floating(e):
		return exprError("column %s, which is %s, cannot be set to %s: a number with a point is a DOUBLE", c.Name, c.Type, spelled(e))
	case got == classOfType(c.Type):
		return nil
	}
	return exprError("column %s, which is %s, cannot be set to %s", c.Name, c.Type, spelled(e))
}

// floating says whether an expression, of numbers, is a floating point number if it is not
// NULL.
func (s *scope) floating(e expr) bool {
	switch e := e.(type) {
	case constant:
		return e.Kind() == codec.KindFloat
	case variable:
		return s.variables[e.name].Kind() == codec.KindFloat
	case columnRef:
		p, err := s.place(e)
		return err == nil && s.tb.Columns[p].Type == table.Double
	case calculated:
		return s.floating(e.a) || s.floating(e.b)
	case opposite:
		return s.floating(e.a)
	}
	return false // a condition
}

// spelled is an expression in a message.
func spelled(e expr) string {
	switch e := e.(type) {
	case constant:
		return e.Datum.String()
	case variable:
		return "@" + e.name
	case columnRef:
		return "column " + e.name
	}
	return "an expression"
}

// check resolves the names by which rows are found and ordered.
func (src *source) check(s *scope) error {
	if src.where != nil {
		if err := s.conditions(src.where); err != nil {
			return err
		}
	}
	for _, o := range src.order {
		if _, err := s.tb.Place(o.column); err != nil {
			return err
		}
	}
	return nil
}

// check is that of the source, and resolves what is set.
func (u update) check(s *scope) error {
	for _, set := range u.sets {
		place, err := s.tb.Place(set.column)
		if err != nil {
			return err
		}
		if err = s.assignable(&s.tb.Columns[place], set.value); err != nil {
			return err
		}
	}
	return u.source.check(s)
}

// check looks at the rows of VALUES, which are to have the columns of these places, each
// once. (SET may name a column twice, as in MySQL; the last one counts.)
func (in insert) check(s *Session, tb *table.Table, places []int) error {
	for i, p := range places {
		if slices.Contains(places[:i], p) {
			return fmt.Errorf("%w: column %s of table %s is named twice", table.ErrSchema, tb.Columns[p].Name, tb.Name)
		}
	}
	outside := s.scope(nil, nil)
	for _, list := range in.rows {
		if len(list) != len(places) {
			return fmt.Errorf("%w: %d values for %d columns of table %s", table.ErrSchema, len(list), len(places), tb.Name)
		}
		for i, e := range list {
			if err := outside.assignable(&tb.Columns[places[i]], e); err != nil {
				return err
			}
		}
	}
	return nil
}
