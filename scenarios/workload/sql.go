package workload

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table"
	"simrun/nodes/table/sql"
	"simrun/sim/history"
	"simrun/sim/plan"
	"simrun/sim/stream"
)

// sqlLoad runs the programs of a script, which is the whole workload. Parameters:
// check, the share of steps in per mille that look whether the sums and subsets
// of the script hold.
type sqlLoad struct {
	script  *script
	checks  int
	clients tableClients
	// done is how much of the setup has succeeded, doubtful that an attempt at the next
	// statement perhaps has too.
	done     int
	doubtful bool
	runs     map[string]*ProgramCount // by the note that they have
}

// What the workload runs besides the programs of its script, as the record has it.
const (
	noteSetup = "setup"
	noteProbe = "probe"
	noteCheck = "check"
)

// newSQL returns the workload of a script that Check has read before.
func newSQL(cfg Config) *sqlLoad {
	s, err := parseScript(cfg.SQL)
	if err != nil {
		panic(fmt.Errorf("workload: a script that was checked: %w", err))
	}
	clients := newTableClients(table.Config{RowIDBatch: 5, BackfillBatch: 3, Lease: cfg.SchemaLease})
	return &sqlLoad{script: s, checks: cfg.param("check"), clients: clients, runs: map[string]*ProgramCount{}}
}

// sqlPlaces returns keys of rows all over the tables of a script.
func sqlPlaces(w *plan.Workload) []string {
	places := make([]string, 0, w.Keys)
	s, err := parseScript(w.SQL)
	if err != nil {
		return places // Check tells
	}
	names, _ := s.tables()
	for n := range w.Keys {
		id, row := n*len(names)/w.Keys, n*len(names)%w.Keys/len(names)
		places = append(places, plan.HexKey(codec.RowKey(int64(id+1), int64(row+1))))
	}
	return places
}

// Header implements Workload.
func (*sqlLoad) Header(h *history.Header) { h.Hex, h.Tables = true, true }

// session returns a client's session on its database, and what records the
// transaction that the session's next statement is part of.
func (w *sqlLoad) session(s *Session) (session *sql.Session, record *watched) {
	record = &watched{}
	session = sql.NewSession(w.clients.database(s))
	session.JobLimit = jobLimit
	session.Observe = func(tx *table.Tx) { record.TxnRecord = tx.KV().(*tableTxn).op.Txn }
	return session, record
}

// watched is the record of the transaction under way.
type watched struct{ *history.TxnRecord }

// Setup implements Workload.
func (w *sqlLoad) Setup(t env.Task, s *Session) error {
	db := w.clients.database(s)
	return w.withSession(t, s, noteSetup, func(session *sql.Session, _ *watched) error { return w.prepare(t, session, db) })
}

// Programs implements Programmed.
func (w *sqlLoad) Programs() (counts []ProgramCount) {
	for _, name := range slices.Sorted(maps.Keys(w.runs)) {
		counts = append(counts, *w.runs[name])
	}
	return counts
}

// counted runs fn as one run of what is called name. What becomes of a run that is not
// over yet, or that was killed, is not known.
func (w *sqlLoad) counted(name string, fn func() error) error {
	c := w.runs[name]
	if c == nil {
		c = &ProgramCount{Name: name}
		w.runs[name] = c
	}
	c.Unknown++
	err := fn()
	switch {
	case err == nil:
		c.Unknown, c.OK = c.Unknown-1, c.OK+1
	case !errors.Is(err, client.ErrUndetermined):
		c.Unknown, c.Failed = c.Unknown-1, c.Failed+1
	}
	return err
}

// withSession runs fn, whose transactions the record has under a note, with a session
// and closes it. That is not deferred: a client
// that is killed inside has not given up, and what becomes of its transaction is
// not known.
func (w *sqlLoad) withSession(t env.Task, s *Session, note string, fn func(session *sql.Session, record *watched) error) error {
	session, record := w.session(s)
	s.note, s.reason = note, nil
	err := w.counted(note, func() error { return fn(session, record) })
	s.reason = err
	session.Close(t)
	s.note, s.reason = "", nil
	return err
}

// prepare goes on with the setup. Each of its statements is a transaction of its own, and
// one that was perhaps done can be run again (rehearseSetup): either that changes nothing,
// or it fails because of what is there already, and then it was done.
func (w *sqlLoad) prepare(t env.Task, session *sql.Session, db *table.DB) error {
	for w.done < len(w.script.setup) {
		_, err := session.Exec(t, w.script.setup[w.done].Statement)
		if w.doubtful && wasDone(err) {
			err = endJobs(t, db)
		}
		if err != nil {
			// Of a later attempt that has failed nobody learns what became of an earlier one.
			w.doubtful = w.doubtful || errors.Is(err, client.ErrUndetermined)
			return err
		}
		w.done, w.doubtful = w.done+1, false
	}
	return nil
}

// wasDone says whether a statement of the setup cannot be done because it was.
func wasDone(err error) bool {
	exists := errors.Is(err, table.ErrDuplicate) || errors.Is(err, table.ErrSchema)
	return exists && !errors.Is(err, client.ErrUndetermined)
}

// endJobs takes the changes of the schema that are under way to their ends: that a table
// is not there any more does not say that its name is free.
func endJobs(t env.Task, db *table.DB) error {
	for {
		if worked, err := db.Work(t); err != nil || !worked {
			return err
		}
	}
}

// Step implements Workload.
func (w *sqlLoad) Step(t env.Task, s *Session, r *stream.Stream) {
	if r.PerMille(w.checks) {
		_ = w.check(t, s)
		return
	}
	g := w.script.draw(r)
	_ = w.withSession(t, s, g.name, func(session *sql.Session, record *watched) error {
		s.note = g.set(session, r, uniqueValue(s.ID, s.Steps()))
		return g.run(t, session, record)
	})
}

// run runs the program up to the first statement that does not do what is expected of it.
func (g *program) run(t env.Task, session *sql.Session, record *watched) error {
	for _, step := range g.steps {
		result, err := session.Exec(t, step.Statement)
		if errors.Is(err, table.ErrInconsistent) && record.TxnRecord != nil {
			record.Problem = err.Error()
		}
		switch {
		case err == nil && step.rows >= 0 && result.Affected != step.rows:
			return fmt.Errorf("%.60q is of %d rows, not %d", step.Text, result.Affected, step.rows)
		case err != nil && (!step.mayFail || !leavesTransaction(err)):
			return err
		}
	}
	return nil
}

// leavesTransaction says whether an error is one of those after which a program may go
// on: the statement has had no effect, and its transaction can go on without it.
func leavesTransaction(err error) bool {
	return !errors.Is(err, client.ErrUndetermined) && (errors.Is(err, client.ErrLockWait) || errors.Is(err, table.ErrDuplicate))
}

// Probe implements Workload: it writes every row as it is.
func (w *sqlLoad) Probe(t env.Task, s *Session) error {
	return w.withSession(t, s, noteProbe, func(session *sql.Session, _ *watched) error { return w.touch(t, session) })
}

func (w *sqlLoad) touch(t env.Task, session *sql.Session) error {
	names, columns := w.script.tables()
	for i, name := range names {
		statements, err := sql.Parse(fmt.Sprintf("UPDATE `%s` SET `%s` = `%s`", name, columns[i], columns[i]))
		if err != nil {
			return err
		}
		if _, err := session.Exec(t, statements[0]); err != nil && !w.gone(name, err) {
			return err
		}
	}
	return nil
}

// gone says whether an error is that a table is not there, or is another one of that name,
// as it may be if programs drop it. There is nothing to wait for then.
func (w *sqlLoad) gone(name string, err error) bool {
	return errors.Is(err, table.ErrSchema) && w.script.comesAndGoes(name)
}

// Audit implements Workload.
func (w *sqlLoad) Audit(t env.Task, s *Session) error { return audited(w.check(t, s)) }

// check looks in one transaction whether rows and indexes agree, and whether
// the sums and subsets of the script hold. It passes over tables that were dropped, and
// over the sums and subsets that are about one.
func (w *sqlLoad) check(t env.Task, s *Session) error {
	return w.withSession(t, s, noteCheck, func(session *sql.Session, record *watched) error { return w.compare(t, session, record) })
}

func (w *sqlLoad) compare(t env.Task, session *sql.Session, record *watched) error {
	run := func(text string) error {
		statements, err := sql.Parse(text)
		if err == nil {
			_, err = session.Exec(t, statements[0])
		}
		return err
	}
	if err := run("BEGIN"); err != nil {
		return err
	}
	names, _ := w.script.tables()
	for _, name := range names {
		if err := run(fmt.Sprintf("ADMIN CHECK TABLE `%s`", name)); err != nil && !w.gone(name, err) {
			if errors.Is(err, table.ErrInconsistent) {
				record.Problem = err.Error()
			}
			return err
		}
	}
	if err := w.checkSums(t, session, record); err != nil {
		return err
	}
	if err := w.checkSubsets(t, session, record); err != nil {
		return err
	}
	record.Compared++
	return run("COMMIT")
}

func (w *sqlLoad) checkSums(t env.Task, session *sql.Session, record *watched) error {
	for _, sum := range w.script.sums {
		lists, err := w.columns(t, session, sum.queries...)
		if err != nil {
			return err
		}
		total := new(big.Int)
		for _, v := range slices.Concat(lists...) {
			total.Add(total, integer(v))
		}
		if lists != nil && total.Cmp(big.NewInt(sum.total)) != 0 {
			record.fault("the values of %q add up to %d, not %d", texts(sum.queries), total, sum.total)
		}
	}
	return nil
}

func (w *sqlLoad) checkSubsets(t env.Task, session *sql.Session, record *watched) error {
	for _, pair := range w.script.subsets {
		lists, err := w.columns(t, session, pair[0], pair[1])
		if err != nil {
			return err
		}
		if lists == nil {
			continue
		}
		there := make(map[table.Datum]bool, len(lists[1]))
		for _, v := range lists[1] {
			there[unsigned(v)] = true
		}
		for _, v := range lists[0] {
			if !there[unsigned(v)] {
				record.fault("%q returns %v, which %q does not", pair[0].Text, v, pair[1].Text)
			}
		}
	}
	return nil
}

// columns returns the values of the first columns of queries, nil if the table of one is
// gone.
func (w *sqlLoad) columns(t env.Task, session *sql.Session, queries ...*sql.Statement) (lists [][]table.Datum, err error) {
	for _, q := range queries {
		values, err := column(t, session, q)
		switch {
		case err != nil && w.gone(q.Table(), err):
			return nil, nil
		case err != nil:
			return nil, err
		}
		lists = append(lists, values)
	}
	return lists, nil
}

// integer returns the value of a column that the rehearsal has found to be one of integers.
func integer(v table.Datum) *big.Int {
	if v.Kind() == codec.KindUint {
		return new(big.Int).SetUint64(v.Uint())
	}
	return big.NewInt(v.Int())
}

// unsigned returns a value such that two that are equal, of columns that can be compared,
// are by ==: integers that are not negative as unsigned ones.
func unsigned(v table.Datum) table.Datum {
	if v.Kind() == codec.KindInt && v.Int() >= 0 {
		return codec.Uint(v.Uint())
	}
	return v
}

// column returns the values of the first column of a query that are not NULL: SUM passes
// over NULL, and a reference that is NULL refers to nothing.
func column(t env.Task, session *sql.Session, q *sql.Statement) ([]table.Datum, error) {
	r, err := session.Exec(t, q)
	if err != nil {
		return nil, err
	}
	var values []table.Datum
	for _, row := range r.Rows {
		if !row[0].IsNull() {
			values = append(values, row[0])
		}
	}
	return values, nil
}

func texts(statements []*sql.Statement) []string {
	var all []string
	for _, s := range statements {
		all = append(all, s.Text)
	}
	return all
}

// fault records what does not hold, the first one.
func (w *watched) fault(format string, args ...any) {
	if w.Problem == "" {
		w.Problem = fmt.Sprintf(format, args...)
	}
}
