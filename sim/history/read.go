package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"simrun/sim/bom"
)

// Error is what is wrong with a history file, and where.
type Error struct {
	File    string
	Line    int // counted from 1; 0: the file as a whole
	Problem string
	Remedy  string
	// Truncated says that the file is sound as far as it goes.
	Truncated bool
}

func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Remedy == "" {
		return fmt.Sprintf("%s: %s", where, e.Problem)
	}
	return fmt.Sprintf("%s: %s; %s", where, e.Problem, e.Remedy)
}

const (
	remedyRecord = "record the run again (simrun run PLAN --out FOLDER)"
	remedyFix    = "correct the line, or " + remedyRecord
)

// lineMax bounds a line, so that a file that is something else altogether does
// not fill the memory. A scan of a hundred thousand pairs fits.
const lineMax = 64 << 20

// Reader reads a history file, strictly: unknown fields and those that stand twice,
// unknown kinds, overlapping operations of one client and a missing end are errors.
type Reader struct {
	name   string
	in     *bufio.Reader
	line   int
	ops    int
	check  *Validator
	header Header
}

// NewReader reads the header. The name is that of the file, for errors.
func NewReader(r io.Reader, name string) (*Reader, error) {
	hr := &Reader{name: name, in: bufio.NewReaderSize(r, 1<<16), check: NewValidator()}
	bom.SkipIn(hr.in)
	line, complete, err := hr.next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &Error{File: name, Problem: "the history is empty", Remedy: remedyRecord, Truncated: true}
		}
		return nil, err
	}
	var h headerLine
	if json.Unmarshal(line, &h) != nil || h.Format != FormatName {
		if !complete {
			return nil, hr.truncated("the first line is cut off")
		}
		return nil, hr.fail(fmt.Sprintf("not a history: a history begins with {\"format\":%q,...}", FormatName), "")
	}
	if h.Version != FormatVersion {
		return nil, hr.fail(fmt.Sprintf("the history has format version %d; this program reads version %d", h.Version, FormatVersion),
			remedyRecord)
	}
	if err := strict(line, &h); err != nil {
		return nil, hr.fail(err.Error(), remedyFix)
	}
	if !complete {
		return nil, hr.truncated("the file ends in its header")
	}
	switch h.Consistency {
	case SnapshotIsolation, Serializable, StrictSerializable:
	default:
		return nil, hr.fail(fmt.Sprintf("consistency %q is unknown; %q and %q exist, and none is snapshot isolation", h.Consistency, Serializable, StrictSerializable), remedyFix)
	}
	hr.header = h.Header
	return hr, nil
}

// Header returns the header.
func (r *Reader) Header() Header { return r.header }

// Next returns the next operation, or io.EOF after the last. It allocates a new
// Op's contents each time: the caller may keep them.
func (r *Reader) Next() (Op, error) {
	var op Op
	line, complete, err := r.next()
	switch {
	case errors.Is(err, io.EOF):
		return op, r.truncated(fmt.Sprintf("the history ends after %d operations without its end line, %s", r.ops, EndLine(r.ops)))
	case err != nil:
		return op, err
	case !complete:
		// Even a line that happens to parse may be a part of a longer one.
		if end, ok := parseEnd(line); ok && end.Ops == r.ops {
			return op, io.EOF // only the newline is missing
		}
		return op, r.truncated("the last line is cut off")
	}
	if bytes.HasPrefix(line, endPrefix) {
		return op, r.end(line)
	}
	if err := strict(line, &op); err != nil {
		return op, r.fail(err.Error(), remedyFix)
	}
	if err := r.check.Check(&op); err != nil {
		return op, r.fail(err.Error(), remedyFix)
	}
	r.ops++
	return op, nil
}

func parseEnd(line []byte) (endLine, bool) {
	var end endLine
	err := strict(line, &end)
	return end, err == nil && end.End
}

func (r *Reader) end(line []byte) error {
	end, ok := parseEnd(line)
	if !ok {
		return r.fail("the end line is malformed", remedyFix)
	}
	if end.Ops != r.ops {
		return r.fail(fmt.Sprintf("the history holds %d operations and its end line says %d: lines were lost or added", r.ops, end.Ops),
			"if that was on purpose correct the count, else "+remedyRecord)
	}
	if _, err := r.in.Peek(1); !errors.Is(err, io.EOF) {
		r.line++
		return r.fail("there is something after the end line", remedyFix)
	}
	return io.EOF
}

// next returns the next line without its newline; complete says that there was
// one.
func (r *Reader) next() (line []byte, complete bool, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			r.line++
			return line[:len(line)-1], true, nil
		case errors.Is(err, bufio.ErrBufferFull):
			if len(line) > lineMax {
				r.line++
				return nil, false, r.fail("the line is longer than 64 MiB", remedyFix)
			}
		case errors.Is(err, io.EOF):
			if len(line) == 0 {
				return nil, false, io.EOF
			}
			r.line++
			return line, false, nil
		default:
			return nil, false, fmt.Errorf("history: read %s: %w", r.name, err)
		}
	}
}

func (r *Reader) fail(problem, remedy string) error {
	return &Error{File: r.name, Line: r.line, Problem: problem, Remedy: remedy}
}

func (r *Reader) truncated(problem string) error {
	return &Error{File: r.name, Line: r.line, Problem: problem + ": the file is truncated", Remedy: remedyRecord, Truncated: true}
}

// strict decodes one JSON value that fills the line, with every name as the format has
// it and once.
func strict(line []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("the line is empty")
		}
		return fmt.Errorf("malformed line: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("malformed line: there is something after the closing brace")
	}
	return checkNames(line)
}

// Decode reads a whole history. If the file is truncated it returns what is there
// together with the error, whose Truncated is set.
func Decode(r io.Reader, name string) (*History, error) {
	hr, err := NewReader(r, name)
	if err != nil {
		return nil, err
	}
	h := &History{Header: hr.Header()}
	for {
		op, err := hr.Next()
		if errors.Is(err, io.EOF) {
			return h, nil
		}
		if err != nil {
			var herr *Error
			if errors.As(err, &herr) && herr.Truncated {
				return h, err
			}
			return nil, err
		}
		h.Ops = append(h.Ops, op)
	}
}

// Load reads the history in a file; see Decode.
func Load(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer func() { _ = f.Close() }()
	return Decode(f, path)
}
