package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"simrun/reports"
	"simrun/scenarios"
	"simrun/scenarios/runner"
)

// The verdict that README shows is what the command prints, line by line, but for the
// wall time, the program's version and the commands at its end.
func TestReadmeShowsTheVerdict(t *testing.T) {
	file := filepath.Join("..", "..", "README.md")
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)    OK  bank, seed 7\n.*?      trace +[0-9a-f]{16}\n`).FindString(string(readme))
	wall := regexp.MustCompile(`; \S+ of wall time\n`)
	shown := regexp.MustCompile(`(?m)^    `).ReplaceAllString(wall.ReplaceAllString(block, "\n"), "")
	printed := verdictOf(t, "bank", 7)
	if shown == printed {
		return
	}
	if *rewriteReadme && block != "" {
		indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(printed, "    $1")
		indented = strings.Replace(indented, " events\n", " events"+wall.FindString(block), 1)
		if err := os.WriteFile(file, []byte(strings.Replace(string(readme), block, indented, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("README shows (rewrite with go test ./cmd/simrun -run Readme -args -rewrite)\n%s\nand the command prints\n%s", shown, printed)
}

// The picture in README shows the run of the verdict above it. Rewriting the verdict
// does not make it so: the comment that names the picture's trace is written by make
// picture, which draws the picture.
func TestReadmePictureShowsTheVerdict(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	verdict := regexp.MustCompile(`(?m)^ {6}trace +([0-9a-f]{16})$`).FindSubmatch(readme)
	picture := regexp.MustCompile(`\(docs/report\.png\)\n\n<!-- report\.png: trace ([0-9a-f]{16}) -->\n`).FindSubmatch(readme)
	if verdict == nil || picture == nil {
		t.Fatal("README names no trace of its verdict, or none of its picture")
	}
	if string(verdict[1]) != string(picture[1]) {
		t.Errorf("README has the verdict of trace %s and the picture of trace %s: draw the picture anew with make picture, which needs chromium",
			verdict[1], picture[1])
	}
}

// What README says of the planted bugs is what the table in docs/detection.md says.
func TestReadmeCountsThePlantedBugs(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(filepath.Join("..", "..", "docs", "detection.md"))
	if err != nil {
		t.Fatal(err)
	}
	bugs, first, within, slowest, plans := 0, 0, 0, 0, 0
	form := regexp.MustCompile(`(?m)^\| [KP]\d+b? \|.* \| (plan )?[a-z-]+ \| (\d+) \| [0-9.]+ \| [^|]+ \|$`)
	for _, row := range form.FindAllStringSubmatch(string(table), -1) {
		var seeds int
		if seeds, err = strconv.Atoi(row[2]); err != nil {
			t.Fatal(err)
		}
		bugs++
		slowest = max(slowest, seeds)
		if seeds == 1 {
			first++
		}
		if seeds <= 100 {
			within++
		}
		if row[1] != "" {
			plans++
		}
	}
	if n := strings.Count(string(table), "\n| K") + strings.Count(string(table), "\n| P"); n != bugs {
		t.Errorf("docs/detection.md has %d rows of bugs, and %d of them are of the form that is counted", n, bugs)
	}
	if strings.Contains(string(table), "| **not found** |") {
		t.Error("README says that hunts have found each of the bugs, and docs/detection.md has one that was not found")
	}
	words := strings.Join(strings.Fields(string(readme)), " ")
	for _, want := range []string{
		fmt.Sprintf("It finds bugs. %d bugs are planted", bugs),
		fmt.Sprintf("%d with the first seed, %d within 100 seeds, the slowest after %d.", first, within, slowest),
		fmt.Sprintf("%d of them need a hand-written plan", plans),
	} {
		if !strings.Contains(words, want) {
			t.Errorf("README does not say what docs/detection.md says: %s", want)
		}
	}
}

var rewriteReadme = flag.Bool("rewrite", false, "write the verdict in README.md anew")

// verdictOf returns what is told of a seed, up to the trace.
func verdictOf(t *testing.T, scenario string, seed uint64) string {
	t.Helper()
	s, err := scenarios.Find(scenario)
	if err != nil {
		t.Fatal(err)
	}
	p := s.Plan(seed)
	o, err := runner.Run(p, runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := reports.WriteText(&out, &reports.Run{Plan: p.String(), History: o.History, Result: o.Result}, reports.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	printed, _, _ := strings.Cut(out.String(), "\n\n  run it again:")
	return printed + "\n"
}
