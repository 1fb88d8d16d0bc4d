package faults_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"simrun/faults"
)

// TestParse holds the language as golden files: each line of input is parsed
// and printed again, or its error is.
func TestParse(t *testing.T) {
	datadriven.Walk(t, "testdata/parse", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "parse" {
				t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
			}
			var b strings.Builder
			for _, line := range strings.Split(d.Input, "\n") {
				f, err := faults.Parse(line)
				switch {
				case err != nil:
					fmt.Fprintf(&b, "error: %v\n", err)
				case f.String() == line:
					b.WriteString("same\n")
				default:
					fmt.Fprintln(&b, f)
				}
			}
			return b.String()
		})
	})
}

// Goal: the examples of the package's documentation are in the language, and
// every kind has one.
func TestDocumentedExamplesParse(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[faults.Kind]bool{}
	for _, k := range faults.Kinds() {
		missing[k] = true
	}
	for _, line := range strings.Split(string(text), "\n") {
		example, ok := strings.CutPrefix(line, "//\tat ")
		if !ok {
			continue
		}
		f, err := faults.Parse("at " + example)
		if err != nil {
			t.Error(err)
			continue
		}
		delete(missing, f.Kind)
	}
	for k := range missing {
		t.Errorf("the documentation shows no %v", k)
	}
}

// Goal: enums are complete: every value has a name of its own, which parses
// back, and no value beyond has one.
func TestEnumsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range faults.Kinds() {
		name := k.String()
		if strings.Contains(name, "(") || seen[name] {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[name] = true
		parsed, err := faults.ParseKind(name)
		if err != nil || parsed != k {
			t.Errorf("%q parses to %v, %v", name, parsed, err)
		}
	}
	last := faults.Kinds()[len(faults.Kinds())-1]
	if name := (last + 1).String(); !strings.Contains(name, "(") {
		t.Errorf("kind %q is missing from Kinds", name)
	}
	for _, name := range []string{
		faults.TargetMergeTarget.String(), faults.Write.String(), faults.Skipped.String(),
	} {
		if strings.Contains(name, "(") {
			t.Errorf("the last value of an enum has no name: %s", name)
		}
	}
	for _, name := range []string{
		(faults.TargetMergeTarget + 1).String(), (faults.Write + 1).String(), (faults.Skipped + 1).String(),
	} {
		if !strings.Contains(name, "(") {
			t.Errorf("%q stands after what the test takes for the last value", name)
		}
	}
}

// Goal: a fault prints and parses back to itself.
func TestPrintParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFault(t)
		text := f.String()
		parsed, err := faults.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if !parsed.Equal(f) {
			t.Fatalf("%q parses to %+v, was %+v", text, parsed, f)
		}
		if err := f.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

// Goal: Validate refuses what the text cannot hold.
func TestValidate(t *testing.T) {
	good, err := faults.Parse("at 1s kill store1 for 1s")
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*faults.Fault){
		"a negative instant":      func(f *faults.Fault) { f.At = -1 },
		"a negative duration":     func(f *faults.Fault) { f.For = -1 },
		"no kind":                 func(f *faults.Fault) { f.Kind = 0 },
		"a kind beyond":           func(f *faults.Fault) { f.Kind = 200 },
		"no target":               func(f *faults.Fault) { f.Targets = nil },
		"a name with a space":     func(f *faults.Fault) { f.Targets = []faults.Target{faults.Node("a b")} },
		"a reserved name":         func(f *faults.Fault) { f.Targets = []faults.Target{faults.Node("placement")} },
		"a name and a key":        func(f *faults.Fault) { f.Targets[0].Key = "k" },
		"a target of no kind":     func(f *faults.Fault) { f.Targets = []faults.Target{{}} },
		"a field of another kind": func(f *faults.Fault) { f.Drift = 1 },
		"peers":                   func(f *faults.Fault) { f.Peers = []faults.Target{faults.Node("a")} },
		"within without at-op":    func(f *faults.Fault) { f.Within = time.Second },
		"a duration of a jump":    func(f *faults.Fault) { f.Kind, f.Jump = faults.ClockJump, 1 },
	} {
		f := good
		f.Targets = append([]faults.Target(nil), good.Targets...)
		spoil(&f)
		if f.Validate() == nil {
			t.Errorf("%s passes: %v", name, f)
		}
	}
}

// FuzzParse checks that no text makes the parser panic, that errors have a
// column within the line, and that what parses prints in a form that is a
// fixed point.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"at 1.5s partition store1,client2 | store2,store3 for 800ms",
		`at 2s isolate leader("a\x00b") for 1s`,
		"at 2s network loss 5% duplicate 2% reorder 0.5% latency 20ms on a -> b for 2s",
		"at 3s power-loss store2 at-op 17 within 1s for 400ms",
		"at 4s clock-drift store1 +2000ppm",
		"at 5s disk-error store1 read 3",
		"at 5s disk-slow store2 x20 for 1s",
		"at 6s split k0042",
		"at",
		`at 1s split "`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		parsed, err := faults.Parse(line)
		if err != nil {
			var wrong *faults.ParseError
			if !errors.As(err, &wrong) || wrong.Column < 1 || wrong.Column > len(line)+1 || wrong.Message == "" {
				t.Fatalf("%q: %+v", line, err)
			}
			return
		}
		text := parsed.String()
		again, err := faults.Parse(text)
		if err != nil || !again.Equal(parsed) || again.String() != text {
			t.Fatalf("%q prints as %q, which parses to %+v, %v", line, text, again, err)
		}
	})
}
