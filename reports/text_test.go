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
		golden(t, "nothing.txt", verdictText(t, &Run{Plan: bankPlan, Result: r}, TextOptions{Folder: "out/a b"}))
	})
	t.Run("unknown", func(t *testing.T) {
		run := quietRun()
		run.Result.Checkers[1].Undecided("2 of 12 keys not decided within 1m0s, the first is \"k3\"")
		run.Result.Conclude()
		golden(t, "unknown.txt", verdictText(t, run, TextOptions{}))
	})
	t.Run("not judged", func(t *testing.T) {
		run := quietRun()
		run.Result.Checkers = append(run.Result.Checkers, checker.Result{Checker: "births"})
		run.Result.Checkers[len(run.Result.Checkers)-1].NotJudged("both splits were disturbed")
		golden(t, "not-judged.txt", verdictText(t, run, TextOptions{}))
	})
	t.Run("unrecoverable", func(t *testing.T) {
		golden(t, "unrecoverable.txt", verdictText(t, stuckRun(), TextOptions{}))
	})
}

// stuckRun is a run that got stuck.
func stuckRun() *Run {
	run := quietRun()
	r := run.Result
	r.Waits = []Wait{
		{Who: "client1", State: `has not succeeded since the storm, with a txn of timestamp 77 since 6.1s`, For: []string{`lock on "a"`}},
		{Who: "client2", State: `has not succeeded since the storm, with a read of "m" since 6.2s, which failed: region 4: no leader`, For: []string{"region 4"}},
		{Who: `lock on "a"`, State: `Put of transaction 12, whose primary is "m"`, For: []string{"region 4"}},
		{Who: "region 4", State: "peer 5 with the disk of store1 at 3.2s, peer 6 with the disk of store2 at 3.2s; of 3 voters 1 is left, which is no quorum", For: []string{"peer 5 of region 4", "peer 7 of region 4"}, Lost: true},
		{Who: "peer 5 of region 4", State: "was on the disk that store1 lost at 3.2s", Lost: true},
		{Who: "peer 7 of region 4", State: "Voter on store3, knows of no leader, term 9, log 6 to 26, committed 26, applied 26"},
		{Who: "x", State: "waits for y", For: []string{"y"}},
		{Who: "y", State: "waits for x", For: []string{"x", "y"}},
	}
	r.Checkers = append(r.Checkers, checker.Result{Checker: "liveness", Checked: 3})
	r.Checkers[len(r.Checkers)-1].Beyond("not every client was served, for the faults have destroyed what is needed: region 4")
	r.Conclude()
	return run
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
	for path, want := range map[string]string{"out/bank-7": "out/bank-7", "it's": `'it'\''s'`, "": "''", "a b": "'a b'", "commit-mode=async": "commit-mode=async"} {
		if got := ShellQuoted(path); got != want {
			t.Errorf("ShellQuoted(%q) = %q, want %q", path, got, want)
		}
	}
}
