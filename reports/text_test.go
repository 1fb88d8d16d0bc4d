package reports

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"simrun/checker"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares with a file under testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (rewrite with go test ./reports -rewrite, and read the change)\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func verdictText(t *testing.T, run *Run, opts TextOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WriteText(&out, run, opts); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The verdict is what most people see of a run: each file is one of the ways
// in which a run can end.
func TestTextGolden(t *testing.T) {
	t.Run("violation", func(t *testing.T) {
		golden(t, "violation.txt", verdictText(t, bankRun(110), TextOptions{Folder: "out/bank-7"}))
	})
	t.Run("without a history", func(t *testing.T) {
		run := bankRun(110)
		run.History = nil
		golden(t, "violation-ids.txt", verdictText(t, run, TextOptions{MaxFindings: 1, Width: 72}))
	})
	t.Run("no fault took effect", func(t *testing.T) {
		run := quietRun()
		for i := range run.Result.Stats.Faults {
			run.Result.Stats.Faults[i].Effective = 0
		}
		golden(t, "no-effect.txt", verdictText(t, run, TextOptions{}))
	})
	t.Run("nothing happened", func(t *testing.T) {
		r := &Result{Scenario: "register", Seed: 1 << 63, Command: "simrun run my.toml"}
		r.Conclude()
		golden(t, "nothing.txt", verdictText(t, &Run{Result: r}, TextOptions{Folder: "out/a b"}))
	})
	t.Run("unknown", func(t *testing.T) {
		run := quietRun()
		run.Result.Checkers[1].Undecided("2 of 12 keys not decided within 1m0s, the first is \"k3\"")
		run.Result.Conclude()
		golden(t, "unknown.txt", verdictText(t, run, TextOptions{}))
	})
}

// quietRun is a run in which nothing was found.
func quietRun() *Run {
	run := bankRun(110)
	for i := range run.Result.Checkers {
		c := &run.Result.Checkers[i]
		c.Verdict, c.Findings, c.Observations = checker.OK, nil, nil
	}
	run.Result.Conclude()
	return run
}

// Each evidence operation costs lines: a finding with hundreds must not scroll
// the rest away, and what is left out is counted.
func TestTextBounds(t *testing.T) {
	run := bankRun(110)
	c := &run.Result.Checkers[0]
	for range 30 {
		f := c.Findings[0]
		f.Evidence = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
		c.Add(f)
	}
	text := string(verdictText(t, run, TextOptions{MaxFindings: 2, MaxEvidence: 4}))
	for _, want := range []string{"and 6 more operations", "and 30 more findings."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("line of more than 100 characters: %q", line)
		}
	}
}

func TestTextColor(t *testing.T) {
	text := string(verdictText(t, quietRun(), TextOptions{Color: true}))
	if !strings.HasPrefix(text, "\x1b[1;32mOK\x1b[0m") {
		t.Errorf("a green OK was expected: %q", text[:20])
	}
}

func TestSignature(t *testing.T) {
	if got, want := bankRun(110).Result.Signature(), "VIOLATION isolation G-single"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := quietRun().Result.Signature(), "OK"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFigures(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -999: "-999"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
	for ns, want := range map[int64]string{0: "0.000000s", 1_234_567_890: "1.234567s", -1_500_000_000: "-1.500000s"} {
		if got := seconds(ns); got != want {
			t.Errorf("seconds(%d) = %q, want %q", ns, got, want)
		}
	}
	for n, want := range map[uint64]string{9999: "9,999 bytes", 10_240: "10 KiB", 1 << 40: "1,024 GiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("byteSize(%d) = %q, want %q", n, got, want)
		}
	}
	for path, want := range map[string]string{"out/bank-7": "out/bank-7", "it's": `'it'\''s'`, "": "''", "a b": "'a b'"} {
		if got := shellQuoted(path); got != want {
			t.Errorf("shellQuoted(%q) = %q, want %q", path, got, want)
		}
	}
}
