package engine

// Metrics tells what a database has done since it was opened, and its shape.
type Metrics struct {
	Commits     uint64 // batches written
	Flushes     uint64
	Compactions uint64
	Deletions   uint64 // obsolete files deleted

	L0Files      int64
	Tables       int64
	BytesWritten uint64 // to tables, by flushes and compactions
}

// Metrics returns what is known by now. It is not cheap.
func (db *DB) Metrics() Metrics {
	m := Metrics{
		Commits:     db.commits,
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
	m.BytesWritten = total.TableBytesFlushed + total.TableBytesCompacted
	return m
}
