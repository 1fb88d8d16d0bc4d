package jepsen

import (
	"bytes"
	"errors"
	"fmt"
	"io"

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
	p := &parser{name: name, data: data}
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
	at    int  // the next byte
	close byte // the bracket that ends the file; 0: none was opened
	ended bool
	depth int // how many values are being read, one inside of the other

	counted int // up to where lines are counted
	lines   int // newlines before counted
}

// line returns the line of the next byte.
func (p *parser) line() int {
	p.lines += bytes.Count(p.data[p.counted:p.at], []byte{'\n'})
	p.counted = p.at
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
			return form{}, p.whole(err, p.line())
		case p.ended:
			return form{}, p.fail("there is something after the closing bracket")
		case p.close == 0 && (c == '[' || c == '('):
			p.close = map[byte]byte{'[': ']', '(': ')'}[c]
			p.at++
		case c == p.close && p.close != 0:
			p.ended = true
			p.at++
		case c == '{' || c == '#':
			return p.form()
		default:
			return form{}, p.fail(fmt.Sprintf("%q stands where an operation {...} should", c))
		}
	}
}

// form reads one map.
func (p *parser) form() (form, error) {
	f := form{line: p.line()}
	v, err := p.value()
	if err != nil {
		return f, p.whole(err, f.line)
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

// whole names the line of a form inside of which the file ends.
func (p *parser) whole(err error, line int) error {
	if !errors.Is(err, errCut) {
		return err
	}
	return &history.Error{File: p.name, Line: line, Truncated: true, Problem: "the file ends in the middle of an operation: it is truncated"}
}
