package engine

// Metrics tells what a database has done since it was opened, and its shape.
type Metrics struct {
	Commits     uint64 // batches written
	Gets        uint64
	Iterators   uint64
	Flushes     uint64
	Compactions uint64
	Deletions   uint64 // obsolete files deleted

	L0Files      int64
	Tables       int64
	TableBytes   uint64
	LogBytes     uint64 // in the current log and those not yet flushed
	BytesWritten uint64 // to tables, by flushes and compactions
}

// Metrics returns what is known by now. It is not cheap.
func (db *DB) Metrics() Metrics {
	m := Metrics{
		Commits:     db.commits,
		Gets:        db.gets,
		Iterators:   db.iterators,
		Flushes:     db.flushes.Load(),
		Compactions: db.compactions.Load(),
		Deletions:   db.deletions,
	}
	if !db.usable() {
		return m
	}
	p := db.p.Metrics()
	m.L0Files = p.Levels[0].TablesCount
	total := p.Total()
	m.Tables = total.TablesCount
	m.TableBytes = uint64(total.TablesSize)
	m.BytesWritten = total.TableBytesFlushed + total.TableBytesCompacted
	m.LogBytes = p.WAL.Size
	return m
}
