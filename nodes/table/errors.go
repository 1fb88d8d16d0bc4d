package table

import (
	"errors"
	"fmt"

	"simrun/nodes/client"
)

// Reasons of failures, found in an error by errors.Is. A statement that fails
// for one of them has had no effect, and its transaction goes on without it.
// Errors of the store are those of package client.
var (
	// ErrDuplicate: a row with that primary key, or with that value of a unique
	// index, exists. Errors of type *DuplicateError say which.
	ErrDuplicate = errors.New("duplicate entry")
	// ErrValue: a value does not fit its column.
	ErrValue = errors.New("value does not fit")
	// ErrSchema: there is no such table, column or index, or there is one already.
	ErrSchema = errors.New("not in the schema")
	// ErrSchemaChanged: the schema changed by more than one version while the
	// transaction was under way.
	ErrSchemaChanged = errors.New("the schema has changed")
	// ErrLease: the version of the schema is too young to be followed by another one.
	// Errors of type *LeaseError say how long it is.
	ErrLease = errors.New("the schema has just changed")
	// ErrInconsistent: rows and indexes do not agree, or do not decode. It is what
	// nothing that can happen in operation explains: where a pessimistic transaction
	// may have lost its locks, they need not agree, and the error is another one
	// (current.go, explain).
	ErrInconsistent = errors.New("inconsistent data")
)

// disagreement is the ErrInconsistent of a table whose rows and entries decode, but do not
// agree.
type disagreement struct {
	table   int64
	message string
}

func (e *disagreement) Error() string { return fmt.Sprintf("%v: %s", ErrInconsistent, e.message) }

// Is makes the error an ErrInconsistent.
func (e *disagreement) Is(target error) bool { return target == ErrInconsistent }

// DuplicateError says what exists already. It is ErrDuplicate.
type DuplicateError struct {
	Table  string `json:"table"`
	Index  string `json:"index"`
	Values string `json:"values"`
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("duplicate entry (%s) for key %s.%s", e.Values, e.Table, e.Index)
}

// Is makes the error an ErrDuplicate.
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicate }

// failure wraps a reason in the client's class of definite failures.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	var classed *client.Error
	if errors.As(err, &classed) {
		return err
	}
	return &client.Error{Op: op, Err: err}
}

func valueError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrValue, fmt.Sprintf(format, args...))
}

func schemaError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSchema, fmt.Sprintf(format, args...))
}

func inconsistent(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInconsistent, fmt.Sprintf(format, args...))
}

// disagree says how the rows and the entries of the table do not agree.
func (t *Table) disagree(format string, args ...any) error {
	return &disagreement{t.ID, fmt.Sprintf(format, args...)}
}
