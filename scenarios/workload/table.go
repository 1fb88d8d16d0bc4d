package workload

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table"
	"simrun/sim/history"
	"simrun/sim/plan"
	"simrun/sim/stream"
)

// tables changes the rows of one table in every way, the primary key included,
// reads them by primary key, by unique and other indexes, and adds and drops
// indexes meanwhile. Whoever reads a range compares it with the rows one by one.
// Few values are drawn, so that clients race for those of the unique index. The
// seed decides whether the primary key is unsigned, signed or none at all.
// Parameters: ddl, the share of steps that change the schema, or work on a change
// that somebody asked for, in per mille; side, the share of the others that make,
// use and drop tables beside it (tableside.go); read, the share that only reads.
type tables struct {
	cfg     Config
	ddl     int
	side    int
	reads   int
	primary primary
	clients tableClients
	probes  int64 // transactions of the probe so far
	probed  int   // rows that it has changed
}

// primary is which primary key the table has.
type primary int

const (
	unsignedKey primary = iota
	signedKey
	noKey
)

// The table: its name, id, and the places of its columns.
const (
	itemsTable = "items"
	itemsID    = 1 // the first one that is made

	columnID   = 0
	columnCode = 1 // unique
	columnTag  = 2
	columnN    = 3 // has an index now and then
)

// jobLimit is how long a client works on a change of the schema before it leaves
// it to others.
const jobLimit = 2 * time.Second

func newTables(cfg Config) *tables {
	// Half of the seeds have an unsigned key, for it is the most intricate.
	kind := []primary{unsignedKey, unsignedKey, signedKey, noKey}[stream.New(cfg.Seed, "table").IntN(4)]
	return &tables{
		cfg: cfg, ddl: cfg.param("ddl"), side: cfg.param("side"), reads: cfg.param("read"), primary: kind,
		clients: newTableClients(table.Config{PageRows: 5, RowIDBatch: 7, BackfillBatch: 3, Lease: cfg.SchemaLease}),
	}
}

// definition returns what the table is to be.
func (w *tables) definition() table.Definition {
	d := table.Definition{
		Name: itemsTable,
		Columns: []table.Column{
			{Name: "id", Type: table.BigInt, Unsigned: w.primary == unsignedKey, NotNull: true},
			{Name: "code", Type: table.BigInt},
			{Name: "tag", Type: table.VarChar, Length: 12, NotNull: true},
			{Name: "n", Type: table.Int},
		},
		Indexes: []table.IndexDefinition{
			{Name: "code", Unique: true, Columns: []string{"code"}},
			{Name: "tag", Columns: []string{"tag", "code"}},
		},
	}
	if w.primary != noKey {
		d.Primary = []string{"id"}
	}
	return d
}

// handleAt returns the n-th of the handles in use: half of them are negative,
// which as unsigned keys are the large ones.
func handleAt(n, keys int) int64 {
	if n < keys/2 {
		return math.MinInt64 + int64(n)
	}
	return int64(n - keys/2)
}

// id returns the n-th of the primary keys in use.
func (w *tables) id(n int) table.Datum {
	h := handleAt(n, w.cfg.Keys)
	if w.primary == unsignedKey {
		return codec.Uint(uint64(h)) // the same bits
	}
	return codec.Int(h)
}

// tablePlaces returns keys all over the table, of its two indexes and its rows, and
// of what may be dropped, if side tables are.
func tablePlaces(w *plan.Workload) []string {
	places := make([]string, 0, w.Keys)
	indexes := w.Keys / 4
	for n := range w.Keys {
		if n == 2*indexes && w.Params["side"] > 0 {
			places = sidePlaces(places, w.Keys, true)
		}
		var key []byte
		switch {
		case n < indexes:
			key = codec.AppendDatum(codec.IndexPrefix(itemsID, 1), codec.Int(int64(n)))
		case n < 2*indexes:
			key = codec.AppendDatum(codec.IndexPrefix(itemsID, 2), codec.Bytes(tag(n-indexes)))
		default:
			key = codec.RowKey(itemsID, handleAt(n-2*indexes, w.Keys-2*indexes))
		}
		places = append(places, plan.HexKey(key))
	}
	if w.Params["side"] > 0 {
		places = sidePlaces(places, w.Keys, false)
	}
	return places
}

func tag(n int) string { return fmt.Sprintf("tag/%04d", n) }

// Header implements Workload.
func (*tables) Header(h *history.Header) { h.Hex, h.Tables = true, true }

// tableTx is a transaction on the table that may find fault with its answers.
type tableTx struct {
	*table.Tx
	t      env.Task
	w      *tables
	tb     *table.Table
	record *history.TxnRecord
}

// transaction runs and records one transaction on the table.
func (w *tables) transaction(t env.Task, s *Session, body func(x *tableTx) error) error {
	return w.transactionOn(t, s, itemsTable, body)
}

// transactionOn runs and records one transaction on the table of that name.
func (w *tables) transactionOn(t env.Task, s *Session, name string, body func(x *tableTx) error) error {
	tx, err := w.clients.database(s).Begin(t)
	if err != nil {
		return err
	}
	// Not deferred: a client that is killed here has not given up, and what becomes
	// of its transaction is not known.
	record := tx.KV().(*tableTxn).op.Txn
	err = w.within(t, tx, name, record, body)
	tx.Rollback(t) // does nothing after the commit
	return err
}

// within runs the body of a transaction, and commits it.
func (w *tables) within(t env.Task, tx *table.Tx, name string, record *history.TxnRecord, body func(x *tableTx) error) error {
	tb, err := tx.Table(name)
	if err != nil {
		return err
	}
	x := &tableTx{tx, t, w, tb, record}
	if err := body(x); err != nil {
		if errors.Is(err, table.ErrInconsistent) {
			record.Problem = err.Error()
		}
		return err
	}
	return tx.Commit(t)
}

// statement runs a statement; that a value is taken is an answer.
func (x *tableTx) statement(fn func(st *table.Statement) error) error {
	if err := x.Do(x.t, fn); err != nil && !errors.Is(err, table.ErrDuplicate) {
		return err
	}
	return nil
}

// Setup implements Workload.
func (w *tables) Setup(t env.Task, s *Session) error {
	if err := w.clients.database(s).CreateTable(t, w.definition()); err != nil && !errors.Is(err, table.ErrSchema) {
		return err
	}
	for n := range sideTables {
		if w.side == 0 {
			break
		}
		if err := w.clients.database(s).CreateTable(t, sideDefinition(sideName(n))); err != nil && !errors.Is(err, table.ErrSchema) {
			return err
		}
	}
	return w.transaction(t, s, func(x *tableTx) error {
		if n, err := x.Count(t, x.tb, table.Scan{}); err != nil || n > 0 {
			return err
		}
		return x.Do(t, func(st *table.Statement) error {
			for n := range w.cfg.Keys / 2 {
				row := table.Row{w.id(2 * n), codec.Int(int64(n)), codec.Bytes(tag(n % 5)), codec.Int(int64(n))}
				if _, err := st.Insert(t, x.tb, row); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Step implements Workload.
func (w *tables) Step(t env.Task, s *Session, r *stream.Stream) {
	if r.PerMille(w.ddl) {
		w.changeSchema(t, s, r)
		return
	}
	if w.side > 0 && r.PerMille(w.side) {
		w.sideStep(t, s, r)
		return
	}
	reading := r.PerMille(w.reads)
	_ = w.transaction(t, s, func(x *tableTx) error {
		for range 1 + r.IntN(3) {
			err := x.read(r)
			if err == nil && !reading {
				err = x.write(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// changeSchema takes a step of a change that is under way, or else asks for one.
func (w *tables) changeSchema(t env.Task, s *Session, r *stream.Stream) {
	db := w.clients.database(s)
	index := []table.IndexDefinition{
		{Name: "n", Columns: []string{"n"}},
		{Name: "cn", Unique: true, Columns: []string{"code", "n"}},
		{Name: "un", Unique: true, Columns: []string{"n"}}, // whose values are seldom unique
	}[r.IntN(3)]
	if worked, err := db.Work(t); worked || err != nil {
		return
	}
	var exists bool
	err := w.transaction(t, s, func(x *tableTx) error {
		exists = x.tb.Index(index.Name) != nil
		return nil
	})
	switch {
	case err != nil:
	case exists:
		_ = db.DropIndex(t, itemsTable, index.Name, jobLimit)
	default:
		_ = db.AddIndex(t, itemsTable, index, jobLimit)
	}
}

// probeRows is how many rows one transaction of the probe changes. All rows and
// their entries are more than a hundred keys; written one by one, with the smallest
// bound on what is uncommitted, they take longer than some plans let a commit take.
const probeRows = 6

// Probe implements Workload: it changes every row, and so every index, a few rows at
// a time. After an error it goes on where it was.
func (w *tables) Probe(t env.Task, s *Session) error {
	for left := 1; left > 0; {
		w.probes++
		err := w.transaction(t, s, func(x *tableTx) error {
			records, err := x.Scan(t, x.tb, table.Scan{})
			if err != nil {
				return err
			}
			records = records[min(w.probed, len(records)):]
			left = max(0, len(records)-probeRows)
			return x.Do(t, func(st *table.Statement) error { return w.probeSome(t, st, x.tb, records[:len(records)-left]) })
		})
		if err != nil {
			return err
		}
		w.probed += probeRows
	}
	w.probed = 0
	return nil
}

// probeSome gives rows values that no others have.
func (w *tables) probeSome(t env.Task, st *table.Statement, tb *table.Table, records []table.Record) error {
	for i, r := range records {
		changed := slices.Clone(r.Row)
		changed[columnTag] = codec.Bytes(fmt.Sprintf("probe/%d", w.probes%100))
		changed[columnCode] = codec.Int(-int64(i) - w.probes*int64(w.cfg.Keys+1000))
		changed[columnN] = changed[columnCode]
		if changed[columnN].Int() < math.MinInt32 {
			changed[columnN] = codec.Null()
		}
		if err := st.Update(t, tb, r.Handle, r.Row, changed); err != nil {
			return err
		}
	}
	return nil
}

// Audit implements Workload: it reads everything and compares rows and indexes.
func (w *tables) Audit(t env.Task, s *Session) error {
	err := audited(w.transaction(t, s, func(x *tableTx) error {
		x.record.Compared++
		return x.Check(t, x.tb)
	}))
	if err != nil || w.side == 0 {
		return err
	}
	return w.sideAudit(t, s)
}

// audited takes what is wrong with the data for an answer, which is in the record:
// to ask again would not help.
func audited(err error) error {
	if errors.Is(err, table.ErrInconsistent) {
		return nil
	}
	return err
}

// sortedBy says whether records are in the order of a column, downward if
// reverse.
func sortedBy(records []table.Record, column int, reverse bool) bool {
	return slices.IsSortedFunc(records, func(a, b table.Record) int {
		c := a.Row[column].Compare(b.Row[column])
		if reverse {
			c = -c
		}
		return c
	})
}

// sameRow says whether two rows are equal.
func sameRow(a, b table.Row) bool { return slices.Equal(a, b) }

// spelled prints records for a message.
func spelled(records []table.Record) string {
	var b bytes.Buffer
	for i, r := range records {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, r.Row)
	}
	return b.String()
}
