package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is also the program: called as simrun it is simrun, in the
// scripts as in the tests that start processes.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"simrun":     main,
		"fakeworker": fakeWorker,
	})
}

// Every command as people use it, in testdata/script. Each script begins in a
// folder with tiny.toml, a scenario of a second.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			root, err := filepath.Abs(filepath.Join("..", ".."))
			if err != nil {
				return err
			}
			e.Setenv("ROOT", root)
			keepGo(e)
			text, err := os.ReadFile(filepath.Join("testdata", "tiny.toml"))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(e.WorkDir, "tiny.toml"), text, 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    scriptExits,
			"replace":  scriptReplace,
			"truncate": scriptTruncate,
			"lines":    scriptLines,
		},
	})
}

// keepGo lets the go command find its caches, which lie below the home folder
// that a script does not have.
func keepGo(e *testscript.Env) {
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		return // then no script that builds can run, and says so
	}
	lines := strings.Split(string(out), "\n")
	e.Setenv("GOCACHE", strings.TrimSpace(lines[0]))
	e.Setenv("GOMODCACHE", strings.TrimSpace(lines[1]))
}

// scriptExits runs a command that must end with the given status: exits 3 simrun ...
func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with status %d, not %d", strings.Join(args[1:], " "), got, want)
	}
}

// scriptReplace changes the first occurrence of a text in a file: replace FILE
// OLD NEW. In the new text \n is a line break.
func scriptReplace(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	replacement := strings.ReplaceAll(args[2], `\n`, "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], replacement, 1)), 0o600))
}

// scriptTruncate cuts bytes off the end of a file: truncate FILE BYTES.
func scriptTruncate(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), int64(len(ts.ReadFile(args[0]))-n)))
}

// scriptLines demands a number of lines: lines 1 stderr. One clear error is one
// line.
func scriptLines(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := ts.ReadFile(args[1])
	if got := strings.Count(text, "\n"); got != want {
		ts.Fatalf("%s has %d lines, not %d:\n%s", args[1], got, want, text)
	}
}

func TestParseSeeds(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // the number of seeds, or what the error contains
	}{
		{"7", "1"},
		{"1-100", "100"},
		{"3,7,20-30", "13"},
		{"18446744073709551614-18446744073709551615", "2"},
		{"0-9999999", "10000000"},
		{"", `"" is neither a seed nor a range`},
		{"x", `"x" is neither`},
		{"-3", `"-3" is neither`},
		{"3-", `"3-" is neither`},
		{"1,,2", `"" is neither`},
		{"1 - 3", `"1 - 3" is neither`},
		{"18446744073709551616", `"18446744073709551616" is too large; the largest seed is 18446744073709551615`},
		{"1-99999999999999999999", "is too large"},
		{"9-1", "the range 9-1 is empty"},
		{"0-18446744073709551615", "more than 10000000 seeds"},
		{"1-6000000,1-6000000", "more than 10000000 seeds"},
	} {
		seeds, err := parseSeeds(c.text)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "--seeds "+strconv.Quote(c.text)) {
				t.Errorf("%q: got error %v, want %q", c.text, err, c.want)
			}
			continue
		}
		if got := strconv.Itoa(len(seeds)); got != c.want {
			t.Errorf("%q: got %s seeds, want %s", c.text, got, c.want)
		}
	}
}

// A run goes where no other kind of run goes, and the command that runs it
// again can be pasted.
func TestSourceNames(t *testing.T) {
	p := tinyPlan(t)
	for _, c := range []struct {
		src             source
		folder, command string
	}{
		{source{name: "bank"}, "out/bank-7", "simrun run bank --seed 7"},
		{source{name: "my/own bank.toml"}, "out/own bank-7", "simrun run 'my/own bank.toml' --seed 7"},
		{source{name: "out/bank-7/plan.toml", plan: p}, "out/bank-7-plan", "simrun run out/bank-7/plan.toml"},
		{source{name: "out/bank-7/shrunk.toml", plan: p}, "out/bank-7-shrunk", "simrun run out/bank-7/shrunk.toml"},
		{source{name: "plan.toml", plan: p}, "out/plan", "simrun run plan.toml"},
		{source{name: "../plan.toml", plan: p}, "out/plan", "simrun run ../plan.toml"},
		{source{name: "it's.txt", plan: p}, "out/it's", `simrun run 'it'\''s.txt'`},
	} {
		if got := c.src.folder(7); got != filepath.FromSlash(c.folder) {
			t.Errorf("%s goes to %s, want %s", c.src.name, got, c.folder)
		}
		if got := c.src.command(7); got != c.command {
			t.Errorf("%s is run by %s, want %s", c.src.name, got, c.command)
		}
	}
	// A plan under another seed is another run.
	other := source{name: "out/bank-7/plan.toml", plan: p}
	if got := other.folder(8); got != filepath.FromSlash("out/bank-7-plan-8") {
		t.Errorf("under another seed it goes to %s", got)
	}
	if got := other.commandTo("shrink", 8); got != "simrun shrink out/bank-7/plan.toml --seed 8" {
		t.Errorf("under another seed it is shrunk by %s", got)
	}
}
