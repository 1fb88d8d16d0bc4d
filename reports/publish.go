package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files of a run that takes the place of an earlier one are moved one by one from
// FolderNew, and the process may be killed between any two. So when all are there, and
// before the first is moved, a file says which they are. While it is there the earlier run is
// gone, and whoever comes next, to read or to write, does the rest: each step may be done
// again.

// filePublication is that file, in FolderNew.
const filePublication = ".simrun-publication"

// publication is what it holds.
type publication struct {
	Files []string `json:"files"` // to be moved, the result last
	// KeepPlan says that the plan in the folder stays as it is, though it is none of Files.
	KeepPlan bool `json:"keep_plan"`
}

// isWhole reports whether all files of a run were in FolderNew, so that it is the one that
// its folder is to hold.
func isWhole(folderNew string) bool {
	_, err := os.Lstat(filepath.Join(folderNew, filePublication))
	return err == nil
}

// Complete does the rest for a run whose process was killed while it put its files in the
// place of an earlier run's. There is hardly ever anything to do. It is an error if the
// process is still at it.
func Complete(path string) error {
	folderNew := filepath.Join(path, FolderNew)
	if !isWhole(folderNew) {
		return nil
	}
	f := Open(path)
	err := f.hold(path)
	if err == nil {
		defer f.release()
		err = f.resume(path)
	}
	if err != nil {
		return fmt.Errorf("%s has files of a finished run that belong into %s: %w", folderNew, path, err)
	}
	return nil
}

// resume does what is left of the publication into a folder, if there is one.
func (f *Folder) resume(path string) error {
	folderNew := filepath.Join(path, FolderNew)
	if !isWhole(folderNew) {
		return nil
	}
	file := filepath.Join(folderNew, filePublication)
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist): // done meanwhile, where the file system knows no locks
		return nil
	case err != nil:
		return &Error{File: file, Problem: "cannot be read: " + reason(err), Remedy: remedyPublication, Err: err}
	}
	var p publication
	if err = json.Unmarshal(data, &p); err != nil || slices.ContainsFunc(p.Files, func(name string) bool { return !isOfRun(name) }) {
		return &Error{File: file, Problem: "does not say which files of " + folderNew + " are to be moved to " + path, Remedy: remedyPublication, Err: err}
	}
	return f.move(p, folderNew, path)
}

const remedyPublication = "move them there by hand and remove it"

// isOfRun reports whether a file of a run may have a name.
func isOfRun(name string) bool {
	return slices.Contains(fixedFiles(), name) || strings.HasPrefix(name, "linear-") && filepath.Base(name) == name
}

// publish puts the files of a whole run in the place of the earlier one's.
func (f *Folder) publish() error {
	if f.into == "" {
		return nil
	}
	p := publication{KeepPlan: f.keepPlan}
	for _, name := range slices.Concat(linearFiles(f.path), fixedFiles()) {
		_, err := os.Lstat(f.file(name))
		switch {
		case err == nil:
			p.Files = append(p.Files, name)
		case !errors.Is(err, fs.ErrNotExist) || !mayLack(name):
			return unmovable(f.file(name), f.into, err)
		}
	}
	if f.keepPlan {
		p.Files = slices.DeleteFunc(p.Files, func(name string) bool { return name == FilePlan })
	}
	err := f.saveAll([]part{{filePublication, func(w io.Writer) error { return json.NewEncoder(w).Encode(p) }}})
	if err != nil {
		return err
	}
	if err = f.move(p, f.path, f.into); err != nil {
		return err
	}
	f.path, f.into = f.into, ""
	return nil
}

// move takes the steps of a publication that were not taken yet.
func (f *Folder) move(p publication, from, into string) error {
	kept := slices.Clone(p.Files)
	if p.KeepPlan {
		kept = append(kept, FilePlan)
	}
	if err := f.removeAll(into, kept); err != nil {
		return err
	}
	for _, name := range p.Files {
		err := f.rename(filepath.Join(from, name), filepath.Join(into, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // moved before
			return unmovable(filepath.Join(from, name), into, err)
		}
	}
	for _, name := range []string{FilePlan, filePublication} { // the plan is there if another one is kept
		err := f.remove(filepath.Join(from, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unmovable(filepath.Join(from, name), into, err)
		}
	}
	_ = f.remove(from) // fails if somebody has put something there
	return nil
}

func unmovable(file, into string, err error) error {
	return &Error{File: file, Problem: fmt.Sprintf("cannot be moved to %s: %s", into, reason(err)), Remedy: remedySpace, Err: err}
}
