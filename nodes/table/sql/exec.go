package sql

import (
	"errors"
	"slices"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table"
)

// Reasons of failures, found in an error by errors.Is.
var (
	// ErrTransaction: a statement does not fit the transaction that is under way, or that
	// there is none.
	ErrTransaction = errors.New("transaction")
	// ErrDeadlock: the session's transaction waited in a circle with others, and was
	// rolled back, with everything that it had done, so that they can go on (error 1213
	// of MySQL). It is to be begun again.
	ErrDeadlock = errors.New("deadlock found, the transaction was rolled back")
)

// reader reads rows: a transaction for itself, or a statement what it is about.
type reader interface {
	Get(t env.Task, tb *table.Table, handle int64) (table.Row, bool, error)
	Lookup(t env.Task, tb *table.Table, x *table.Index, values []table.Datum) (table.Record, bool, error)
	Scan(t env.Task, tb *table.Table, s table.Scan) ([]table.Record, error)
}

// find reads the rows that a statement is about, in its order. Its names are resolved
// (check).
func (src *source) find(t env.Task, s *Session, from reader, tb *table.Table) ([]table.Record, error) {
	limit, err := limitOf(s.scope(nil, nil), src.limit)
	if err != nil {
		return nil, err
	}
	p := choose(s.scope(nil, nil), tb, src)
	if limit == 0 {
		return nil, nil
	}
	records, err := src.read(t, s, from, tb, p, limit)
	if err != nil {
		return nil, err
	}
	if !p.ordered {
		slices.SortStableFunc(records, func(a, b table.Record) int { return src.compare(tb, a, b) })
	}
	if limit != unlimited && len(records) > limit {
		records = records[:limit]
	}
	return records, nil
}

// compare orders two records as ORDER BY says.
func (src *source) compare(tb *table.Table, a, b table.Record) int {
	for _, o := range src.order {
		place, _ := tb.Place(o.column) // check has looked
		c := a.Row[place].Compare(b.Row[place])
		if o.reverse {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// accepts says whether the condition is true of a row.
func (src *source) accepts(s *Session, tb *table.Table, row table.Row) (bool, error) {
	if src.where == nil {
		return true, nil
	}
	v, err := src.where.eval(s.scope(tb, row))
	if err != nil {
		return false, err
	}
	is, _, err := truth(v)
	return is, err
}

// read reads what a plan finds and the condition accepts.
func (src *source) read(t env.Task, s *Session, from reader, tb *table.Table, p *plan, limit int) ([]table.Record, error) {
	var record table.Record
	var found bool
	var err error
	switch p.kind {
	case nothing:
		return nil, nil
	case pointGet:
		record.Handle = handleOf(p.point[0])
		record.Row, found, err = from.Get(t, tb, record.Handle)
	case lookup:
		record, found, err = from.Lookup(t, tb, p.index, p.point)
	case keyRange, indexScan, fullScan:
		scan := table.Scan{Index: p.index, Range: p.span, Reverse: p.reverse}
		if src.where != nil {
			scan.Filter = func(r table.Record) (bool, error) { return src.accepts(s, tb, r.Row) }
		}
		if p.ordered && limit != unlimited {
			scan.Limit = limit
		}
		return from.Scan(t, tb, scan)
	}
	if err == nil && found {
		found, err = src.accepts(s, tb, record.Row)
	}
	if err != nil || !found {
		return nil, err
	}
	return []table.Record{record}, nil
}

// handleOf returns the handle of a primary key.
func handleOf(v table.Datum) int64 {
	if v.Kind() == codec.KindUint {
		return int64(v.Uint()) // the same bits
	}
	return v.Int()
}

func (in insert) exec(t env.Task, s *Session) (*Result, error) {
	return s.within(t, func(tx *table.Tx) (*Result, error) {
		tb, err := tx.Table(in.table)
		if err != nil {
			return nil, err
		}
		places, err := placesOf(tb, in.columns)
		if err == nil {
			err = in.check(s, tb, places)
		}
		if err != nil {
			return nil, err
		}
		return &Result{Affected: len(in.rows)}, tx.Do(t, func(st *table.Statement) error {
			for _, list := range in.rows {
				row, err := in.row(s, tb, places, list)
				if err != nil {
					return err
				}
				if _, err := st.Insert(t, tb, row); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// row evaluates one row of VALUES; a column that is not named is NULL.
func (in insert) row(s *Session, tb *table.Table, places []int, list []expr) (table.Row, error) {
	row := make(table.Row, len(tb.Columns))
	for i, e := range list {
		v, err := e.eval(s.scope(nil, nil))
		if err != nil {
			return nil, err
		}
		row[places[i]] = v.Datum
	}
	return row, nil
}

func (u update) exec(t env.Task, s *Session) (*Result, error) {
	return s.within(t, func(tx *table.Tx) (*Result, error) {
		tb, err := tx.Table(u.table)
		if err == nil {
			err = u.check(s.scope(tb, nil))
		}
		if err != nil {
			return nil, err
		}
		r := &Result{}
		return r, tx.Do(t, func(st *table.Statement) error {
			records, err := u.find(t, s, st, tb)
			if err != nil {
				return err
			}
			r.Affected = len(records)
			for _, r := range records {
				changed, err := u.apply(s, tb, r.Row)
				if err != nil {
					return err
				}
				if err := st.Update(t, tb, r.Handle, r.Row, changed); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// apply returns a row with the columns of SET changed.
func (u update) apply(s *Session, tb *table.Table, row table.Row) (table.Row, error) {
	changed := slices.Clone(row)
	for _, set := range u.sets {
		place, err := tb.Place(set.column)
		if err != nil {
			return nil, err
		}
		v, err := set.value.eval(s.scope(tb, row))
		if err != nil {
			return nil, err
		}
		changed[place] = v.Datum
	}
	return changed, nil
}

func (d remove) exec(t env.Task, s *Session) (*Result, error) {
	return s.within(t, func(tx *table.Tx) (*Result, error) {
		tb, err := tx.Table(d.table)
		if err == nil {
			err = d.check(s.scope(tb, nil))
		}
		if err != nil {
			return nil, err
		}
		r := &Result{}
		return r, tx.Do(t, func(st *table.Statement) error {
			records, err := d.find(t, s, st, tb)
			if err != nil {
				return err
			}
			r.Affected = len(records)
			for _, r := range records {
				if err := st.Delete(t, tb, r.Handle, r.Row); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
