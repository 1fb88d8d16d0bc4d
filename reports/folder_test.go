package reports

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"simrun/sim/history"
)

func save(t *testing.T, dir string, run *Run) {
	t.Helper()
	f, err := Create(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Save(run); err != nil {
		t.Fatal(err)
	}
}

// files returns the contents of a folder by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		contents[e.Name()] = string(data)
	}
	return contents
}

func TestSaveAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out", "bank-7")
	run := bankRun(110)
	run.Plan = strings.Replace(run.Plan, "seed = 7", "seed = '18446744073709551615'", 1)
	run.Result.Seed, run.History.Seed = 1<<64-1, 1<<64-1
	save(t, dir, run)
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	run.Result.Wall = 0 // is not kept
	if !reflect.DeepEqual(got, run) {
		t.Errorf("a run changed on its way through its folder:\ngot  %+v\nwant %+v", got.Result, run.Result)
	}
}

// Two runs of a seed differ in nothing but the time that they took.
func TestFoldersOfOneSeedAreEqual(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	save(t, a, bankRun(110))
	run := bankRun(110)
	run.Result.Wall *= 2
	save(t, b, run)
	if !reflect.DeepEqual(files(t, a), files(t, b)) {
		t.Error("the folders differ")
	}
}

// A folder tells of one run: what an earlier one left is replaced as soon as there
// is a new one and not before, what is somebody else's stays.
func TestCreateRemovesAnEarlierRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd [name]*")
	run := bankRun(110)
	run.Result.Checkers[0].Checker = "linear"
	run.Result.Checkers[0].Visualise = func(w io.Writer) error {
		_, err := io.WriteString(w, "<html>")
		return err
	}
	save(t, dir, run)
	if files(t, dir)["linear-keys.html"] != "<html>" {
		t.Error("porcupine's page is missing")
	}
	old := files(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "linear-algebra.html"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Create(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err = f.SavePlan("# begun\n"); err != nil {
		t.Fatal(err)
	}
	// The process might be killed now.
	for name, text := range old {
		if got, lost := os.ReadFile(filepath.Join(dir, name)); lost != nil || string(got) != text {
			t.Errorf("%s was lost before the new run had its own: %v", name, lost)
		}
	}
	if got := Unfinished(dir); got != filepath.Join(dir, FolderNew) {
		t.Errorf("the unfinished run is said to be in %q", got)
	}
	f.release() // as the end of the process does
	if f, err = Create(dir, ""); err != nil {
		t.Fatal(err)
	}
	if err = f.Save(bankRun(100)); err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(filepath.Join(dir, FolderNew)); !errors.Is(err, os.ErrNotExist) || Unfinished(dir) != "" {
		t.Errorf("the folder of the new run was left: %v", err)
	}
	left := files(t, dir)
	if len(left) != len(fixedFiles())+1 || left["linear-algebra.html"] != "mine" || left[FileHistory] == old[FileHistory] {
		t.Errorf("left behind: %v", slices.Sorted(maps.Keys(left)))
	}
}

// The plan that is run stays as it is, though it lies in the folder of the run.
func TestCreateKeepsTheInput(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, bankRun(110))
	input := filepath.Join(dir, FilePlan)
	const text = "# mine\nversion = '1'\n[cluster]\n"
	if err := os.WriteFile(input, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Create(dir, filepath.Join(dir, ".", "..", filepath.Base(dir), FilePlan))
	if err != nil {
		t.Fatal(err)
	}
	if err = f.Save(bankRun(100)); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); got[FilePlan] != text || len(got) != len(fixedFiles()) {
		t.Errorf("the plan is now %q, the folder holds %v", got[FilePlan], slices.Sorted(maps.Keys(got)))
	}
}

// What is somebody else's is not replaced.
func TestCreateRefusesForeignFiles(t *testing.T) {
	for _, name := range []string{FilePage, FileResult, FilePlan, "linear-keys.html"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("version of mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Create(dir, "")
		if err == nil || !strings.Contains(err.Error(), name+": exists and does not belong to a simrun folder; ") || !strings.HasSuffix(err.Error(), "; choose another folder (--out)") {
			t.Errorf("%s: got %v", name, err)
		}
		if got := files(t, dir); len(got) != 1 || got[name] != "version of mine" {
			t.Errorf("%s: now there is %v", name, got)
		}
	}
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "a", "b"), "")
	if err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A run that streams its history has it on disk whatever becomes of the rest.
func TestHistoryStream(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	run := bankRun(110)
	stream, err := f.HistoryStream()
	if err != nil {
		t.Fatal(err)
	}
	if err = history.Encode(stream, run.History); err != nil {
		t.Fatal(err)
	}
	if err = stream.Close(); err != nil {
		t.Fatal(err)
	}
	if err = f.SavePlan(run.Plan); err != nil {
		t.Fatal(err)
	}
	died, err := Load(dir)
	if err == nil || !strings.Contains(err.Error(), "result.json: the file is missing") {
		t.Errorf("a missing result was expected: %v", err)
	}
	if died.Plan != run.Plan || !reflect.DeepEqual(died.History, run.History) || died.Result != nil {
		t.Error("what a run that died had recorded was not returned")
	}
	if err := f.Save(run); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err != nil {
		t.Error(err)
	}
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	dir := t.TempDir()
	f, err := Create(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	created := 0
	f.create = func(dir, pattern string) (*os.File, error) {
		if created++; created > 2 {
			return os.OpenFile("/dev/full", os.O_WRONLY, 0)
		}
		return os.CreateTemp(dir, pattern)
	}
	f.remove = func(string) error { return nil } // and leaves the device alone
	err = f.Save(bankRun(110))
	want := filepath.Join(dir, "result.json") + ": cannot be written: no space left on device " +
		"(missing now: result.json, trace.json, report.html, history.edn); make room there and the permission to write, or take another folder (simrun run --out)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Error("the cause is lost")
	}
	left := files(t, dir)
	if len(left) != 2 || left[FilePlan] != bankPlan || left[FileHistory] == "" {
		t.Errorf("plan and history should have stayed, and nothing else: %d files", len(left))
	}
}

func TestFullDiskWhileStreaming(t *testing.T) {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	stream := &historyStream{name: "out/bank-7/history.jsonl", file: file}
	rec := history.NewRecorder(history.Header{Scenario: "bank"}, stream)
	if err := rec.Err(); err == nil || !strings.Contains(err.Error(), "out/bank-7/history.jsonl: cannot be written: no space left on device; make room") {
		t.Errorf("got %v", err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Create(filepath.Join(file, "bank-7"), "")
	want := filepath.Join(file, "bank-7") + ": the folder cannot be made: not a directory; choose another one (--out)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := Open(filepath.Join(file, "bank-7")).SavePlan("x"); err == nil || !strings.Contains(err.Error(), "plan.toml: cannot be written: not a directory") {
		t.Errorf("got %v", err)
	}
}
