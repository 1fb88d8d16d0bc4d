package sql

import (
	"errors"
	"fmt"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table"
	"simrun/nodes/table/kv"
)

// Session runs statements one after another. It belongs to one task.
type Session struct {
	// JobLimit is how long a statement works on a change of the schema before it
	// leaves it to others. NewSession sets ten seconds.
	JobLimit time.Duration

	db        *table.DB
	tx        *table.Tx // open by BEGIN; nil: none
	variables map[string]table.Datum
	// Observe, if set, is given the transaction of every statement before it runs.
	Observe func(tx *table.Tx)
}

// NewSession returns a session on a database.
func NewSession(db *table.DB) *Session {
	return &Session{JobLimit: 10 * time.Second, db: db, variables: map[string]table.Datum{}}
}

//nolint:gochecknoglobals // marks register once
var markDeadlock = invariant.NewMark("sql: deadlock ended a transaction")

// Set gives a variable (@name) a value.
func (s *Session) Set(name string, v table.Datum) { s.variables[name] = v }

// Clear forgets all variables.
func (s *Session) Clear() { clear(s.variables) }

// Open says whether a transaction is under way.
func (s *Session) Open() bool { return s.tx != nil }

// Result is the answer to a statement.
type Result struct {
	// Columns are those of the rows; nil if the statement returns none.
	Columns []table.Column
	Rows    []table.Row
	// Affected is how many rows were inserted, deleted, or found by an UPDATE; for
	// a query, how many it returns.
	Affected int
}

// Text returns the rows as text.
func (r *Result) Text() [][]string {
	text := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		for j, v := range row {
			text[i] = append(text[i], r.Columns[j].Format(v))
		}
	}
	return text
}

// Exec runs a statement. An error is of package client's classes: after a definite
// failure the statement has had no effect, and the transaction that it is part of
// goes on; after one of COMMIT, and after ErrDeadlock, the transaction has ended.
func (s *Session) Exec(t env.Task, st *Statement) (*Result, error) {
	r, err := st.run.exec(t, s)
	if err == nil {
		return r, nil
	}
	if markDeadlock.Sometimes(errors.Is(err, client.ErrDeadlock) && s.tx != nil) {
		s.Close(t)
		err = fmt.Errorf("%w: %w", ErrDeadlock, err)
	}
	if _, classed := err.(*client.Error); !classed { //nolint:errorlint // the outermost is meant
		err = &client.Error{Op: "statement", Err: err}
	}
	return nil, err
}

// Close gives up the transaction that is under way, if there is one.
func (s *Session) Close(t env.Task) {
	if s.tx != nil {
		s.tx.Rollback(t)
		s.tx = nil
	}
}

// within runs a statement in the session's transaction, or in one of its own, which is
// optimistic, as in TiDB: no other statement could need its locks.
func (s *Session) within(t env.Task, fn func(tx *table.Tx) (*Result, error)) (*Result, error) {
	if s.tx != nil {
		if s.Observe != nil {
			s.Observe(s.tx)
		}
		return fn(s.tx)
	}
	tx, err := s.db.BeginIn(t, kv.Optimistic)
	if err != nil {
		return nil, err
	}
	if s.Observe != nil {
		s.Observe(tx)
	}
	r, err := fn(tx)
	if err != nil {
		tx.Rollback(t)
		return nil, err
	}
	return r, tx.Commit(t)
}

// scope returns what constant expressions are evaluated in.
func (s *Session) scope(tb *table.Table, row table.Row) *scope {
	return &scope{variables: s.variables, tb: tb, row: row}
}

func (b begin) exec(t env.Task, s *Session) (*Result, error) {
	if s.tx != nil {
		return nil, fmt.Errorf("%w: a transaction is under way", ErrTransaction)
	}
	tx, err := s.db.BeginIn(t, b.mode)
	if err != nil {
		return nil, err
	}
	s.tx = tx
	return &Result{}, nil
}

func (commit) exec(t env.Task, s *Session) (*Result, error) {
	if s.tx == nil {
		return nil, fmt.Errorf("%w: none is under way", ErrTransaction)
	}
	tx := s.tx
	s.tx = nil
	return &Result{}, tx.Commit(t)
}

func (rollback) exec(t env.Task, s *Session) (*Result, error) {
	if s.tx == nil {
		return nil, fmt.Errorf("%w: none is under way", ErrTransaction)
	}
	s.Close(t)
	return &Result{}, nil
}

// outside makes sure that a change of the schema is not in a transaction.
func (s *Session) outside() error {
	if s.tx != nil {
		return fmt.Errorf("%w: end it before the schema is changed", ErrTransaction)
	}
	return nil
}

func (c createTable) exec(t env.Task, s *Session) (*Result, error) {
	if err := s.outside(); err != nil {
		return nil, err
	}
	if !c.ifNotExists {
		return &Result{}, s.db.CreateTable(t, c.definition)
	}
	if exists, err := s.exists(t, c.definition.Name); err != nil || exists {
		return &Result{}, err
	}
	err := s.db.CreateTable(t, c.definition)
	if errors.Is(err, table.ErrSchema) || errors.Is(err, client.ErrWriteConflict) {
		// Somebody else has perhaps created it since.
		if exists, failed := s.exists(t, c.definition.Name); failed == nil && exists {
			return &Result{}, nil
		}
	}
	return &Result{}, err
}

// exists says whether there is a table of that name.
func (s *Session) exists(t env.Task, name string) (bool, error) {
	tx, err := s.db.BeginIn(t, kv.Optimistic)
	if err != nil {
		return false, err
	}
	_, missing := tx.Table(name)
	return missing == nil, tx.Commit(t)
}

func (d dropTable) exec(t env.Task, s *Session) (*Result, error) {
	if err := s.outside(); err != nil {
		return nil, err
	}
	return &Result{}, s.db.DropTable(t, d.table, s.JobLimit)
}

func (c createIndex) exec(t env.Task, s *Session) (*Result, error) {
	if err := s.outside(); err != nil {
		return nil, err
	}
	return &Result{}, s.db.AddIndex(t, c.table, c.index, s.JobLimit)
}

func (d dropIndex) exec(t env.Task, s *Session) (*Result, error) {
	if err := s.outside(); err != nil {
		return nil, err
	}
	return &Result{}, s.db.DropIndex(t, d.table, d.index, s.JobLimit)
}

func (c checkTable) exec(t env.Task, s *Session) (*Result, error) {
	return s.within(t, func(tx *table.Tx) (*Result, error) {
		for _, name := range c.tables {
			tb, err := tx.Table(name)
			if err == nil {
				err = tx.Check(t, tb)
			}
			if err != nil {
				return nil, err
			}
		}
		return &Result{}, nil
	})
}

// countColumn is the column of COUNT(*).
func countColumn() table.Column {
	return table.Column{Name: "COUNT(*)", Type: table.BigInt, NotNull: true}
}

// records reads the rows of a query, and locks them if it says so.
func (q *query) records(t env.Task, s *Session, tx *table.Tx, tb *table.Table) (records []table.Record, err error) {
	if !q.forUpdate {
		return q.find(t, s, tx, tb)
	}
	err = tx.DoWithin(t, q.wait, func(st *table.Statement) (err error) {
		if records, err = q.find(t, s, st, tb); err != nil {
			return err
		}
		for _, r := range records {
			st.Lock(tb, r.Handle)
		}
		return nil
	})
	return records, err
}

func (q query) exec(t env.Task, s *Session) (*Result, error) {
	return s.within(t, func(tx *table.Tx) (*Result, error) {
		tb, err := tx.Table(q.table)
		if err != nil {
			return nil, err
		}
		places, err := placesOf(tb, q.columns)
		if err == nil {
			err = q.check(s.scope(tb, nil))
		}
		if err != nil {
			return nil, err
		}
		records, err := q.records(t, s, tx, tb)
		if err != nil {
			return nil, err
		}
		if q.count {
			row := table.Row{codec.Int(int64(len(records)))}
			return &Result{Columns: []table.Column{countColumn()}, Rows: []table.Row{row}, Affected: 1}, nil
		}
		r := &Result{Affected: len(records)}
		for _, p := range places {
			r.Columns = append(r.Columns, tb.Columns[p])
		}
		for _, record := range records {
			row := make(table.Row, len(places))
			for i, p := range places {
				row[i] = record.Row[p]
			}
			r.Rows = append(r.Rows, row)
		}
		return r, nil
	})
}

// placesOf returns the places of named columns, or of all.
func placesOf(tb *table.Table, names []string) ([]int, error) {
	var places []int
	if len(names) == 0 {
		for i := range tb.Columns {
			places = append(places, i)
		}
	}
	for _, name := range names {
		p, err := tb.Place(name)
		if err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return places, nil
}
