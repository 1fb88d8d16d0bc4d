package workload

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/table"
	"simrun/nodes/table/memory"
	"simrun/nodes/table/sql"
)

// rehearse runs a script once, in memory and by nobody else's side, to find what can
// never work: in a run that would be a program that always fails, or an invariant that
// cannot be looked at, and would be told late or not at all. What fails because of the
// rows that are there, or the values of variables, is no mistake.
func (s *script) rehearse() error {
	if err := s.checkVariables(); err != nil {
		return err
	}
	store := memory.New()
	session := sql.NewSession(table.New(store, table.Config{}))
	defer func() { session.Close(memory.Idle{}) }()
	if err := s.rehearseSetup(session, store); err != nil {
		return err
	}
	for i := range s.programs {
		if err := s.rehearseProgram(session, &s.programs[i]); err != nil {
			return err
		}
	}
	session.Clear()
	return s.rehearseInvariants(session)
}

// What is wrong with statements of the setup, which is run by one client before all others,
// and goes on at the statement that failed. So it needs no transactions, and each statement
// has to bear being run again by a client that has not learnt whether it was done.
var (
	errBegins = errors.New("begins a transaction: leave BEGIN and COMMIT out, nobody else is there yet")
	errTwice  = errors.New("runs a statement again if it is not known whether it was done, and this one would be done twice: " +
		"insert rows into tables with a primary key, and have UPDATE and DELETE change nothing the second time")
)

// rehearseSetup runs each statement of the setup, and once more, as in a run one is whose
// outcome is unknown: either it fails because of what is there, or it changes nothing.
// The setup has no variables and nobody beside it, so what is true here is in a run.
func (s *script) rehearseSetup(session *sql.Session, store *memory.Store) error {
	for _, st := range s.setup {
		if _, err := session.Exec(memory.Idle{}, st.Statement); err != nil {
			return s.mistake(st.Statement, "the setup fails: ", err)
		}
		if session.Open() {
			return s.mistake(st.Statement, "the setup ", errBegins)
		}
		before := contents(store)
		_, err := session.Exec(memory.Idle{}, st.Statement)
		if !wasDone(err) && (err != nil || !maps.Equal(contents(store), before)) {
			return s.mistake(st.Statement, "the setup ", errTwice)
		}
	}
	return nil
}

// contents are the keys of a store that have values, and these.
func contents(store *memory.Store) map[string]string {
	values := map[string]string{}
	for _, key := range store.Keys() {
		value, _, _ := store.GetAt(memory.Idle{}, math.MaxUint64, []byte(key)) // it never fails
		values[key] = string(value)
	}
	return values
}

// rehearseInvariants runs the queries of sums and subsets, and looks whether there is
// something to add up and to compare.
func (s *script) rehearseInvariants(session *sql.Session) error {
	first := map[*sql.Statement]table.Column{}
	for _, q := range s.invariants() {
		r, err := session.Exec(memory.Idle{}, q)
		if err != nil {
			return s.mistake(q, "", err)
		}
		first[q] = r.Columns[0]
	}
	for _, sum := range s.sums {
		for _, q := range sum.queries {
			if c := first[q]; !isInteger(c) {
				return s.mistake(q, "", fmt.Errorf("column %s is %s, and a sum is of integers", c.Name, c.Type))
			}
		}
	}
	for _, pair := range s.subsets {
		a, b := first[pair[0]], first[pair[1]]
		if a.Type != b.Type && (!isInteger(a) || !isInteger(b)) {
			return s.mistake(pair[0], "", fmt.Errorf("column %s is %s, and column %s of the other query is %s: they are never equal", a.Name, a.Type, b.Name, b.Type))
		}
	}
	return nil
}

func isInteger(c table.Column) bool { return c.Type == table.BigInt || c.Type == table.Int }

// checkVariables makes sure that the statements of programs name variables only that
// their headings declare, and others none: a rehearsal evaluates only what its rows ask
// for.
func (s *script) checkVariables() error {
	declared := map[*sql.Statement][]parameter{}
	all := s.invariants()
	for _, st := range s.setup {
		all = append(all, st.Statement)
	}
	for _, g := range s.programs {
		for _, st := range g.steps {
			all = append(all, st.Statement)
			declared[st.Statement] = g.params
		}
	}
	for _, st := range all {
		for _, name := range st.Variables {
			is := func(p parameter) bool { return p.name == name }
			if !slices.ContainsFunc(declared[st], is) {
				return &scriptError{s.lines[st], fmt.Sprintf("@%s has no value: name it in the heading of the program", name)}
			}
		}
	}
	return nil
}

// errLeftOpen is what is wrong with statements behind which a transaction is open.
var errLeftOpen = errors.New("leaves a transaction open: end it by COMMIT or ROLLBACK")

func (s *script) rehearseProgram(session *sql.Session, g *program) error {
	session.Clear()
	var varying []string
	for _, p := range g.params {
		v := p.low
		if p.unique {
			v = uniqueValue(1, 0)
		} else {
			varying = append(varying, p.name)
		}
		session.Set(p.name, codec.Int(v))
	}
	for _, st := range g.steps {
		_, err := session.Exec(memory.Idle{}, st.Statement)
		if !hopeless(err) {
			err = session.Misfit(memory.Idle{}, st.Statement, varying)
		}
		if hopeless(err) || errors.Is(err, table.ErrValue) || errors.Is(err, sql.ErrOutOfRange) {
			return s.mistake(st.Statement, "program "+g.name+": ", err)
		}
	}
	if session.Open() {
		return s.mistake(g.steps[len(g.steps)-1].Statement, "program "+g.name+" ", errLeftOpen)
	}
	return nil
}

// hopeless says whether a statement has failed for what other rows and values cannot mend.
func hopeless(err error) bool {
	expression := errors.Is(err, sql.ErrExpression) && !errors.Is(err, sql.ErrOutOfRange)
	return expression || errors.Is(err, table.ErrSchema) || errors.Is(err, sql.ErrTransaction)
}

// invariants are the queries of sums and subsets.
func (s *script) invariants() (queries []*sql.Statement) {
	for _, sum := range s.sums {
		queries = append(queries, sum.queries...)
	}
	for _, pair := range s.subsets {
		queries = append(queries, pair[0], pair[1])
	}
	return queries
}

func (s *script) mistake(st *sql.Statement, what string, err error) error {
	var classed *client.Error
	for errors.As(err, &classed) {
		err = classed.Err // that it had no effect goes without saying
	}
	return &scriptError{s.lines[st], fmt.Sprintf("%s%v", what, err)}
}
