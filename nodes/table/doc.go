// Package table maps tables, rows and indexes onto the keys of the database, as
// TiDB does onto those of TiKV, with the transactions of package client under it.
//
//	db := table.New(kv.NewStore(c), table.Config{})
//	err := db.CreateTable(t, table.Definition{Name: "accounts", ...})
//
//	tx, err := db.Begin(t)                          // a snapshot of data and schema
//	acc, err := tx.Table("accounts")
//	err = tx.Do(t, func(s *table.Statement) error { // a statement: all of it or nothing
//		_, err := s.Insert(t, acc, row)
//		return err
//	})
//	row, found, err := tx.Get(t, acc, handle)
//	rows, err := tx.Scan(t, acc, table.Scan{...})   // by handle or by an index
//	err = tx.Commit(t)
//
// Package sql, below, does the same for statements as text.
//
// # Keys
//
//	t{table}_r{handle}                        -> columns (row.go)
//	t{table}_i{index}{columns}                -> handle     unique index, no column NULL
//	t{table}_i{index}{columns}{handle}        -> "0"        any other entry
//	m...                                      -> the schema (meta.go)
//
// The handle of a row is its primary key, if that is one integer column
// (clustered), or else a number that nobody sees, from ranges that each client
// takes for itself (rowid.go). An unsigned primary key is stored by its bits as
// a signed handle; so its upper half sorts below its lower half, and a range
// over both is two ranges of keys (ranges.go).
//
// A row and its index entries change in one transaction, always, and everything
// that a transaction reads it reads at one timestamp, except for the statements of a
// pessimistic one: each reads what is newest, at a timestamp of its own (current.go). A
// statement stages what it changes and hands it over at its end (stage.go): one that
// fails has changed nothing, and its transaction may go on.
//
// # Schema changes
//
// The schema has a version, and every change is a transaction that increments
// it. Transactions under way go on with the version that they began with; what
// keeps that safe are the rules of Rae et al., "Online, Asynchronous Schema
// Change in F1" (VLDB 2013):
//
//   - Between absent and public an index is delete-only and write-only (schema.go,
//     State), so that two neighbouring versions never contradict each other.
//   - A transaction commits only if the version at its commit timestamp is at most
//     one after its own. With two phases it looks there, at that very timestamp,
//     after it has locked all its keys (txn.go, checkVersion). Where stores choose
//     the timestamp nobody can look; then it commits within a lease from its start,
//     and no version is followed by another one in less (lease.go). Both are matters
//     of the oracle's timestamps, not of clocks.
//   - A statement that reads what is newest, later than its schema, reads only where
//     the version is at most one after its own (current.go).
//   - The index is filled when nobody can commit any more who does not maintain it:
//     a version after the one that made it write-only (State, Reorganizing).
//
// A change is a job in the store. Whoever asks for it works on it, and whoever
// else likes to: each step is one transaction that writes the job, so that of two
// who take the same step one fails, and a job whose worker crashed goes on from
// its last step (ddl.go).
//
// The keys of what was dropped stay until garbage collection removes them, as a
// range: the step that takes a table or an index out of the schema leaves a record
// of them (dropped.go), for a collector that works on the same store:
//
//	client.NewCollector(c, pd, client.CollectorConfig{Dropped: table.NewDropped(kv.NewStore(c)), ...})
//
// # Types
//
// BIGINT and its smaller kin, signed and unsigned, DOUBLE, VARCHAR and VARBINARY
// (both compare by bytes, without padding), DATETIME. Not offered: DECIMAL, TIME,
// JSON and the rest, time zones, collations, foreign keys, partitions, prefix and
// descending indexes, changes of columns.
package table
