package table

import (
	"bytes"
	"errors"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// Work takes one step of the oldest job in the queue. It reports whether there
// was one. Several clients may work at the same time: the step is one
// transaction that writes the job, so one of them takes it and the others fail
// with client.ErrWriteConflict. Nobody owns a job, and one whose worker has
// crashed goes on where it was. The error is ErrLease if the step has to wait.
func (db *DB) Work(t env.Task) (bool, error) {
	tx, err := db.beginChange(t)
	if err != nil {
		return false, err
	}
	pairs, err := scanMap(t, tx.kv, jobsMap)
	if err != nil {
		tx.Rollback(t)
		return false, err
	}
	if len(pairs) == 0 {
		return false, tx.Commit(t)
	}
	j, err := decodeJob(pairs[0].Value)
	if err == nil {
		err = tx.step(t, j)
	}
	if err != nil {
		tx.Rollback(t)
		return true, failure("step of a job", err)
	}
	return true, tx.commitChange(t)
}

// step takes the next step of a job.
func (tx *Tx) step(t env.Task, j *Job) error {
	tb := tx.schema.table(j.Table)
	if tb == nil {
		return tx.end(j, "its table was dropped")
	}
	switch j.Kind {
	case AddIndexJob:
		if j.Failure != "" {
			return tx.removeIndex(tb, j)
		}
		return tx.addIndex(t, tb, j)
	case DropIndexJob:
		return tx.removeIndex(tb, j)
	case DropTableJob:
		return tx.removeTable(tb, j)
	}
	return inconsistent("job %d of kind %q", j.ID, j.Kind)
}

// save writes the job as the step has left it.
func (tx *Tx) save(j *Job) error {
	tx.kv.Set(jobKey(j.ID), j.encode())
	return nil
}

// end takes the job from the queue into the history of jobs.
func (tx *Tx) end(j *Job, problem string) error {
	if j.Failure == "" {
		j.Failure = problem
	}
	tx.kv.Delete(jobKey(j.ID))
	tx.kv.Set(jobHistoryKey(j.ID), j.encode())
	return nil
}

// publishTable writes a new version of the schema, in which the table is so.
func (tx *Tx) publishTable(tb *Table) {
	tx.kv.Set(tableKey(tb.ID), tb.encode())
	tx.publish()
}

// addIndex is a step of adding an index: absent, delete-only, write-only,
// reorganizing, in which it is filled, public.
func (tx *Tx) addIndex(t env.Task, tb *Table, j *Job) error {
	x := tb.index(j.Index)
	if x == nil {
		next, err := tb.withIndex(IndexDefinition{Name: j.Name, Unique: j.Unique, Columns: j.Columns}, DeleteOnly)
		if err != nil { // the table has changed since the job was made
			return tx.end(j, err.Error())
		}
		j.Index = next.LastIndex
		tx.publishTable(next)
		return tx.save(j)
	}
	switch x.State {
	case DeleteOnly:
		tx.publishTable(tb.withState(x.ID, WriteOnly))
	case WriteOnly:
		tx.publishTable(tb.withState(x.ID, Reorganizing))
	case Reorganizing:
		if !j.Filled {
			return tx.backfill(t, tb, x, j)
		}
		tx.publishTable(tb.withState(x.ID, Public))
		return tx.end(j, "")
	case Public:
		return inconsistent("job %d adds index %s.%s, which is public", j.ID, tb.Name, x.Name)
	}
	return tx.save(j)
}

//nolint:gochecknoglobals // marks register once
var (
	markResumed   = invariant.NewMark("table: backfill went on after the first batch")
	markDuplicate = invariant.NewMark("table: an index could not be added, for its values are not unique")
)

// backfill writes the entries of the next rows. It locks the rows, so that it
// conflicts with whoever changes one of them meanwhile: of the two transactions
// the later one sees what the earlier has made of row and index. Its schema does
// not become too old: the next step of the job would write the job too.
func (tx *Tx) backfill(t env.Task, tb *Table, x *Index, j *Job) error {
	prefix := codec.AppendRowPrefix(nil, tb.ID)
	start := prefix
	if markResumed.Sometimes(len(j.Cursor) > 0) {
		start = j.Cursor
	}
	batch := tx.db.cfg.BackfillBatch
	rows, err := tx.kv.Scan(t, start, codec.PrefixEnd(prefix), batch)
	if err != nil {
		return err
	}
	records, err := tx.records(t, tb, nil, rows, tx.kv)
	if err != nil {
		return err
	}
	err = tx.Do(t, func(s *Statement) error {
		for _, r := range records {
			s.Lock(tb, r.Handle)
			if failed := s.addEntry(t, tb, x, r.Row, r.Handle); failed != nil {
				return failed
			}
		}
		return nil
	})
	var duplicate *DuplicateError
	switch {
	case errors.As(err, &duplicate):
		markDuplicate.Reached()
		j.Failure, j.Duplicate = duplicate.Error(), duplicate
		return tx.save(j)
	case err != nil:
		return err
	case len(rows) < batch:
		j.Filled, j.Cursor = true, nil
	default:
		j.Cursor = append(bytes.Clone(rows[len(rows)-1].Key), 0)
	}
	return tx.save(j)
}

// removeIndex is a step of dropping an index, or of taking one back that could
// not be added: write-only, delete-only, absent. Then nobody can write its entries
// any more, and garbage collection removes them.
func (tx *Tx) removeIndex(tb *Table, j *Job) error {
	x := tb.index(j.Index)
	if x == nil {
		return tx.end(j, "its index was dropped")
	}
	switch x.State {
	case Public:
		tx.publishTable(tb.withState(x.ID, WriteOnly))
	case WriteOnly, Reorganizing:
		tx.publishTable(tb.withState(x.ID, DeleteOnly))
	case DeleteOnly:
		tx.publishTable(tb.withState(x.ID, ""))
		tx.leave(j, codec.IndexPrefix(tb.ID, x.ID))
		return tx.end(j, "")
	}
	return tx.save(j)
}

// removeTable is a step of dropping a table: no statement sees it any more, then
// nobody can write it any more, and garbage collection removes its keys.
func (tx *Tx) removeTable(tb *Table, j *Job) error {
	if tb.State == Public {
		next := *tb
		next.State = DeleteOnly
		tx.publishTable(&next)
		return tx.save(j)
	}
	tx.kv.Delete(tableKey(tb.ID))
	tx.publish()
	tx.leave(j, codec.AppendTablePrefix(nil, tb.ID))
	return tx.end(j, "")
}
