package bareraft

import (
	"errors"
	"fmt"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/scenarios/bareraft/registers"
)

// Database is a client of the registers in the shape of the database's raw
// interface: the same methods and the same errors, so that one workload drives
// both.
type Database struct {
	registers *registers.Client
}

// RawGet reads a key.
func (d *Database) RawGet(t env.Task, key []byte) (value []byte, found bool, err error) {
	v, found, err := d.registers.Get(t, string(key))
	return []byte(v), found, translate(err)
}

// RawPut writes a key.
func (d *Database) RawPut(t env.Task, key, value []byte) error {
	return translate(d.registers.Put(t, string(key), string(value)))
}

// RawDelete makes a key absent.
func (d *Database) RawDelete(t env.Task, key []byte) error {
	return translate(d.registers.Delete(t, string(key)))
}

// RawCompareAndSwap writes a key if it holds what is expected, nil meaning that
// it is absent, and returns what it held.
func (d *Database) RawCompareAndSwap(t env.Task, key, expected, value []byte) (swapped bool, previous []byte, err error) {
	var want *string
	if expected != nil {
		s := string(expected)
		want = &s
	}
	swapped, held, err := d.registers.CompareAndSwap(t, string(key), want, string(value))
	if held != nil {
		previous = []byte(*held)
	}
	return swapped, previous, translate(err)
}

// translate gives an error the database's meaning.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, registers.ErrUnknown):
		return fmt.Errorf("%w: %w", client.ErrUndetermined, err)
	default:
		return fmt.Errorf("%w: %w", client.ErrFailed, err)
	}
}
