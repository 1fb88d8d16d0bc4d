package reports

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Goal: docs/verdict.md explains every line of a verdict and every checker. Method: the
// labels are those that the text is written with, the checkers those whose names stand
// in the packages that judge.
func TestLegend(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "verdict.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z ]+)` \\| ").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = true
	}
	for _, source := range []struct {
		files, name string
		least       int // fewer are a sign that the names are written in another way
	}{
		{"*.go", `labelled\("([a-z ]+)"|label = "([a-z ]+)"`, 15},
		{"../checker/*/*.go", `Name += "([a-z]+)"`, 15},
		{"../checker/*.go", `Name += "([a-z]+)"|Checker: "([a-z]+)"|r\.Checker = "([a-z]+)"`, 2},
		{"../scenarios/runner/*.go", `Checker: "([a-z]+)"|const [a-z]+Name = "([a-z]+)"`, 5},
		{"../scenarios/bareraft/audit.go", `CheckerName = "([a-z]+)"`, 1},
		{"../cmd/simrun/cut.go", `Name = "([a-z]+)"`, 1},
	} {
		names := namesIn(t, source.files, source.name)
		if len(names) < source.least {
			t.Errorf("%s: only %d names of %s", source.files, len(names), source.name)
		}
		for name := range names {
			if !rows[name] {
				t.Errorf("docs/verdict.md has no row of %s (%s)", name, source.files)
			}
		}
	}
}

// namesIn are what the groups of a pattern find in the files, tests left out.
func namesIn(t *testing.T, files, pattern string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	found, err := filepath.Glob(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file) // a source file of this repository
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			names[strings.Join(m[1:], "")] = true
		}
	}
	return names
}
