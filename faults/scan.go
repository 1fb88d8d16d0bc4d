package faults

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseError is what is wrong with the text of a fault.
type ParseError struct {
	Text    string // the whole line
	Column  int    // of the first wrong character, from 1
	Message string // what is wrong, and what to write instead
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("column %d of %q: %s", e.Column, e.Text, e.Message)
}

// token is one word of the text: a run of characters without space, one of the
// marks , ( ) | ->, or a quoted string with its quotes. At the end of the text
// it is empty.
type token struct {
	text   string
	offset int
}

func (t token) String() string {
	if t.text == "" {
		return "the end of the line"
	}
	return fmt.Sprintf("%q", t.text)
}

// scanner cuts a line into tokens. The first error stays; after it only empty
// tokens come, so that a parser need not look after every step.
type scanner struct {
	line   string
	offset int // of what has not been scanned into next
	next   token
	err    *ParseError
}

func newScanner(line string) *scanner {
	s := &scanner{line: line}
	s.advance()
	return s
}

// fail records the first error, at the token that caused it.
func (s *scanner) fail(at token, format string, args ...any) {
	if s.err == nil {
		column := utf8.RuneCountInString(s.line[:at.offset]) + 1
		s.err = &ParseError{s.line, column, fmt.Sprintf(format, args...)}
	}
	s.next = token{offset: len(s.line)}
	s.offset = len(s.line)
}

// take returns the next token and moves past it.
func (s *scanner) take() token {
	t := s.next
	s.advance()
	return t
}

// accept moves past the next token if it is that word.
func (s *scanner) accept(word string) bool {
	if s.next.text != word {
		return false
	}
	s.advance()
	return true
}

func (s *scanner) advance() {
	for s.offset < len(s.line) && isSpace(s.line[s.offset]) {
		s.offset++
	}
	start, rest := s.offset, s.line[s.offset:]
	length := 0
	switch {
	case rest == "":
	case strings.HasPrefix(rest, "->"):
		length = 2
	case isMark(rest[0]):
		length = 1
	case rest[0] == '"':
		length = quotedLength(rest)
		if length < 0 {
			s.fail(token{offset: start}, "the quoted key does not end: add a closing quote")
			return
		}
	default:
		length = wordLength(rest)
	}
	s.next = token{rest[:length], start}
	s.offset += length
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func isMark(c byte) bool { return c == ',' || c == '(' || c == ')' || c == '|' }

// quotedLength is the length of the quoted string at the start of text, or -1
// if it does not end.
func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func wordLength(text string) int {
	for i := range len(text) {
		if isSpace(text[i]) || isMark(text[i]) || text[i] == '"' || strings.HasPrefix(text[i:], "->") {
			return i
		}
	}
	return len(text)
}
