package jepsen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"olympos.io/encoding/edn"

	"simrun/sim/history"
)

// What is inside of an operation is taken apart here, and only literals are left to the
// library: of two equal keys of a map it keeps the last without a word.

// errCut says that the file ends inside of a form.
var errCut = errors.New("the file ends in the middle of a form")

// depthMax bounds how deep values may be nested, which costs stack.
const depthMax = 1000

// set is the elements of a set.
type set []any

// composite is what is no key of a map in Go, as the key of one.
type composite struct{ text, exact string }

func (p *parser) malformed(problem string) error { return p.fail("malformed EDN: " + problem) }

// skipSpace skips what says nothing, comments and what is discarded among it, and returns
// the byte after it, unread. At the end of the file the error is io.EOF.
func (p *parser) skipSpace() (byte, error) {
	for p.at < len(p.data) {
		rest := p.data[p.at:]
		c, size := utf8.DecodeRune(rest)
		switch {
		case isSpace(c):
			p.at += size
		case c == ';':
			line, _, _ := bytes.Cut(rest, []byte{'\n'})
			p.at += len(line)
		case bytes.HasPrefix(rest, []byte("#_")):
			p.at += len("#_")
			if _, err := p.value(); err != nil {
				return 0, err
			}
		default:
			return rest[0], nil
		}
	}
	return 0, io.EOF
}

func isSpace(c rune) bool { return c == ',' || unicode.IsSpace(c) }

// value reads the next value.
func (p *parser) value() (any, error) {
	if p.depth++; p.depth > depthMax {
		return nil, p.malformed("values are nested too deep")
	}
	defer func() { p.depth-- }()
	c, err := p.skipSpace()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errCut
	case err != nil:
		return nil, err
	}
	switch c {
	case '{':
		return p.mapping()
	case '[':
		return p.list(']')
	case '(':
		return p.list(')')
	case '#':
		return p.tagged()
	}
	return p.literal()
}

// more passes an opening bracket or what separates values, up to the next value. It is
// false at the closing bracket, which it passes too.
func (p *parser) more(closing byte) (bool, error) {
	c, err := p.skipSpace()
	switch {
	case errors.Is(err, io.EOF):
		return false, errCut
	case err != nil:
		return false, err
	case c == closing:
		p.at++
		return false, nil
	}
	return true, nil
}

// list reads what stands in brackets.
func (p *parser) list(closing byte) ([]any, error) {
	p.at++
	list := []any{}
	for {
		if more, err := p.more(closing); !more {
			return list, err
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

// mapping reads a map.
func (p *parser) mapping() (map[any]any, error) {
	p.at++
	m := map[any]any{}
	for {
		if more, err := p.more('}'); !more {
			return m, err
		}
		line := p.line()
		read, err := p.value()
		if err != nil {
			return nil, err
		}
		key := mapKey(read)
		if _, twice := m[key]; twice {
			return nil, keyTwice(p.name, line, exact(key))
		}
		more, err := p.more('}')
		switch {
		case err != nil:
			return nil, err
		case !more:
			return nil, p.malformed("key " + exact(key) + " has no value")
		}
		if m[key], err = p.value(); err != nil {
			return nil, err
		}
	}
}

// keyTwice is the error of a map with two equal keys: which of their values counts, others
// may see differently.
func keyTwice(file string, line int, key string) error {
	return &history.Error{File: file, Line: line, Problem: fmt.Sprintf("key %s stands twice in a map", key), Remedy: "keep the one that is right"}
}

// mapKey is a value as the key of a map in Go.
func mapKey(v any) any {
	switch v.(type) {
	case nil, bool, int64, float64, rune, string, edn.Keyword, edn.Symbol:
		return v
	}
	s, _ := text(v)
	return composite{s, exact(v)}
}

// tagged reads a set or what has a tag.
func (p *parser) tagged() (any, error) {
	from := p.at
	p.at++
	if p.at < len(p.data) && p.data[p.at] == '{' {
		list, err := p.list('}')
		return set(list), err
	}
	end := p.atom(p.at)
	name := string(p.data[p.at:end])
	if len(name) > 1 && name[0] == '#' { // ##NaN, ##Inf
		p.at = end
		return edn.Symbol("#" + name), nil
	}
	if first, _ := utf8.DecodeRuneInString(name); !unicode.IsLetter(first) {
		return nil, p.malformed("after a # a tag should stand")
	}
	p.at = end
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	switch v.(type) {
	case map[any]any, []any, set, edn.Tag:
		return edn.Tag{Tagname: name, Value: v}, nil
	}
	if _, ok := v.(edn.Symbol); ok {
		return edn.Tag{Tagname: name, Value: v}, nil
	}
	return p.decode(p.data[from:p.at]) // #inst and others that the library knows
}

// literal reads what has no parts.
func (p *parser) literal() (any, error) {
	from := p.at
	if p.data[from] != '"' {
		p.at = p.atom(from)
		if p.at == from {
			return nil, p.malformed(fmt.Sprintf("%q is out of place", p.data[from]))
		}
		bare := p.data[from:p.at]
		v, err := p.decode(bare)
		if err != nil && bare[0] != '\\' && bare[0] != ':' {
			return edn.Symbol(bare), nil // such as 1/3, or the 0x5f2 of an object
		}
		return v, err
	}
	for at := from + 1; at < len(p.data); at++ {
		switch p.data[at] {
		case '\\':
			at++
		case '"':
			p.at = at + 1
			return p.decode(p.data[from:p.at])
		}
	}
	return nil, errCut
}

// atom returns where the word ends that begins at a place.
func (p *parser) atom(at int) int {
	from := at
	for at < len(p.data) {
		c, size := utf8.DecodeRune(p.data[at:])
		switch {
		case c == '\\' && at == from: // a character, whatever comes
			at += size
			_, size = utf8.DecodeRune(p.data[at:])
		case isSpace(c), bytes.ContainsRune([]byte(`()[]{}";\`), c):
			return at
		}
		at += size
	}
	return at
}

// decode returns the value of a literal. The library knows all of them; to ask it takes
// longer than to know the frequent ones. It panics on some malformed input, which is an
// error here as any other.
func (p *parser) decode(literal []byte) (v any, err error) {
	if known, ok := frequent(literal); ok {
		return known, nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = p.malformed(fmt.Sprint(r))
		}
	}()
	if err = edn.Unmarshal(literal, &v); err != nil {
		return nil, p.malformed(err.Error())
	}
	return v, nil
}

// frequent returns the value of a number, a keyword or a text that is written plainly.
func frequent(literal []byte) (any, bool) {
	s := string(literal)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
		return n, true
	}
	special := func(c rune) bool { return c < ' ' || c > '~' || c == '\\' }
	other := func(c rune) bool { return c < 'a' || c > 'z' }
	switch {
	case s == "nil":
		return nil, true
	case s[0] == '"' && !strings.ContainsFunc(s, special):
		return s[1 : len(s)-1], true
	case s[0] == ':' && len(s) > 1 && !strings.ContainsFunc(s[1:], other):
		return edn.Keyword(s[1:]), true
	}
	return nil, false
}
