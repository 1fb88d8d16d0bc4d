package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"simrun/sim/bom"
	"simrun/sim/history"
)

// The file formats. A version changes when a file of the older kind can no
// longer be read as one of the newer; nothing reads two versions, for a run is
// recorded again in a second.
const (
	FormatResult = "simrun-result"
	FormatTrace  = "simrun-trace"
	Version      = 1
)

// format begins every JSON file.
type format struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

type resultFile struct {
	format
	*Result
}

type traceFile struct {
	format
	Hash        Hash         `json:"hash"`
	Events      uint64       `json:"events"`
	Checkpoints []Checkpoint `json:"checkpoints"`
}

// WriteJSON writes the result as result.json holds it.
func WriteJSON(w io.Writer, r *Result) error {
	return writeJSON(w, resultFile{format{FormatResult, Version}, r})
}

func writeTrace(w io.Writer, r *Result) error {
	checkpoints := r.Checkpoints
	if checkpoints == nil {
		checkpoints = []Checkpoint{}
	}
	return writeJSON(w, traceFile{format{FormatTrace, Version}, r.TraceHash, r.Stats.Events, checkpoints})
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Load reads a folder, whose files have to be of one run. What can be read is returned
// together with the first error: a run whose process died has a plan and the part of its
// history that
// it recorded, and no result. A system of one's own has no plan.
func Load(dir string) (*Run, error) {
	run := &Run{}
	if err := Complete(dir); err != nil {
		return run, err
	}
	plan, err := os.ReadFile(filepath.Join(dir, FilePlan))
	if err != nil && (!errors.Is(err, os.ErrNotExist) || !isRun(dir)) {
		return run, Unreadable(dir, FilePlan, err)
	}
	run.Plan = bom.Skip(string(plan))
	run.History, err = loadHistory(dir)
	if err != nil {
		return run, err
	}
	run.Result, err = LoadResult(dir)
	if err != nil {
		return run, err
	}
	return run, run.OneRun(dir, true)
}

func loadHistory(dir string) (*history.History, error) {
	file := filepath.Join(dir, FileHistory)
	h, err := history.Load(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, Unreadable(dir, FileHistory, err)
	}
	return h, err
}

// LoadVerdict reads result.json alone: all that the run has found, and no trace. An error is
// fs.ErrNotExist if there is no such file.
func LoadVerdict(dir string) (*Result, error) {
	file := filepath.Join(dir, FileResult)
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, Unreadable(dir, FileResult, err)
	}
	return ParseResult(file, data)
}

// LoadResult reads result.json and trace.json.
func LoadResult(dir string) (*Result, error) {
	r, err := LoadVerdict(dir)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, FileTrace))
	if err != nil {
		return nil, Unreadable(dir, FileTrace, err)
	}
	return r, parseTrace(filepath.Join(dir, FileTrace), data, r)
}

// ParseResult reads the contents of a result.json; file is its name, for
// errors.
func ParseResult(file string, data []byte) (*Result, error) {
	r := &Result{}
	if err := parse(file, data, FormatResult, &resultFile{Result: r}); err != nil {
		return nil, err
	}
	if want := (&Result{Checkers: r.Checkers}).Conclude(); r.Verdict != want {
		return nil, &Error{
			File: file, Line: lineOf(data, bytes.Index(data, []byte(`"verdict"`))), Remedy: RecordAnew(filepath.Dir(file)),
			Problem: fmt.Sprintf("the verdict is %v and the checkers say %v: the file was edited", r.Verdict, want),
		}
	}
	return r, nil
}

// parseTrace reads the contents of a trace.json into the result it belongs to.
func parseTrace(file string, data []byte, r *Result) error {
	var t traceFile
	if err := parse(file, data, FormatTrace, &t); err != nil {
		return err
	}
	if t.Hash != r.TraceHash || t.Events != r.Stats.Events {
		return &Error{
			File: file, Remedy: RecordAnew(filepath.Dir(file)),
			Problem: fmt.Sprintf("the trace (%v after %d events) is not that of %s (%v after %d)",
				t.Hash, t.Events, FileResult, r.TraceHash, r.Stats.Events),
		}
	}
	r.Checkpoints = t.Checkpoints
	return nil
}

// parse decodes a file of one JSON value, after a look at what it claims to be.
func parse(file string, data []byte, kind string, v any) error {
	var f format
	if err := json.Unmarshal(data, &f); err != nil {
		return malformed(file, data, err)
	}
	if f.Format != kind {
		return &Error{File: file, Line: 1, Problem: fmt.Sprintf("the file says that its format is %q and not %q", f.Format, kind), Remedy: RecordAnew(filepath.Dir(file))}
	}
	if f.Version != Version {
		return &Error{
			File: file, Line: lineOf(data, bytes.Index(data, []byte(`"version"`))), Remedy: RecordAnew(filepath.Dir(file)),
			Problem: fmt.Sprintf("the file is of format version %d, and version %d is what is read here", f.Version, Version),
		}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return malformed(file, data, err)
	}
	return nil
}

// Unreadable is the error of a file of a folder that cannot be read, with what to do about
// one that is missing.
func Unreadable(dir, name string, err error) error {
	e := &Error{File: filepath.Join(dir, name), Problem: "cannot be read: " + reason(err), Err: err}
	if errors.Is(err, os.ErrNotExist) {
		e.Problem = "the file is missing"
		e.Remedy = RecordAnew(filepath.Dir(e.File))
		if _, statErr := os.Stat(filepath.Join(dir, FilePlan)); statErr != nil {
			e.Remedy = "is " + dir + " the folder of a run?"
		}
	}
	return e
}
