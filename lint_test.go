package simrun_test

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guards are the linters that make up the guard.
const guards = "depguard,forbidigo,gocritic"

// The guard against nondeterminism has to bite: one that has stopped to work
// looks like clean code. The method: a module of its own, with the project's configuration and rules
// and the code under .guard, is linted. Every line of it says in a
// comment which findings it wants.
func TestGuard(t *testing.T) {
	linter, err := exec.LookPath("golangci-lint")
	if err != nil {
		t.Skip("golangci-lint is not installed; make tools installs it")
	}
	dir := t.TempDir()
	for _, file := range []string{".golangci.yml", "go.mod", "go.sum", "lint_rules.go"} {
		copyFile(t, file, filepath.Join(dir, file))
	}
	if err = os.CopyFS(dir, os.DirFS(".guard")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(linter, "run", "--enable-only", guards, "--output.json.path", "stdout", "--output.text.path", os.DevNull, "--show-stats=false", "--allow-parallel-runners", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOLANGCI_LINT_CACHE="+filepath.Join(dir, ".cache"), "GOFLAGS=-mod=mod")
	var failure strings.Builder
	cmd.Stderr = &failure
	output, err := cmd.Output() // fails, as it should: there are findings
	var report struct {
		Issues []struct {
			FromLinter string
			Pos        struct {
				Filename string
				Line     int
			}
		}
	}
	if json.Unmarshal(output, &report) != nil {
		t.Fatalf("golangci-lint: %v\n%s%s", err, failure.String(), output)
	}
	var got []string
	for _, issue := range report.Issues {
		got = append(got, fmt.Sprintf("%s:%d %s", filepath.ToSlash(issue.Pos.Filename), issue.Pos.Line, issue.FromLinter))
	}
	slices.Sort(got)
	want := wanted(t, dir)
	if len(want) == 0 {
		t.Fatal("the planted code wants nothing")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// wanted returns the findings that comments in the planted code ask for.
func wanted(t *testing.T, dir string) []string {
	t.Helper()
	quoted := regexp.MustCompile(`"(\w+)"`)
	var want []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		for _, group := range file.Comments {
			for _, comment := range group.List {
				text, found := strings.CutPrefix(comment.Text, "// want ")
				if !found {
					continue
				}
				for _, linter := range quoted.FindAllStringSubmatch(text, -1) {
					want = append(want, fmt.Sprintf("%s:%d %s", filepath.ToSlash(name), files.Position(comment.Pos()).Line, linter[1]))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	return want
}
