package checker_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"simrun/checker"
	"simrun/sim/history/jepsen"
)

// corpora is where histories of other projects, with known verdicts, lie beside
// a checkout. They are not part of the project.
const corpora = "../../shared/corpora"

// verdicts reads the second column of a folder's VERDICTS.tsv.
func verdicts(t *testing.T, folder string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(corpora, folder, "VERDICTS.tsv"))
	if os.IsNotExist(err) {
		t.Skipf("%s is not here", folder)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if file, verdict, ok := strings.Cut(lines.Text(), "\t"); ok && file != "file" {
			verdict, _, _ = strings.Cut(verdict, "\t")
			out[file] = verdict
		}
	}
	return out
}

// judge checks one file as the command does.
func judge(t *testing.T, path string, want checker.Verdict) {
	t.Helper()
	h, err := jepsen.Open(path)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	results := checker.History(h, checker.Options{})
	if got := checker.Of(results); got != want {
		t.Errorf("%s: %v, want %v: %+v", path, got, want, results)
	}
}

// TestCorporaLinear holds the linearizability checker to the verdicts of others.
func TestCorporaLinear(t *testing.T) {
	want := map[string]checker.Verdict{
		"linearizable": checker.OK, "ok": checker.OK,
		"not-linearizable": checker.Violation, "bad": checker.Violation,
	}
	for _, folder := range []string{"lin-register/porcupine-etcd", "lin-register/porcupine-kv"} {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			for file, v := range verdicts(t, folder) {
				w, ok := want[v]
				if !ok {
					t.Fatalf("verdict %q is unknown", v)
				}
				judge(t, filepath.Join(corpora, folder, file), w)
			}
		})
	}
}

// TestCorporaKnossos: the verdict is the folder's name.
func TestCorporaKnossos(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpora, "lin-register/knossos/*/*.edn"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the histories are not here")
	}
	for _, file := range files {
		want := checker.OK
		if strings.HasSuffix(filepath.Dir(file), "-bad") {
			want = checker.Violation
		}
		judge(t, file, want)
	}
}

// TestCorporaBank: reads of all accounts must add up to one total.
func TestCorporaBank(t *testing.T) {
	for file, v := range verdicts(t, "bank") {
		want := checker.Violation
		if strings.HasPrefix(v, "valid") {
			want = checker.OK
		}
		judge(t, filepath.Join(corpora, "bank", file), want)
	}
}
