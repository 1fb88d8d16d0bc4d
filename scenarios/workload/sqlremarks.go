package workload

import (
	"regexp"
	"strconv"
	"strings"

	"simrun/nodes/table/sql"
)

// expected is what a remark behind a statement of a program says of it.
type expected struct {
	rows    int  // that it returns or changes; negative: any number
	mayFail bool // the program goes on where it fails as sql.Statement.Contends says
}

func (e expected) anything() bool { return e.rows >= 0 || e.mayFail }

var (
	remark      = regexp.MustCompile(`^(--|#)\s*(\w+)`)
	expectation = regexp.MustCompile(`(?i)^(?:rows\s+(\d+)(\s*,\s*may\s+fail)?|may\s+fail)$`)
	// expecting is how a remark begins that is meant to be an expectation, also with a
	// letter too many or too few: read as one for people, it would expect nothing.
	expecting = regexp.MustCompile(`(?i)^(?:row(?:s?\w?|s?\d+)\b|may[\s-]*fail)`)
)

// remarkText is what a comment up to the end of a line says.
func remarkText(comment string) string { return strings.TrimSpace(strings.TrimLeft(comment, "-#")) }

// expected reads the comment behind a statement.
func (p *scriptParser) expected(comment string) (expected, error) {
	text := remarkText(comment)
	m := expectation.FindStringSubmatch(text)
	switch {
	case m == nil && expecting.MatchString(text):
		return expected{}, p.wrong("-- %s: write -- rows and a number, -- may fail, or -- rows and a number, may fail; a comment for people begins with another word", text)
	case m == nil:
		return expected{rows: -1}, nil
	case m[1] == "":
		return expected{rows: -1, mayFail: true}, nil
	}
	rows, _ := strconv.Atoi(m[1]) // digits; too many of them are the largest number
	return expected{rows, m[2] != ""}, nil
}

// aside takes a comment that stands behind no statement, of which nothing can be expected.
func (p *scriptParser) aside(comment string) error {
	if text := remarkText(comment); expecting.MatchString(text) {
		return p.wrong("-- %s stands behind no statement: write it behind the semicolon of one, or begin the comment with another word", text)
	}
	return nil
}

// expects makes sure that what is expected of the last of the statements can be.
func (p *scriptParser) expects(statements []*sql.Statement, want expected) error {
	switch {
	case !want.anything():
		return nil
	case p.section != "program":
		return p.wrong("-- rows and -- may fail are about the statements of programs, and this is in %s", p.section)
	case len(statements) == 0:
		return p.wrong("-- rows and -- may fail stand behind a statement, and here is none")
	}
	last := statements[len(statements)-1]
	switch {
	case want.rows >= 0 && !last.OfRows():
		return p.wrong("%.60q has no rows: leave -- rows out", last.Text)
	case want.mayFail && !last.Contends():
		return p.wrong("%.60q cannot fail and leave its transaction to go on: -- may fail is about INSERT, UPDATE and SELECT with FOR UPDATE NOWAIT or WAIT", last.Text)
	}
	return nil
}

// remark takes a line that is a comment, unless it looks like a heading that is written
// wrongly: what stands below would be taken for a part of the section before.
func (p *scriptParser) remark(line string) error {
	m := remark.FindStringSubmatch(line)
	if m == nil {
		return p.aside(line)
	}
	for _, word := range []string{"setup", "program", "sum", "subset"} {
		if alike(strings.ToLower(m[2]), word) {
			return p.wrong("%s %s is no heading: write -- %s, or begin the comment with another word", m[1], m[2], word)
		}
	}
	return p.aside(line)
}

// alike says whether one word becomes the other by one letter that is added, taken
// away or changed.
func alike(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	at := 0
	for at < len(a) && a[at] == b[at] {
		at++
	}
	switch len(b) - len(a) {
	case 0:
		return at == len(a) || a[at+1:] == b[at+1:]
	case 1:
		return a[at:] == b[at+1:]
	}
	return false
}

// lexer tells what of the lines of a script is SQL and what is a comment. That depends on
// the lines before: quotes, and comments in /* and */, may close in another line.
type lexer struct {
	open  byte // the quote that is open at the end of the line, * for a comment, 0 for neither
	begun bool // a statement has begun and not ended
}

// between says whether the line ends behind statements, and in none.
func (l *lexer) between() bool { return l.open == 0 && !l.begun }

// line takes the next line. It returns the line up to the comment at its end, that
// comment, and what those say that begin before with /*.
func (l *lexer) line(line string) (code, comment string, inner []string) {
	for i := 0; i < len(line); i++ {
		rest, c := line[i:], line[i]
		switch {
		case l.open == '*':
			if strings.HasPrefix(rest, "*/") {
				l.open = 0
				i++
			}
		case l.open != 0:
			if c == '\\' && l.open != '`' {
				i++
			} else if c == l.open {
				l.open = 0
			}
		case strings.HasPrefix(rest, "/*"):
			l.open = '*'
			text, _, _ := strings.Cut(rest[2:], "*/")
			inner = append(inner, strings.TrimSpace(text))
			i++
		case c == '#', l.dashes(rest):
			return strings.TrimRight(line[:i], " \t"), rest, inner
		case c == ';':
			l.begun = false
		case c != ' ' && c != '\t':
			l.begun = true
			if strings.IndexByte("'\"`", c) >= 0 {
				l.open = c
			}
		}
	}
	return line, "", inner
}

// dashes says whether a comment begins here. Within a statement, two that something
// follows are signs.
func (l *lexer) dashes(rest string) bool {
	after, ok := strings.CutPrefix(rest, "--")
	return ok && (!l.begun || after == "" || after[0] == ' ' || after[0] == '\t')
}
