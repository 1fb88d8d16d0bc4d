package reports

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"simrun/sim/history"
)

// FolderNew is where the files of a run are, below its folder, as long as the
// folder holds those of an earlier one.
const FolderNew = ".new"

// Create makes a folder for a run, or takes over one that is there. What an
// earlier run has left there stays until Save has written all of the new one: a
// run that dies takes nothing away, and what it recorded is in FolderNew. Files
// that are not a run's are left alone; a folder is refused if one of them has the
// name of a file that a run writes, and if another run is writing there. input is the
// plan that is run, "" if it is no file: lying in the folder, it stays as it is.
//
// The folder is this run's until Save or Discard, or the end of the process.
func Create(path, input string) (*Folder, error) {
	f := Open(path)
	if err := f.take(path, input); err != nil {
		f.Discard()
		return nil, err
	}
	return f, nil
}

func (f *Folder) take(path, input string) error {
	if err := f.make(path); err != nil {
		return err
	}
	if err := f.hold(path); err != nil {
		return err
	}
	if err := f.resume(path); err != nil {
		return err
	}
	earlier, err := ownFiles(path)
	if err != nil || len(earlier) == 0 {
		return err
	}
	f.path, f.into = filepath.Join(path, FolderNew), path
	if err := f.make(f.path); err != nil {
		return err
	}
	// Of a run that died before: it is recorded again now, or another one is.
	if err := f.removeAll(f.path, nil); err != nil {
		return err
	}
	f.keepInput(input)
	return nil
}

// Unfinished returns where the recording of a run is that was to replace the one
// in a folder and has not come to its end, "" if there is none.
func Unfinished(path string) string {
	path = filepath.Join(path, FolderNew)
	if _, err := os.Stat(filepath.Join(path, FilePlan)); err != nil || isWhole(path) {
		return ""
	}
	return path
}

// Discard ends a run that is not saved: it takes away what Create has made, unless
// something was written.
func (f *Folder) Discard() {
	f.release()
	for _, path := range f.made {
		_ = f.remove(path) // fails if there is something inside
	}
}

// make makes a folder and those around it.
func (f *Folder) make(path string) error {
	var missing []string
	for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, dir)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return &Error{File: path, Problem: "the folder cannot be made: " + reason(err), Remedy: "choose another one (--out)", Err: err}
	}
	f.made = append(missing, f.made...)
	return nil
}

const remedyOther = "choose another folder (--out)"

// fixedFiles are the files that every run writes, the result last: where it is,
// the others are.
func fixedFiles() []string {
	return []string{FilePlan, FileHistory, FileTrace, FilePage, FileEDN, FileResult}
}

// mayLack reports whether there are runs without a file of that name.
func mayLack(name string) bool { return name == FilePlan || strings.HasPrefix(name, "linear-") }

// ownFiles returns the names of the files that an earlier run has left in a
// folder. It is an error if the folder has such files that are not of a run.
func ownFiles(path string) ([]string, error) {
	names := slices.Concat(fixedFiles(), linearFiles(path))
	names = slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Lstat(filepath.Join(path, name))
		return errors.Is(err, fs.ErrNotExist)
	})
	if len(names) == 0 || isRun(path) {
		return names, nil
	}
	return nil, &Error{
		File: filepath.Join(path, names[0]), Remedy: remedyOther,
		Problem: "exists and does not belong to a simrun folder; not overwriting",
	}
}

// linearFiles are the names of porcupine's pages, by what the result in the folder
// says of its checkers, or those that there are without one.
func linearFiles(path string) []string {
	names := []string{linearName("linear")}
	var r struct {
		Checkers []struct {
			Checker string `json:"checker"`
		} `json:"checkers"`
	}
	data, err := os.ReadFile(filepath.Join(path, FileResult))
	if err != nil || json.Unmarshal(data, &r) != nil {
		return names
	}
	for _, c := range r.Checkers {
		if name := linearName(c.Checker); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// isRun reports whether a folder holds a run's result, history or plan, by how
// these begin: they may be of another version, or damaged further on.
func isRun(path string) bool {
	for name, signs := range map[string][]string{
		FileResult:  {`"` + FormatResult + `"`},
		FileHistory: {`"` + history.FormatName + `"`},
		FilePlan:    {"version", "[cluster]"},
	} {
		if begins(filepath.Join(path, name), signs) {
			return true
		}
	}
	return false
}

// begins reports whether the first part of a file holds all of the texts.
func begins(file string, texts []string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	head, _ := bufio.NewReaderSize(f, headBytes).Peek(headBytes) // what there is
	return !slices.ContainsFunc(texts, func(text string) bool { return !bytes.Contains(head, []byte(text)) })
}

const headBytes = 4096

// removeAll removes the files of a run from a folder, but for some.
func (f *Folder) removeAll(path string, except []string) error {
	for _, name := range slices.Concat(linearFiles(path), fixedFiles()) {
		if slices.Contains(except, name) {
			continue
		}
		file := filepath.Join(path, name)
		if err := f.remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &Error{File: file, Problem: "left by an earlier run, it cannot be removed: " + reason(err), Remedy: remedyOther, Err: err}
		}
	}
	return nil
}

// keepInput has the publication leave the folder's plan as it is if it is the input.
func (f *Folder) keepInput(input string) {
	given, err := os.Stat(input)
	if err != nil {
		return
	}
	there, err := os.Stat(filepath.Join(f.into, FilePlan))
	f.keepPlan = err == nil && os.SameFile(given, there)
}
