package sql

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is what is wrong with the text of a statement.
type Error struct {
	Line, Column int // from 1, columns in characters
	Message      string
}

func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// at returns an error at an offset in a text.
func at(text string, offset int, format string, args ...any) *Error {
	before := text[:min(max(offset, 0), len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:    1 + strings.Count(before, "\n"),
		Column:  1 + utf8.RuneCountInString(before[start:]),
		Message: fmt.Sprintf(format, args...),
	}
}

// The parser writes the place of a syntax error into its message, and much else.
var syntaxError = regexp.MustCompile(`line (\d+) column (\d+) near "((?s:.*))"`)

// syntax returns what the parser says of a text that is no SQL.
func syntax(text string, err error) *Error {
	m := syntaxError.FindStringSubmatch(err.Error())
	if m == nil {
		return at(text, 0, "this is no SQL: %v", err)
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	near, _, _ := strings.Cut(strings.TrimSpace(m[3]), "\n")
	if near == "" {
		return &Error{line, column + 1, "this is no SQL: the statement ends too early"}
	}
	return &Error{line, column, fmt.Sprintf("this is no SQL, near %.40q", near)}
}
