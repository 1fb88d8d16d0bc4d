package simrun_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A test that is called by its name may move or get another one, and go test is
// content with none. So every command of the Makefile and of continuous integration
// that names tests has to name one of its package.
func TestCommandsNameTests(t *testing.T) {
	command := regexp.MustCompile(`test .*-run (\w+) (\./\S+|\.)`)
	n := 0
	for _, file := range []string{"Makefile", filepath.Join(".ci", "run")} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			n++
			if !hasTest(t, m[2], m[1]) {
				t.Errorf("%s runs test %s in %s, where there is none", file, m[1], m[2])
			}
		}
	}
	if n < 2 {
		t.Errorf("%d commands that name tests were found: the Makefile has two", n)
	}
}

// hasTest reports whether a package has a test that go test -run name takes.
func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?m)^func Test\w*\(`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(function.FindAllString(string(text), -1), func(f string) bool { return strings.Contains(f, name) }) {
			return true
		}
	}
	return false
}
