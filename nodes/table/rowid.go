package table

import (
	"errors"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table/kv"
)

// idRange is a range of hidden row ids that nobody else has: first to last-1.
type idRange struct{ first, end int64 }

const (
	rowIDRetries = 10
	rowIDPause   = 20 * time.Millisecond
)

//nolint:gochecknoglobals // marks register once
var markRowIDConflict = invariant.NewMark("table: two clients took row ids at the same time")

// nextRowID returns a hidden row id that no row has had. They come from ranges
// that a client takes in a transaction of its own, before and whatever becomes
// of the one that needs them. A client that ends leaves a gap: ids only go up.
func (db *DB) nextRowID(t env.Task, table int64) (int64, error) {
	if r := db.rowIDs[table]; r.first < r.end {
		db.rowIDs[table] = idRange{r.first + 1, r.end}
		return r.first, nil
	}
	var err error
	for range rowIDRetries {
		var r idRange
		if r, err = db.takeRowIDs(t, table); err == nil {
			// Another task may have taken a range meanwhile; this one replaces it.
			db.rowIDs[table] = idRange{r.first + 1, r.end}
			return r.first, nil
		}
		// Even a range that was perhaps taken is not used: the next one is.
		if !errors.Is(err, client.ErrWriteConflict) && !errors.Is(err, client.ErrUndetermined) {
			break
		}
		markRowIDConflict.Sometimes(errors.Is(err, client.ErrWriteConflict))
		t.Sleep(rowIDPause)
	}
	// The statement that needs the id has definitely failed, also if nobody knows
	// whether a range was taken: that error is told, not wrapped.
	return 0, &client.Error{Op: "row id", Err: errors.New(err.Error())}
}

// takeRowIDs takes the next range of a table.
func (db *DB) takeRowIDs(t env.Task, table int64) (r idRange, err error) {
	x, err := db.cfg.Inner.Begin(t, kv.Optimistic)
	if err != nil {
		return r, err
	}
	key := rowIDKey(table)
	last, err := readNumber(t, x, key)
	if err != nil {
		x.Rollback(t)
		return r, err
	}
	r = idRange{last + 1, last + 1 + int64(db.cfg.RowIDBatch)}
	writeNumber(x, key, r.end-1)
	return r, x.Commit(t)
}
