package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Error is what is wrong with a file of a run's folder, and what to do about
// it.
type Error struct {
	File    string
	Line    int // counted from 1; 0: the file as a whole
	Problem string
	Remedy  string // may be empty
	// Err is the cause, if another package found it.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": " + e.Problem)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// remedySpace helps who runs and who only makes the page again, for which
// there is no other folder.
const remedySpace = "make room there and the permission to write, or take another folder (simrun run --out)"

// reason is what an error of the operating system says without the path, which
// the Error names already.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// malformed turns what encoding/json says about a file into an Error with a
// line.
func malformed(file string, data []byte, err error) error {
	e := &Error{File: file, Problem: "malformed JSON: " + strings.TrimPrefix(err.Error(), "json: "), Remedy: RecordAnew(filepath.Dir(file)), Err: err}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		e.Line = lineOf(data, int(syntax.Offset))
	case errors.As(err, &kind):
		e.Line = lineOf(data, int(kind.Offset))
	default:
		if _, field, ok := strings.Cut(err.Error(), "unknown field "); ok {
			e.Line = lineOf(data, bytes.Index(data, []byte(field)))
		}
	}
	return e
}

// lineOf returns the line, counted from 1, of an offset; 0 if there is none.
func lineOf(data []byte, offset int) int {
	if offset < 0 {
		return 0
	}
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte("\n"))
}
