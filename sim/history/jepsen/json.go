package jepsen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
	for dec.More() {
		f := form{line: lineAt(data, dec.InputOffset())}
		var fields map[string]any
		if err := dec.Decode(&fields); err != nil {
			return nil, fail(err)
		}
		f.fields = make(map[string]any, len(fields))
		for k, v := range fields {
			f.fields[k] = fromJSON(v)
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

// fromJSON turns a JSON value into what the EDN parser would give.
func fromJSON(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		return fmt.Sprint(v)
	case []any:
		for i := range v {
			v[i] = fromJSON(v[i])
		}
		return v
	case map[string]any:
		m := make(map[any]any, len(v))
		for k, e := range v {
			m[k] = fromJSON(e)
		}
		return m
	}
	return v
}
