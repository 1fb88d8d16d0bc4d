package workload

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"simrun/nodes/codec"
	"simrun/nodes/invariant"
	"simrun/nodes/table/sql"
	"simrun/sim/stream"
)

// script is a workload that was written as SQL text. Comments that begin a line
// divide it into sections, and a statement ends with a semicolon at the end of a
// line:
//
//	-- setup
//	CREATE TABLE stock (id INT PRIMARY KEY, quantity INT UNSIGNED);
//	INSERT INTO stock VALUES (1, 100), (2, 100);
//
//	-- program order, weight 3, item in 1..2, n in 1..5, o unique
//	BEGIN;
//	SELECT quantity FROM stock WHERE id = @item FOR UPDATE; -- rows 1
//	UPDATE stock SET quantity = quantity - @n WHERE id = @item;
//	COMMIT;
//
//	-- sum 200
//	SELECT quantity FROM stock;
//	SELECT n FROM orders;
//
//	-- subset
//	SELECT item FROM orders;
//	SELECT id FROM stock;
//
// The setup is run once. A program is what a client runs in one step: of all
// programs one is drawn by its weight (1 if there is none), and the variables
// that its heading names get values: a number in a range, or one that no other
// step has. A program ends where a statement fails, or does not return or change
// as many rows as the comment behind it says; the transaction is then rolled
// back. Other comments, in lines of their own or behind a semicolon, are for people.
// In every snapshot, sum says, the values of these queries, which are integers, add up to
// that number; and subset, every value of the first query is one of the second's. NULL is
// no value.
type script struct {
	setup    []step
	programs []program
	sums     []sum
	subsets  [][2]*sql.Statement
	lines    map[*sql.Statement]int // where each begins
}

// program is what a client runs in one step.
type program struct {
	name   string
	weight int
	params []parameter
	steps  []step
}

// parameter is a variable of a program.
type parameter struct {
	name      string
	low, high int64
	unique    bool
}

// step is one statement; it ends the program unless it does what is expected of it.
type step struct {
	*sql.Statement
	expected
}

// sum is what the values of queries add up to.
type sum struct {
	total   int64
	queries []*sql.Statement
}

var (
	heading   = regexp.MustCompile(`^--\s*(setup|program|sum|subset)\b\s*(.*)$`)
	inRange   = regexp.MustCompile(`^([a-z]\w*) in (-?\d+)\.\.(-?\d+)$`)
	isUnique  = regexp.MustCompile(`^([a-z]\w*) unique$`)
	hasWeight = regexp.MustCompile(`^weight (\d+)$`)
	isName    = regexp.MustCompile(`^[a-z][\w-]*$`)
)

// scriptError is what is wrong with a script.
type scriptError struct {
	line    int // from 1
	message string
}

func (e *scriptError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.message) }

// scriptParser reads a script line by line.
type scriptParser struct {
	script  script
	section string
	first   int      // line at which the statement begins
	pending []string // its lines so far
	lexer   lexer
	queries []*sql.Statement
	total   int64 // of a sum
	line    int
}

// parseScript reads a script.
func parseScript(text string) (*script, error) {
	p := &scriptParser{script: script{lines: map[*sql.Statement]int{}}}
	for i, line := range strings.Split(text, "\n") {
		p.line = i + 1
		if err := p.take(strings.TrimRight(line, " \t\r")); err != nil {
			return nil, err
		}
	}
	if err := p.close(); err != nil {
		return nil, err
	}
	if len(p.script.programs) == 0 {
		return nil, p.wrong("there is no program: write -- program and its name, and then its statements")
	}
	for _, s := range p.script.setup {
		if s.Creates() != nil {
			return &p.script, nil
		}
	}
	return nil, p.wrong("the setup creates no table")
}

func (p *scriptParser) wrong(format string, args ...any) error {
	return &scriptError{p.line, fmt.Sprintf(format, args...)}
}

// take reads one line.
func (p *scriptParser) take(line string) error {
	trimmed := strings.TrimSpace(line)
	if m := heading.FindStringSubmatch(trimmed); m != nil {
		if err := p.close(); err != nil {
			return err
		}
		return p.open(m[1], m[2])
	}
	code, comment, inner := p.lexer.line(line)
	if len(p.pending) == 0 && strings.TrimSpace(code) == "" {
		return p.remark(comment)
	}
	if len(p.pending) == 0 {
		p.first = p.line
	}
	for _, text := range inner {
		if expecting.MatchString(text) {
			return p.wrong("/* %s */ is for people: write it as -- behind the semicolon, or begin it with another word", text)
		}
	}
	if !p.lexer.between() {
		p.pending = append(p.pending, line)
		return p.aside(comment)
	}
	p.pending = append(p.pending, code)
	want, err := p.expected(comment)
	if err != nil {
		return err
	}
	return p.statement(want)
}

// statement adds the statement that ends with this line.
func (p *scriptParser) statement(want expected) error {
	text := strings.Join(p.pending, "\n")
	p.pending = nil
	statements, err := sql.Parse(text)
	if err != nil {
		return p.syntax(err)
	}
	if err := p.expects(statements, want); err != nil {
		return err
	}
	for i, st := range statements {
		p.script.lines[st] = p.first
		s := step{st, expected{rows: -1}}
		if i == len(statements)-1 {
			s.expected = want
		}
		switch p.section {
		case "setup":
			p.script.setup = append(p.script.setup, s)
		case "program":
			last := &p.script.programs[len(p.script.programs)-1]
			last.steps = append(last.steps, s)
		case "sum", "subset":
			p.queries = append(p.queries, st)
		default:
			return p.wrong("a statement stands before the first section: begin with -- setup")
		}
	}
	return nil
}

// syntax is the error of a statement that cannot be parsed, at its place in the script.
func (p *scriptParser) syntax(err error) error {
	var at *sql.Error
	if !errors.As(err, &at) {
		return &scriptError{p.first, err.Error()}
	}
	return &scriptError{p.first + at.Line - 1, fmt.Sprintf("column %d: %s", at.Column, at.Message)}
}

// open begins a section.
func (p *scriptParser) open(section, rest string) error {
	p.section, p.queries = section, nil
	switch section {
	case "program":
		return p.program(rest)
	case "sum":
		total, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return p.wrong("sum %q: write a whole number", rest)
		}
		p.total = total
	default:
		if rest != "" {
			return p.wrong("-- %s stands alone in its line", section)
		}
	}
	return nil
}

// program reads the heading of a program.
func (p *scriptParser) program(rest string) error {
	words := strings.Split(rest, ",")
	g := program{name: strings.TrimSpace(words[0])}
	if err := p.programName(g.name); err != nil {
		return err
	}
	for _, word := range words[1:] {
		word = strings.TrimSpace(word)
		if m := hasWeight.FindStringSubmatch(word); m != nil {
			if g.weight != 0 {
				return p.wrong("%s: the program has a weight of %d already: write one", word, g.weight)
			}
			g.weight, _ = strconv.Atoi(m[1])
			if g.weight < 1 || g.weight > 1000 {
				return p.wrong("weight %s: write 1 to 1000", m[1])
			}
			continue
		}
		q := parameter{}
		if m := inRange.FindStringSubmatch(word); m != nil {
			q.name = m[1]
			var err error
			if q.low, q.high, err = bounds(m[2], m[3]); err != nil {
				return p.wrong("%s: %v", word, err)
			}
		} else if m := isUnique.FindStringSubmatch(word); m != nil {
			q.name, q.unique = m[1], true
		} else {
			return p.wrong("%q: write weight 3, or n in 1..10, or o unique", word)
		}
		if slices.ContainsFunc(g.params, func(other parameter) bool { return other.name == q.name }) {
			return p.wrong("%s: there is a variable %s already: write another name", word, q.name)
		}
		g.params = append(g.params, q)
	}
	g.weight = cmp.Or(g.weight, 1)
	p.script.programs = append(p.script.programs, g)
	return nil
}

// programName makes sure that a program has a name of its own: by it runs are counted,
// and operations told apart.
func (p *scriptParser) programName(name string) error {
	switch {
	case !isName.MatchString(name):
		return p.wrong("program %q has no name of small letters and digits", name)
	case slices.Contains([]string{noteSetup, noteProbe, noteCheck}, name):
		return p.wrong("program %s: transactions of the workload itself are called so: write another name", name)
	case slices.ContainsFunc(p.script.programs, func(g program) bool { return g.name == name }):
		return p.wrong("program %s: there is one already: write another name", name)
	}
	return nil
}

// bounds reads the range of a parameter, of which each number is drawn alike: so how
// many there are has to be a number too.
func bounds(from, to string) (low, high int64, err error) {
	low, lowErr := strconv.ParseInt(from, 10, 64)
	high, highErr := strconv.ParseInt(to, 10, 64)
	switch {
	case lowErr != nil || highErr != nil:
		return 0, 0, fmt.Errorf("a number has more than 64 bits: write %d to %d at most", int64(math.MinInt64), int64(math.MaxInt64))
	case low > high:
		return 0, 0, errors.New("the range is empty")
	case low <= 0 && high > math.MaxInt64-1+low:
		return 0, 0, fmt.Errorf("the range is too wide: write at most %d numbers", int64(math.MaxInt64))
	}
	return low, high, nil
}

// close ends a section.
func (p *scriptParser) close() error {
	if len(p.pending) > 0 {
		return &scriptError{p.first, "the statement does not end: write a semicolon at the end of a line"}
	}
	notQuery := slices.ContainsFunc(p.queries, func(s *sql.Statement) bool { return !s.Query() })
	switch p.section {
	case "program":
		if last := p.script.programs[len(p.script.programs)-1]; len(last.steps) == 0 {
			return p.wrong("program %s has no statements", last.name)
		}
	case "sum":
		if len(p.queries) == 0 || notQuery {
			return p.wrong("sum stands over one or several SELECTs")
		}
		p.script.sums = append(p.script.sums, sum{p.total, p.queries})
	case "subset":
		if len(p.queries) != 2 || notQuery {
			return p.wrong("subset stands over two SELECTs")
		}
		p.script.subsets = append(p.script.subsets, [2]*sql.Statement{p.queries[0], p.queries[1]})
	}
	return nil
}

// tables returns the names of the tables that the setup creates, and of a column
// of each that is in no key, if there is one.
func (s *script) tables() (names, columns []string) {
	for _, st := range s.setup {
		d := st.Creates()
		if d == nil {
			continue
		}
		keyed := slices.Clone(d.Primary)
		for _, x := range d.Indexes {
			keyed = append(keyed, x.Columns...)
		}
		column := d.Columns[len(d.Columns)-1].Name
		for _, c := range d.Columns {
			if !slices.Contains(keyed, c.Name) {
				column = c.Name
			}
		}
		names, columns = append(names, d.Name), append(columns, column)
	}
	return names, columns
}

// comesAndGoes says whether a program drops the table: then it may be missing at any time,
// or be another one.
func (s *script) comesAndGoes(table string) bool {
	drops := func(st step) bool { return st.Drops() == table }
	return slices.ContainsFunc(s.programs, func(g program) bool { return slices.ContainsFunc(g.steps, drops) })
}

// draw returns one of the programs.
func (s *script) draw(r *stream.Stream) *program {
	all := 0
	for i := range s.programs {
		all += s.programs[i].weight
	}
	n := r.IntN(all)
	for i := range s.programs {
		if n -= s.programs[i].weight; n < 0 {
			return &s.programs[i]
		}
	}
	invariant.Fail("workload: of programs of weight %d none is drawn", all)
	return nil
}

// uniqueValue is the value of unique variables in a step of a client; those are counted from 1.
func uniqueValue(client, step int) int64 { return int64(client)<<32 | int64(step) }

// set gives the variables of a program their values. It returns the program's name
// and these.
func (g *program) set(s *sql.Session, r *stream.Stream, unique int64) (note string) {
	note = g.name
	for _, p := range g.params {
		v := unique
		if !p.unique {
			v = r.Between(p.low, p.high)
		}
		s.Set(p.name, codec.Int(v))
		note += fmt.Sprintf(" %s=%d", p.name, v)
	}
	return note
}
