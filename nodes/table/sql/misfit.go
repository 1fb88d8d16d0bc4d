package sql

import (
	"slices"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table"
)

// Misfit returns why a statement can never insert or change a row, whatever rows there are
// and whatever the varying variables hold: one of its values, which depends on neither, is
// none or does not fit its column, or a column without a value has to have one. Of a
// variable that varies not, it is enough to look at one value. The error is nil if nothing
// of that kind is wrong; the session's transaction goes on as it was.
func (s *Session) Misfit(t env.Task, st *Statement, varying []string) error {
	_, err := s.within(t, func(tx *table.Tx) (*Result, error) {
		switch run := st.run.(type) {
		case insert:
			return &Result{}, run.misfit(s, tx, varying)
		case update:
			return &Result{}, run.misfit(s, tx, varying)
		}
		return &Result{}, nil
	})
	return err
}

func (in insert) misfit(s *Session, tx *table.Tx, varying []string) error {
	tb, err := tx.Table(in.table)
	if err != nil {
		return err
	}
	places, err := placesOf(tb, in.columns)
	if err != nil {
		return err
	}
	for _, list := range in.rows {
		for p := range tb.Columns {
			e := expr(constant{codec.Null()})
			if i := slices.Index(places, p); i >= 0 && i < len(list) {
				e = list[i]
			}
			if err := s.misfit(&tb.Columns[p], e, varying); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u update) misfit(s *Session, tx *table.Tx, varying []string) error {
	tb, err := tx.Table(u.table)
	if err != nil {
		return err
	}
	for _, set := range u.sets {
		p, err := tb.Place(set.column)
		if err != nil {
			return err
		}
		if err := s.misfit(&tb.Columns[p], set.value, varying); err != nil {
			return err
		}
	}
	return nil
}

// misfit returns why a column can never have the value of an expression. What is calculated
// from variables may vary in ways that one value does not tell.
func (s *Session) misfit(c *table.Column, e expr, varying []string) error {
	v, alone := e.(variable)
	if hasColumn(e) || hasVariable(e) && !alone || alone && slices.Contains(varying, v.name) {
		return nil
	}
	got, err := e.eval(s.scope(nil, nil))
	if err == nil {
		_, err = c.Convert(got.Datum)
	}
	return err
}
