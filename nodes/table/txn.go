package table

import (
	"fmt"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table/kv"
)

// Config holds the sizes in which things are done. The zero value of every
// field means its default.
type Config struct {
	// PageRows is the most rows or entries that are asked for at a time. Default
	// 256.
	PageRows int
	// RowIDBatch is how many hidden row ids a client takes at a time. What it has
	// not used when it ends is lost. Default 1000.
	RowIDBatch int
	// BackfillBatch is how many rows of a new index are dealt with in one
	// transaction. Default 64.
	BackfillBatch int
	// Lease is how long after its start a transaction may commit without a look at the
	// version of the schema, and how long a version lasts at least before there is
	// another one (lease.go). It must be the same for all who use the database, and
	// counts whole milliseconds. Default 500 ms.
	Lease time.Duration
	// Inner is the store for transactions that run inside others, in which row ids
	// are taken. Default: the database's own.
	Inner kv.Store
}

// DB is a database of tables, for the tasks of one process.
type DB struct {
	store  kv.Store
	cfg    Config
	cached *Schema           // the newest that was loaded; nil: none
	seen   sighting          // of the newest version that is known
	rowIDs map[int64]idRange // by table: what was taken and not used yet
}

// New returns the database of tables in a store.
func New(store kv.Store, cfg Config) *DB {
	orDefault := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	orDefault(&cfg.PageRows, 256)
	orDefault(&cfg.RowIDBatch, 1000)
	orDefault(&cfg.BackfillBatch, 64)
	if cfg.Lease <= 0 {
		cfg.Lease = 500 * time.Millisecond
	}
	if cfg.Inner == nil {
		cfg.Inner = store
	}
	return &DB{store: store, cfg: cfg, rowIDs: map[int64]idRange{}}
}

// Tx is a transaction: it sees tables and their schema as of its start, and the
// statements of a pessimistic one see tables as of their own (Do). It belongs to one
// task.
type Tx struct {
	db     *DB
	kv     kv.Txn
	schema *Schema
	ended  bool
	// publishes: it writes the next version of the schema.
	publishes bool
	// within: a statement of a pessimistic transaction is under way.
	within bool
	// written are the rows that a pessimistic transaction has changed, by table.
	written map[int64]ownRows
}

// Begin starts a transaction in the store's default mode.
func (db *DB) Begin(t env.Task) (*Tx, error) { return db.BeginIn(t, kv.Default) }

// BeginIn starts a transaction.
func (db *DB) BeginIn(t env.Task, mode kv.Mode) (*Tx, error) {
	tx, err := db.begin(t, mode)
	if err != nil {
		return nil, err
	}
	tx.kv.BeforeCommit(tx.checkVersion, db.leaseEnd(tx.StartTS()))
	return tx, nil
}

// beginChange starts a transaction that does not look at the schema's version again:
// it changes it, and conflicts with whoever else does, whichever way it commits.
func (db *DB) beginChange(t env.Task) (*Tx, error) { return db.begin(t, kv.Optimistic) }

func (db *DB) begin(t env.Task, mode kv.Mode) (*Tx, error) {
	x, err := db.store.Begin(t, mode)
	if err != nil {
		return nil, err
	}
	schema, err := loadSchema(t, x, db.cached)
	if err != nil {
		x.Rollback(t)
		return nil, failure("begin", err)
	}
	if db.cached == nil || db.cached.Version < schema.Version {
		db.cached = schema
	}
	db.saw(schema.Version, x.StartTS())
	return &Tx{db: db, kv: x, schema: schema}, nil
}

//nolint:gochecknoglobals // marks register once
var (
	markSchemaOlder   = invariant.NewMark("table: committed one schema version behind")
	markSchemaChanged = invariant.NewMark("table: refused to commit two schema versions behind")
)

// checkVersion compares the transaction's schema with that of its commit
// timestamp. All its keys are locked, so what holds at that timestamp is what
// its writes meet: a change of the schema that commits later has a later
// timestamp, and who reads then sees these writes.
func (tx *Tx) checkVersion(t env.Task, commitTS uint64) error {
	version, err := tx.versionAt(t, commitTS)
	if err != nil {
		return err
	}
	if version > tx.schema.Version+1 {
		markSchemaChanged.Reached()
		return fmt.Errorf("%w: from version %d to %d", ErrSchemaChanged, tx.schema.Version, version)
	}
	markSchemaOlder.Sometimes(version > tx.schema.Version)
	return nil
}

// versionAt returns the version of the schema at a timestamp after the start.
func (tx *Tx) versionAt(t env.Task, ts uint64) (int64, error) {
	key := codec.MetaKey(versionField)
	text, found, err := tx.db.store.GetAt(t, ts, key)
	if err != nil {
		return 0, err
	}
	version, err := number(key, text, found)
	if err != nil {
		return 0, err
	}
	invariant.Check(version >= tx.schema.Version, "table: the schema went from version %d to %d", tx.schema.Version, version)
	// Who had gone on here without this look would have relied on the lease.
	invariant.Check(version <= tx.schema.Version+1 || ts > tx.db.leaseEnd(tx.StartTS()),
		"table: the schema went from version %d to %d between %d and %d, within a lease", tx.schema.Version, version, tx.StartTS(), ts)
	return version, nil
}

func (tx *Tx) use() {
	invariant.Check(!tx.ended, "table: transaction %d used after its end", tx.kv.StartTS())
}

// Pessimistic reports whether its statements lock what they find.
func (tx *Tx) Pessimistic() bool { return tx.kv.Pessimistic() }

// KV returns the transaction on keys that it is made of.
func (tx *Tx) KV() kv.Txn { return tx.kv }

// StartTS returns the timestamp at which the transaction reads.
func (tx *Tx) StartTS() uint64 { return tx.kv.StartTS() }

// Table returns the table of that name.
func (tx *Tx) Table(name string) (*Table, error) {
	if t := tx.schema.find(name); t != nil && t.State == Public {
		return t, nil
	}
	return nil, failure("table", schemaError("there is no table %s", name))
}

// Commit brings what the transaction has changed into the database and ends it.
// The error is one of package client, perhaps because of ErrSchemaChanged.
func (tx *Tx) Commit(t env.Task) error {
	tx.use()
	tx.ended = true
	return tx.kv.Commit(t)
}

// Rollback ends the transaction without effect. After its end it does nothing.
func (tx *Tx) Rollback(t env.Task) {
	if tx.ended {
		return
	}
	tx.ended = true
	tx.kv.Rollback(t)
}
