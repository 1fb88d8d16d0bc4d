package sql

import (
	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/table"
	"simrun/nodes/table/kv"
)

// Statement is one statement, ready to be run any number of times.
type Statement struct {
	// Text is the statement as it was written.
	Text string
	// Variables are the names of those that it asks for, each as often as it does.
	Variables []string
	run       runner
}

// Query says whether the statement returns rows.
func (s *Statement) Query() bool {
	_, ok := s.run.(query)
	return ok
}

// OfRows says whether the statement returns or changes rows.
func (s *Statement) OfRows() bool {
	switch s.run.(type) {
	case query, insert, update, remove:
		return true
	}
	return false
}

// Contends says whether the statement can fail for what others have done or do, and leave
// its transaction to go on: a row or a value is there already (table.ErrDuplicate), or a
// lock is not to be had in the time that it gives (client.ErrLockWait).
func (s *Statement) Contends() bool {
	switch run := s.run.(type) {
	case query:
		return run.forUpdate && run.wait != client.WaitAlways
	case insert, update:
		return true
	}
	return false
}

// Creates returns the table that the statement creates, nil if it creates none.
func (s *Statement) Creates() *table.Definition {
	if c, ok := s.run.(createTable); ok {
		return &c.definition
	}
	return nil
}

// Drops returns the table that the statement drops, "" if it drops none.
func (s *Statement) Drops() string {
	d, _ := s.run.(dropTable)
	return d.table
}

// Table returns the table whose rows a statement returns or changes (OfRows).
func (s *Statement) Table() string {
	switch run := s.run.(type) {
	case query:
		return run.table
	case insert:
		return run.table
	case update:
		return run.table
	case remove:
		return run.table
	}
	return ""
}

// runner is what a statement does.
type runner interface {
	exec(t env.Task, s *Session) (*Result, error)
}

// The statements.
type (
	createTable struct {
		definition  table.Definition
		ifNotExists bool
	}
	dropTable   struct{ table string }
	createIndex struct {
		table string
		index table.IndexDefinition
	}
	dropIndex struct{ table, index string }

	insert struct {
		table   string
		columns []string // none: all of them
		rows    [][]expr
	}
	query struct {
		source
		columns   []string // none: all of them
		count     bool     // COUNT(*) and nothing else
		forUpdate bool
		wait      client.LockWait // of FOR UPDATE
	}
	update struct {
		source
		sets []assignment
	}
	remove struct{ source }

	begin      struct{ mode kv.Mode }
	commit     struct{}
	rollback   struct{}
	checkTable struct{ tables []string }
)

// source is which rows of a table a statement is about, in which order.
type source struct {
	table string
	where expr // nil: all
	order []ordering
	limit expr // nil: none
}

// ordering is one column of ORDER BY.
type ordering struct {
	column  string
	reverse bool
}

// assignment is one column of SET.
type assignment struct {
	column string
	value  expr
}
