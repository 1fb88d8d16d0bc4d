package jepsen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"simrun/sim/history"
)

// ReadJSON reads a Jepsen history that was converted to an array of JSON
// objects.
func ReadJSON(r io.Reader, name string) (*history.History, error) {
	data, err := readAll(r, name)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	fail := func(err error) error {
		e := &history.Error{File: name, Line: lineAt(data, dec.InputOffset()), Problem: "malformed JSON: " + err.Error()}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			e.Problem, e.Truncated = "the file ends before its closing bracket: it is truncated", true
		}
		return e
	}
	if _, err := dec.Token(); err != nil {
		return nil, fail(err)
	}
	b := newBuilder(name)
	b.mapNames = true
	in := &jsonValues{dec: dec, twice: func(key string) error { return keyTwice(name, lineAt(data, dec.InputOffset()), strconv.Quote(key)) }}
	for dec.More() {
		f := form{line: lineAt(data, dec.InputOffset())}
		v, err := in.next()
		var told *history.Error
		switch {
		case errors.As(err, &told):
			return nil, err
		case err != nil:
			return nil, fail(err)
		}
		fields, ok := v.(map[any]any)
		if !ok {
			return nil, &history.Error{File: name, Line: f.line, Problem: fmt.Sprintf("a %T stands where an operation {...} should", v)}
		}
		f.fields = make(map[string]any, len(fields))
		for k, v := range fields {
			f.fields[k.(string)] = v // as every name of JSON is
		}
		if err := b.add(f); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fail(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fail(errors.New("there is something after the closing bracket"))
	}
	return b.finish()
}

// lineAt returns the line of what follows an offset.
func lineAt(data []byte, offset int64) int {
	at := int(offset)
	for at < len(data) && bytes.IndexByte([]byte(" \t\r\n,"), data[at]) >= 0 {
		at++
	}
	return 1 + bytes.Count(data[:at], []byte{'\n'})
}

// jsonValues reads values one by one, as those that the EDN parser would give.
type jsonValues struct {
	dec   *json.Decoder
	depth int
	twice func(key string) error // the error of a name that stands twice in an object
}

// next reads the next value.
func (j *jsonValues) next() (any, error) {
	if j.depth++; j.depth > depthMax {
		return nil, errors.New("values are nested too deep")
	}
	defer func() { j.depth-- }()
	token, err := j.dec.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return j.object()
		}
		return j.array()
	case json.Number:
		if n, err := token.Int64(); err == nil {
			return n, nil
		}
	}
	return token, nil
}

func (j *jsonValues) array() ([]any, error) {
	list := []any{}
	for j.dec.More() {
		v, err := j.next()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := j.dec.Token()
	return list, err
}

func (j *jsonValues) object() (map[any]any, error) {
	m := map[any]any{}
	for j.dec.More() {
		token, err := j.dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("%v stands where a name should", token)
		}
		if _, there := m[name]; there {
			return nil, j.twice(name)
		}
		if m[name], err = j.next(); err != nil {
			return nil, err
		}
	}
	_, err := j.dec.Token()
	return m, err
}
