package reports

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"

	"simrun/sim/history"
	"simrun/sim/history/jepsen"
)

// The files of a folder.
const (
	FilePlan    = "plan.toml"
	FileHistory = "history.jsonl"
	FileResult  = "result.json"
	FileTrace   = "trace.json"
	FilePage    = "report.html"
	FileEDN     = "history.edn"
)

// Folder is where the files of one run go.
type Folder struct {
	path string // where the files are written
	// into is where they are to be in the end, "" if they are there already.
	into string
	// keepPlan says that the plan there is the input.
	keepPlan bool
	made     []string       // folders that Create has made, the innermost first
	lock     *os.File       // nil: others may write there too
	stream   *historyStream // nil: the history is written by Save
	// create makes a temporary file in the folder, remove takes it away, and rename moves
	// files within the folder.
	create func(dir, pattern string) (*os.File, error)
	remove func(name string) error
	rename func(from, to string) error
}

// Open returns a folder that Create made earlier, to write some of its files
// anew.
func Open(path string) *Folder {
	return &Folder{path: path, create: os.CreateTemp, remove: os.Remove, rename: os.Rename}
}

// Path returns the folder's path: where the files are when all are written.
func (f *Folder) Path() string {
	if f.into != "" {
		return f.into
	}
	return f.path
}

// file returns the path of a file of the folder.
func (f *Folder) file(name string) string { return filepath.Join(f.path, name) }

// SavePlan writes the plan. Called before the run, it leaves something to run
// again if the process dies.
func (f *Folder) SavePlan(text string) error {
	return f.saveAll([]part{planPart(text)})
}

// SavePage writes the HTML page alone.
func (f *Folder) SavePage(run *Run) error { return f.saveAll([]part{pagePart(run)}) }

// HistoryStream creates the history file, for a history.Recorder to write to as
// the run goes. A Save after it leaves the file as it is.
func (f *Folder) HistoryStream() (io.WriteCloser, error) {
	name := f.file(FileHistory)
	file, err := os.Create(name)
	if err != nil {
		return nil, unwritable(name, err, nil)
	}
	f.stream = &historyStream{name: name, file: file}
	return f.stream, nil
}

// historyStream names its file in errors.
type historyStream struct {
	name string
	file *os.File
}

func (s *historyStream) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	if err != nil {
		return n, unwritable(s.name, err, nil)
	}
	return n, nil
}

func (s *historyStream) Close() error {
	if err := s.file.Close(); err != nil {
		return unwritable(s.name, err, nil)
	}
	return nil
}

// Save writes all files of the run. Each appears whole or not at all. The first
// that cannot be written ends it: the error says what is missing, and what was
// written stays. When all are there they take the place of an earlier run's. The
// folder is no longer this run's then.
func (f *Folder) Save(run *Run) error {
	defer f.release()
	if err := f.saveRun(run); err != nil {
		return err
	}
	return f.publish()
}

func (f *Folder) saveRun(run *Run) error {
	var parts []part
	if run.Plan != "" {
		parts = append(parts, planPart(run.Plan))
	}
	if f.stream == nil {
		parts = append(parts, part{FileHistory, func(w io.Writer) error { return history.Encode(w, run.History) }})
	}
	return f.saveAll(append(parts, derivedParts(run)...))
}

// part is one file to be written.
type part struct {
	name  string
	write func(io.Writer) error
}

func planPart(text string) part {
	return part{FilePlan, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}}
}

func pagePart(run *Run) part {
	return part{FilePage, func(w io.Writer) error { return WritePage(w, run) }}
}

// derivedParts are the files besides plan and history, the most important
// first.
func derivedParts(run *Run) []part {
	parts := []part{
		{FileResult, func(w io.Writer) error { return WriteJSON(w, run.Result) }},
		{FileTrace, func(w io.Writer) error { return writeTrace(w, run.Result) }},
	}
	parts = append(parts,
		pagePart(run),
		part{FileEDN, func(w io.Writer) error { return jepsen.WriteEDN(w, run.History) }})
	for i := range run.Result.Checkers {
		c := &run.Result.Checkers[i]
		if c.Visualise != nil {
			parts = append(parts, part{linearName(c.Checker), c.Visualise})
		}
	}
	return parts
}

// linearName is the name of the page that porcupine draws for a checker.
func linearName(checkerName string) string {
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(checkerName))
	if name == "linear" {
		name = "keys"
	}
	return "linear-" + strings.TrimPrefix(name, "linear-") + ".html"
}

func (f *Folder) saveAll(parts []part) error {
	for i, p := range parts {
		if err := f.saveOne(p); err != nil {
			var missing []string
			for _, q := range parts[i:] {
				missing = append(missing, q.name)
			}
			return unwritable(f.file(p.name), err, missing)
		}
	}
	return nil
}

// saveOne writes a file under another name and renames it when it is whole.
func (f *Folder) saveOne(p part) (err error) {
	tmp, err := f.create(f.path, "."+p.name+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = f.remove(tmp.Name())
		}
	}()
	buffered := bufio.NewWriterSize(tmp, 1<<16)
	if err := p.write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return f.rename(tmp.Name(), f.file(p.name))
}

func unwritable(file string, err error, missing []string) error {
	problem := "cannot be written: " + reason(err)
	if len(missing) > 1 {
		problem += " (missing now: " + strings.Join(missing, ", ") + ")"
	}
	return &Error{File: file, Problem: problem, Remedy: remedySpace, Err: err}
}
