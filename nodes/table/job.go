package table

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table/kv"
)

// JobKind is what a job does.
type JobKind string

// The kinds of jobs.
const (
	AddIndexJob  JobKind = "add-index"
	DropIndexJob JobKind = "drop-index"
	DropTableJob JobKind = "drop-table"
)

// Job is a change of the schema that takes more than one step. It lies in the
// store until it has ended, and then in the history of jobs.
type Job struct {
	ID    int64   `json:"id"`
	Kind  JobKind `json:"kind"`
	Table int64   `json:"table"`
	// Index is the index that is added or dropped; 0 before there is one.
	Index int64 `json:"index,omitempty"`
	// Name, Unique and Columns define an index that is added.
	Name    string   `json:"name,omitempty"`
	Unique  bool     `json:"unique,omitempty"`
	Columns []string `json:"columns,omitempty"`

	// Cursor is the key of the first row that is not in the new index yet.
	Cursor []byte `json:"cursor,omitempty"`
	Filled bool   `json:"filled,omitempty"` // every row is
	// Failure is why an index cannot be added. The job then goes back.
	Failure string `json:"failure,omitempty"`
	// Duplicate is set where the reason is that values are not unique.
	Duplicate *DuplicateError `json:"duplicate,omitempty"`
}

// failed returns why a job that has ended did not do what it was to do, nil if it did.
func (j *Job) failed() error {
	switch {
	case j.Duplicate != nil:
		return failure("job", j.Duplicate)
	case j.Failure != "": // perhaps the text of an ErrSchema, which is not to be said twice
		return failure("job", fmt.Errorf("%w: %s", ErrSchema, strings.TrimPrefix(j.Failure, ErrSchema.Error()+": ")))
	}
	return nil
}

func (j *Job) encode() []byte { return encodeRecord(j) }

func decodeJob(text []byte) (*Job, error) { return decodeRecord[Job]("job", text) }

// change runs a transaction that changes the schema, once it may. It conflicts
// with every other one that does.
func (db *DB) change(t env.Task, fn func(tx *Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.tryChange(t, fn)
		var early *LeaseError
		if !errors.As(err, &early) || attempt == leaseAttempts {
			return err
		}
		t.Sleep(early.Left)
	}
}

func (db *DB) tryChange(t env.Task, fn func(tx *Tx) error) error {
	tx, err := db.beginChange(t)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		tx.Rollback(t)
		return failure("change of the schema", err)
	}
	return tx.commitChange(t)
}

// publish writes the next version of the schema.
func (tx *Tx) publish() {
	tx.publishes = true
	writeNumber(tx.kv, codec.MetaKey(versionField), tx.schema.Version+1)
}

// newID returns the next number for a table or a job.
func (tx *Tx) newID(t env.Task) (int64, error) {
	key := codec.MetaKey(globalIDField)
	last, err := readNumber(t, tx.kv, key)
	writeNumber(tx.kv, key, last+1)
	return last + 1, err
}

// CreateTable makes an empty table. That takes one version: nobody of the version
// before knows of it.
func (db *DB) CreateTable(t env.Task, d Definition) error {
	return db.change(t, func(tx *Tx) error {
		if tx.schema.find(d.Name) != nil {
			return schemaError("there is a table %s, or one of that name is being dropped", d.Name)
		}
		id, err := tx.newID(t)
		if err != nil {
			return err
		}
		tb, err := d.build(id)
		if err != nil {
			return err
		}
		tx.kv.Set(tableKey(id), tb.encode())
		tx.publish()
		return nil
	})
}

// AddIndex adds an index to a table with rows, while others write it. It returns
// when the job has ended, which it also works on. If time runs out the job goes
// on nevertheless, as soon as somebody calls Work; the error is then of class
// client.ErrUndetermined.
func (db *DB) AddIndex(t env.Task, table string, def IndexDefinition, limit time.Duration) error {
	return db.enqueue(t, table, limit, func(tb *Table) (*Job, error) {
		if err := def.checkName(table); err != nil {
			return nil, err
		}
		if _, err := tb.withIndex(def, DeleteOnly); err != nil {
			return nil, err
		}
		return &Job{Kind: AddIndexJob, Name: def.Name, Unique: def.Unique, Columns: def.Columns}, nil
	})
}

// DropIndex removes an index, as AddIndex adds one. Its entries are left to
// garbage collection; see Dropped.
func (db *DB) DropIndex(t env.Task, table, index string, limit time.Duration) error {
	return db.enqueue(t, table, limit, func(tb *Table) (*Job, error) {
		x := tb.Index(index)
		if x == nil || x.State != Public || x.Name == primaryName {
			return nil, schemaError("table %s has no index %s that can be dropped", table, index)
		}
		return &Job{Kind: DropIndexJob, Index: x.ID}, nil
	})
}

// DropTable removes a table with all that is in it, as AddIndex adds an index. Its
// keys are left to garbage collection; see Dropped.
func (db *DB) DropTable(t env.Task, table string, limit time.Duration) error {
	return db.enqueue(t, table, limit, func(*Table) (*Job, error) { return &Job{Kind: DropTableJob}, nil })
}

// enqueue puts a job into the queue and works on the queue until the job has
// ended.
func (db *DB) enqueue(t env.Task, table string, limit time.Duration, build func(tb *Table) (*Job, error)) error {
	var id int64
	err := db.change(t, func(tx *Tx) error {
		tb, err := tx.Table(table)
		if err != nil {
			return err
		}
		j, err := build(tb)
		if err != nil {
			return err
		}
		if j.ID, err = tx.newID(t); err != nil {
			return err
		}
		j.Table, id = tb.ID, j.ID
		tx.kv.Set(jobKey(id), j.encode())
		return nil
	})
	if err != nil {
		return err
	}
	return db.wait(t, id, limit)
}

// jobPause is how long a worker waits after a step that somebody else took, or that
// failed. It doubles, up to jobPauseMax, with each further step that fails: workers who
// take one step at the same time conflict in all its keys, and each gives way to one
// who began later, so that none would get through as long as all of them come back at once.
const (
	jobPause    = 20 * time.Millisecond
	jobPauseMax = time.Second
)

//nolint:gochecknoglobals // marks register once
var markJobPauseGrew = invariant.NewMark("table: several steps of a job failed in a row")

// wait works until a job has ended, and returns what became of it.
func (db *DB) wait(t env.Task, id int64, limit time.Duration) error {
	var last error
	failed := jobPause // how long to wait after a step that failed
	for spent := time.Duration(0); spent < limit; {
		j, err := db.ended(t, id)
		if err == nil && j != nil {
			return j.failed()
		}
		for err == nil {
			var worked bool
			if worked, err = db.Work(t); !worked {
				break
			}
		}
		last = err
		pause := jobPause
		var early *LeaseError
		switch {
		case errors.As(err, &early):
			pause = max(jobPause, min(early.Left, limit-spent))
		case err != nil:
			markJobPauseGrew.Sometimes(failed > jobPause)
			pause, failed = failed, min(2*failed, jobPauseMax)
		default:
			failed = jobPause
		}
		t.Sleep(pause)
		spent += pause
	}
	return &client.Error{Op: "job", Unknown: true, Err: fmt.Errorf("job %d has not ended within %v: %w", id, limit, errors.Join(client.ErrDeadline, last))}
}

// ended returns a job that has ended; nil if it has not.
func (db *DB) ended(t env.Task, id int64) (*Job, error) {
	tx, err := db.BeginIn(t, kv.Optimistic)
	if err != nil {
		return nil, err
	}
	text, found, err := tx.kv.Get(t, jobHistoryKey(id))
	if err != nil {
		tx.Rollback(t)
		return nil, err
	}
	if err := tx.Commit(t); err != nil || !found {
		return nil, err
	}
	return decodeJob(text)
}
