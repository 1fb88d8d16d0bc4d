package jepsen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"olympos.io/encoding/edn"

	"simrun/sim/history"
)

// form is one map of a file, its keys without colons, and where it begins.
type form struct {
	fields map[string]any
	line   int
}

// sizeMax bounds a foreign file, which is held in memory as a whole.
const sizeMax = 1 << 30

// ReadEDN reads a Jepsen history in EDN.
func ReadEDN(r io.Reader, name string) (*history.History, error) {
	data, err := readAll(r, name)
	if err != nil {
		return nil, err
	}
	p := &parser{name: name, data: data, src: bytes.NewReader(data)}
	p.in = bufio.NewReaderSize(p.src, 4096)
	b := newBuilder(name)
	for {
		f, err := p.next()
		if errors.Is(err, io.EOF) {
			return b.finish()
		}
		if err != nil {
			return nil, err
		}
		if err := b.add(f); err != nil {
			return nil, err
		}
	}
}

func readAll(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, sizeMax+1))
	if err != nil {
		return nil, fmt.Errorf("history: read %s: %w", name, err)
	}
	if len(data) > sizeMax {
		return nil, &history.Error{File: name, Problem: "the file is larger than 1 GiB"}
	}
	return data, nil
}

// parser takes the maps of a file one by one, so that an error has a line.
type parser struct {
	name  string
	data  []byte
	src   *bytes.Reader
	in    *bufio.Reader
	close byte // the bracket that ends the file; 0: none was opened
	ended bool
	at    int // up to where lines are counted
	lines int // newlines before at
}

// line returns the line of the next byte.
func (p *parser) line() int {
	pos := len(p.data) - p.src.Len() - p.in.Buffered()
	p.lines += bytes.Count(p.data[p.at:pos], []byte{'\n'})
	p.at = pos
	return p.lines + 1
}

func (p *parser) fail(problem string) error {
	return &history.Error{File: p.name, Line: p.line(), Problem: problem}
}

// next returns the next map, or io.EOF after the last.
func (p *parser) next() (form, error) {
	for {
		c, err := p.skipSpace()
		switch {
		case errors.Is(err, io.EOF):
			if p.close != 0 && !p.ended {
				return form{}, &history.Error{
					File: p.name, Line: p.line(), Truncated: true,
					Problem: fmt.Sprintf("the file ends before its closing %q: it is truncated", p.close),
				}
			}
			return form{}, io.EOF
		case err != nil:
			return form{}, err
		case p.ended:
			return form{}, p.fail("there is something after the closing bracket")
		case p.close == 0 && (c == '[' || c == '('):
			p.close = map[byte]byte{'[': ']', '(': ')'}[c]
			_, _ = p.in.Discard(1)
		case c == p.close && p.close != 0:
			p.ended = true
			_, _ = p.in.Discard(1)
		case c == '{' || c == '#':
			return p.form()
		default:
			return form{}, p.fail(fmt.Sprintf("%q stands where an operation {...} should", c))
		}
	}
}

// skipSpace skips what separates maps and returns the byte after it, unread.
func (p *parser) skipSpace() (byte, error) {
	for {
		b, err := p.in.Peek(1)
		if err != nil {
			return 0, err
		}
		switch b[0] {
		case ' ', '\t', '\r', '\n', ',':
			_, _ = p.in.Discard(1)
		case ';':
			if _, err := p.in.ReadSlice('\n'); err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return 0, err
			}
		default:
			return b[0], nil
		}
	}
}

// form reads one map. The library panics on some malformed input; that is an
// error here as any other.
func (p *parser) form() (f form, err error) {
	f.line = p.line()
	defer func() {
		if r := recover(); r != nil {
			err = &history.Error{File: p.name, Line: f.line, Problem: fmt.Sprintf("malformed EDN: %v", r)}
		}
	}()
	var v any
	if err := edn.NewDecoder(p.in).Decode(&v); err != nil {
		e := &history.Error{File: p.name, Line: f.line, Problem: "malformed EDN: " + err.Error()}
		if p.src.Len() == 0 && p.in.Buffered() == 0 {
			e.Problem, e.Truncated = "the file ends in the middle of an operation: it is truncated", true
		}
		return f, e
	}
	if tag, ok := v.(edn.Tag); ok { // #jepsen.history.Op{...}
		v = tag.Value
	}
	m, ok := v.(map[any]any)
	if !ok {
		return f, &history.Error{File: p.name, Line: f.line, Problem: fmt.Sprintf("a %T stands where an operation {...} should", v)}
	}
	f.fields = make(map[string]any, len(m))
	for k, v := range m {
		if key, ok := k.(edn.Keyword); ok {
			f.fields[string(key)] = v
		}
	}
	return f, nil
}

// text prints a value as history.Op holds it; ok is false for nil.
func text(v any) (s string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case big.Int:
		return v.String(), true
	case *big.Int:
		return v.String(), true
	case edn.Keyword:
		return ":" + string(v), true
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			if parts[i], ok = text(v[i]); !ok {
				parts[i] = "nil"
			}
		}
		return "[" + strings.Join(parts, " ") + "]", true
	case map[any]any:
		var parts []string
		for k, e := range v {
			ks, _ := text(k)
			es, _ := text(e)
			parts = append(parts, ks+" "+es)
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}", true
	case *any: // a composite key
		return text(*v)
	}
	return fmt.Sprint(v), true
}

// value is text as a pointer.
func value(v any) *string {
	s, ok := text(v)
	if !ok {
		return nil
	}
	return &s
}

// word is a keyword's name, or a string.
func word(v any) string {
	switch v := v.(type) {
	case edn.Keyword:
		return string(v)
	case string:
		return strings.TrimPrefix(v, ":")
	}
	return ""
}
