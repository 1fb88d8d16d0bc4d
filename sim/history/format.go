package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// The file format. Its goals: one line an operation, so that a file can be
// searched and cut with ordinary tools; written as the run goes, so that a run
// that dies leaves all it has recorded; a truncated file is known as such. It
// does not aim to be small, and it is not protected against an editor: changing
// a value by hand to see what a checker says is a use, not an attack.
//
//	{"format":"simrun-history","version":1,"scenario":"bank","seed":7,...}
//	{"id":0,"client":1,"kind":"txn",...}          in the order of return
//	{"end":true,"ops":1}
const (
	FormatName    = "simrun-history"
	FormatVersion = 1
)

// headerLine is the first line of a file.
type headerLine struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Header
}

// endLine is the last line of a file; without it the file is truncated.
type endLine struct {
	End bool `json:"end"`
	Ops int  `json:"ops"` // how many operations the file holds
}

// EndLine is the line that a history of so many operations ends with.
func EndLine(ops int) string {
	line, err := json.Marshal(endLine{End: true, Ops: ops})
	if err != nil {
		panic(fmt.Errorf("history: the last line does not encode: %w", err)) // it holds nothing that could not
	}
	return string(line)
}

// endPrefix tells the last line from an operation.
var endPrefix = []byte(`{"end":`) //nolint:gochecknoglobals // a constant; Go has none of this type

// Writer writes a history, one Write call a line: what has been written is with
// the operating system when Op returns, whatever becomes of the process.
type Writer struct {
	w   io.Writer
	buf bytes.Buffer
	enc *json.Encoder
	ops int
}

// NewWriter writes the header and returns a writer for the operations.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	hw := &Writer{w: w}
	hw.enc = json.NewEncoder(&hw.buf)
	hw.enc.SetEscapeHTML(false)
	if err := hw.line(headerLine{Format: FormatName, Version: FormatVersion, Header: h}); err != nil {
		return nil, fmt.Errorf("history: write header: %w", err)
	}
	return hw, nil
}

// Op writes one operation.
func (w *Writer) Op(op *Op) error {
	if s, ok := op.notUTF8(); ok {
		return fmt.Errorf("history: operation %d: %q is not UTF-8, which JSON cannot carry: encode it, in hex for instance", op.ID, s)
	}
	if err := w.line(op); err != nil {
		return fmt.Errorf("history: write operation %d: %w", op.ID, err)
	}
	w.ops++
	return nil
}

// Close writes the last line. It does not close the underlying writer.
func (w *Writer) Close() error {
	if err := w.line(endLine{End: true, Ops: w.ops}); err != nil {
		return fmt.Errorf("history: write end: %w", err)
	}
	return nil
}

func (w *Writer) line(v any) error {
	w.buf.Reset()
	if err := w.enc.Encode(v); err != nil {
		return err
	}
	_, err := w.w.Write(w.buf.Bytes())
	return err
}

// Encode writes a whole history.
func Encode(w io.Writer, h *History) error {
	hw, err := NewWriter(w, h.Header)
	if err != nil {
		return err
	}
	for i := range h.Ops {
		if err := hw.Op(&h.Ops[i]); err != nil {
			return err
		}
	}
	return hw.Close()
}

// notUTF8 returns a string of the operation that JSON would silently change.
func (op *Op) notUTF8() (string, bool) {
	bad := func(s string) bool { return !utf8.ValidString(s) }
	badPtr := func(s *string) bool { return s != nil && bad(*s) }
	switch {
	case bad(op.Key):
		return op.Key, true
	case badPtr(op.Value):
		return *op.Value, true
	case badPtr(op.Expected):
		return *op.Expected, true
	case op.Txn == nil:
		return "", false
	}
	for i := range op.Txn.Ops {
		t := &op.Txn.Ops[i]
		switch {
		case bad(t.Key):
			return t.Key, true
		case bad(t.EndKey):
			return t.EndKey, true
		case badPtr(t.Value):
			return *t.Value, true
		}
		for j := range t.Pairs {
			if p := &t.Pairs[j]; bad(p.Key) || bad(p.Value) {
				return p.Key + "=" + p.Value, true
			}
		}
	}
	return "", false
}
