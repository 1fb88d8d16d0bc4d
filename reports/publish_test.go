package reports

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// errDead stands for the end of the process.
var errDead = errors.New("the process is dead")

// dieAfter lets a folder take so many steps on its files, and none after them.
func (f *Folder) dieAfter(steps int) {
	alive := func() bool { steps--; return steps >= 0 }
	f.rename = func(from, to string) error {
		if !alive() {
			return errDead
		}
		return os.Rename(from, to)
	}
	f.remove = func(name string) error {
		if !alive() {
			return errDead
		}
		return os.Remove(name)
	}
}

// drawnRun is a run with pages of porcupine.
func drawnRun(rounds int, names ...string) *Run {
	run := bankRun(rounds)
	for _, name := range names {
		c := run.Result.Checkers[0]
		c.Checker = name
		c.Visualise = func(w io.Writer) error {
			_, err := io.WriteString(w, "<html> "+name)
			return err
		}
		run.Result.Checkers = append(run.Result.Checkers, c)
	}
	return run
}

// Goal: whenever a process dies that puts a run in the place of an earlier one, the folder
// is of one run for whoever comes next, and nothing that is whole is lost. Method: it dies
// after each of its steps. Next is a reader, or one that dies after each of its own steps
// and then another one, or a run.
func TestPublicationIsInterrupted(t *testing.T) {
	own := drawnRun(100)
	own.Plan = ""
	for _, c := range []struct {
		name  string
		later *Run
		input string // the plan that is run, in the folder
	}{
		{"other pages", drawnRun(100, "linear", "linear-b"), ""},
		{"no page and no plan", own, ""},
		{"the plan is the input", drawnRun(100), FilePlan},
	} {
		t.Run(c.name, func(t *testing.T) {
			earlier := drawnRun(110, "linear", "linear-a")
			earlier.Plan += "# mine\n"
			before, after := filesOf(t, earlier), filesOf(t, c.later)
			if c.input != "" {
				after[FilePlan] = before[FilePlan]
			}
			saved := t.TempDir()
			save(t, saved, earlier)
			f, err := Create(saved, filepath.Join(saved, c.input))
			if err != nil {
				t.Fatal(err)
			}
			if err = f.saveRun(c.later); err != nil {
				t.Fatal(err)
			}
			f.release()
			begun := 0 // deaths between the first and the last step that others can see
			for steps := 0; ; steps++ {
				dir := copied(t, saved)
				dying := Open(filepath.Join(dir, FolderNew))
				dying.into, dying.keepPlan = dir, f.keepPlan
				dying.dieAfter(steps)
				if err = dying.publish(); err == nil {
					break
				}
				whole := isWhole(dying.path)
				want := before
				if whole {
					want, begun = after, begun+1
				}
				if (Unfinished(dir) == "") != (whole || c.later.Plan == "") {
					t.Errorf("after %d steps the unfinished run is said to be in %q", steps, Unfinished(dir))
				}
				for nth, next := range nextOnes(len(after)+3, whole) {
					if err = next(copied(t, dir), want); err != nil {
						t.Errorf("after %d steps, next one %d: %v", steps, nth, err)
					}
				}
			}
			if begun < len(after)+2 {
				t.Errorf("%d deaths were during the publication", begun)
			}
		})
	}
}

// nextOnes are those who come next to a folder; they return what is wrong there then.
func nextOnes(steps int, whole bool) []func(dir string, want map[string]string) error {
	ones := []func(dir string, want map[string]string) error{
		func(dir string, want map[string]string) error {
			_, err := Load(dir)
			return errors.Join(err, differ(dir, want))
		},
		func(dir string, want map[string]string) error {
			f, err := Create(dir, "")
			if err != nil {
				return err
			}
			defer f.Discard()
			return errors.Join(f.SavePlan("# begun\n"), differ(dir, want))
		},
	}
	for i := 0; i < steps && whole; i++ {
		ones = append(ones, func(dir string, want map[string]string) error {
			f := Open(dir)
			f.dieAfter(i)
			if err := f.resume(dir); err != nil && !errors.Is(err, errDead) {
				return err
			}
			return errors.Join(Complete(dir), differ(dir, want))
		})
	}
	return ones
}

// filesOf are the files of a run.
func filesOf(t *testing.T, run *Run) map[string]string {
	t.Helper()
	dir := t.TempDir()
	save(t, dir, run)
	return files(t, dir)
}

// copied returns a folder like another one. The files are the same, for nobody here changes
// what is in one.
func copied(t *testing.T, dir string) string {
	t.Helper()
	like := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		to := filepath.Join(like, strings.TrimPrefix(path, dir))
		switch {
		case err != nil:
			return err
		case path == dir:
			return nil
		case d.IsDir():
			return os.Mkdir(to, 0o755)
		}
		return os.Link(path, to)
	})
	if err != nil {
		t.Fatal(err)
	}
	return like
}

// differ says which files of a folder are not those of a run. Its folder for the next one is
// passed over, unless that holds a whole run.
func differ(dir string, want map[string]string) error {
	if isWhole(filepath.Join(dir, FolderNew)) {
		return errors.New("the publication has not come to its end")
	}
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() == FolderNew || e.Name() == fileLock {
			continue
		}
		text, readErr := os.ReadFile(filepath.Join(dir, e.Name()))
		err = errors.Join(err, readErr)
		got[e.Name()] = string(text)
	}
	if err == nil && !maps.Equal(got, want) {
		err = fmt.Errorf("there are %v, expected are %v, or their contents differ", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	return err
}

// Who comes while the process is still at it is told so, and changes nothing.
func TestPublicationIsUnderWay(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, bankRun(100))
	f, err := Create(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err = f.saveRun(bankRun(110)); err != nil {
		t.Fatal(err)
	}
	f.dieAfter(4)
	if err = f.publish(); !errors.Is(err, errDead) || !isWhole(f.path) {
		t.Fatalf("the publication is not under way: %v", err)
	}
	left := files(t, f.path)
	if _, err = Load(dir); err == nil || !strings.Contains(err.Error(), f.path+" has files of a finished run that belong into "+dir+": ") || !strings.Contains(err.Error(), "; wait until that has ended") {
		t.Errorf("got %v", err)
	}
	if !maps.Equal(files(t, f.path), left) {
		t.Error("somebody else went on with the publication")
	}
	f.release()
	if _, err = Load(dir); err != nil {
		t.Error(err)
	}
}

// A list that is not one of a run's files moves nothing.
func TestMalformedPublication(t *testing.T) {
	for _, text := range []string{"", "{", `{"files":["../plan.toml"]}`, `{"files":["linear-/../../x"]}`, `{"files":["notes.txt"]}`} {
		dir := t.TempDir()
		save(t, dir, bankRun(100))
		before := files(t, dir)
		if err := os.Mkdir(filepath.Join(dir, FolderNew), 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, FolderNew, filePublication)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want := file + ": does not say which files of "
		_, err := Load(dir)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "; "+remedyPublication) {
			t.Errorf("%q: got %v", text, err)
		}
		if _, err = Create(dir, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
		if err = os.RemoveAll(filepath.Join(dir, FolderNew)); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(files(t, dir), before) {
			t.Errorf("%q: the folder was changed", text)
		}
	}
}
