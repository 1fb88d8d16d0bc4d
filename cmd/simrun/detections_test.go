package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"simrun/scenarios/planted"
)

// detectionOf is what a hunt for a bug may have found.
func detectionOf(id string, seeds int) detection {
	return detection{
		bug:   &planted.Bug{ID: id, Layer: "raft", About: "what", Reference: "like", Scenario: "register"},
		found: true, seed: uint64(seeds), seeds: seeds, cpu: 1500 * time.Millisecond, signature: "raft not-durable",
	}
}

// A row is replaced, one is new, the others and the text around them stay to the
// letter; and a second time changes nothing.
func TestUpdateDetections(t *testing.T) {
	around := func(rows ...string) string {
		return "# Mine\n\nP02 takes a plan.\n\n" + tableBegin + "\n" + strings.Join(slices.Concat(tableHead, rows), "\n") +
			"\n" + tableEnd + "\n\nWhat the search lacks:\n| P01 | by hand |\n"
	}
	const (
		p01    = "| P01 | raft | what | like | register | 7 | 1.5 | raft not-durable |"
		p02    = "| P02 | raft | by hand | like | plan | by its plan | - | raft \\| lost |"
		p09b   = "| P09b | raft | what | like | plan late-lock | 5 | 1.5 | raft not-durable |"
		missed = "| P09 | raft | what | like | register | 30 | 1.5 | **not found** |"
	)
	byPlan := detectionOf("P09b", 5)
	byPlan.bug.Plan = "late-lock"
	lost := detectionOf("P09", 30)
	lost.found = false
	file := filepath.Join(t.TempDir(), "table.md")
	before := around("| P09 | raft | old |", "", p02, strings.Replace(p01, "| 7 |", "| 700 |", 1))
	if err := os.WriteFile(file, []byte(before), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := updateDetections(file, []detection{byPlan, detectionOf("P01", 7), lost}, 30); err != nil {
			t.Fatal(err)
		}
		if got, want := readText(t, file), around(p01, p02, missed, p09b); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(filepath.Dir(file)); err != nil || len(files) != 1 {
		t.Errorf("%d files are left: %v", len(files), err)
	}
}

// The file is the same however the bugs are divided among updates and in
// whatever order they are found.
func TestUpdateDetectionsInAnyOrder(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"K01", "K16", "P01", "P09", "P09b", "P10", "P10b", "P33"}), 1, 8, rapid.ID).Draw(t, "ids")
		var all []detection
		for i, id := range ids {
			all = append(all, detectionOf(id, i+1))
		}
		n++
		once, parts := filepath.Join(dir, fmt.Sprintf("%d-once.md", n)), filepath.Join(dir, fmt.Sprintf("%d-parts.md", n))
		if err := updateDetections(once, all, 10); err != nil {
			t.Fatal(err)
		}
		for _, d := range rapid.Permutation(all).Draw(t, "order") {
			older := d
			older.seeds += 100
			if err := updateDetections(parts, []detection{older, d}, 10); err != nil {
				t.Fatal(err)
			}
		}
		a, errA := os.ReadFile(once)
		b, errB := os.ReadFile(parts)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Fatalf("%s\n%v\n%s\n%v", a, errA, b, errB)
		}
	})
}

// What is wrong with a file is told in one line, and the file stays.
func TestUpdateDetectionsErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no begin", "text\n" + tableEnd + "\n", "table.md lacks the line " + tableBegin},
		{"no end", "text\n" + tableBegin + "\n", "table.md lacks the line " + tableEnd},
		{"no end of the last line", "text\n" + tableBegin, "table.md lacks the line " + tableEnd},
		{"wrong order", tableEnd + "\n" + tableBegin + "\n", "table.md lacks the line " + tableEnd},
		{"within a line", "see " + tableBegin + "\n" + tableEnd + "\n", "table.md lacks the line " + tableBegin},
		{"empty", "", "table.md lacks the line " + tableBegin},
		{"prose", "\n" + tableBegin + "\n\nP01 is special.\n" + tableEnd + "\n", "table.md:4: this is no row of a planted bug"},
		{"twice", tableBegin + "\n| P01 | a |\n| P02 | a |\n| P01 | b |\n" + tableEnd + "\n", "table.md:4: P01 has two rows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "table.md")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := updateDetections(file, []detection{detectionOf("P01", 7)}, 10)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if got := readText(t, file); got != c.text {
				t.Errorf("the file has become\n%s", got)
			}
		})
	}
}

// Lines may end as they do on other systems.
func TestParsePageCRLF(t *testing.T) {
	text := "mine\r\n" + tableBegin + "\r\n| P01 | a |\r\n" + tableEnd + "\r\nmine too\r\n"
	p, err := parsePage("table.md", text)
	if err != nil || p.rows["P01"] != "| P01 | a |" || !strings.HasSuffix(p.before, "-->\r\n") || !strings.HasSuffix(p.after, "mine too\r\n") {
		t.Errorf("%+v, %v", p, err)
	}
}

// The project's own table is one that the command can update, and says of each
// bug what its patch says.
func TestDetectionsOfTheProject(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "detection.md")
	p, err := parsePage(file, readText(t, file))
	if err != nil {
		t.Fatal(err)
	}
	bugs, err := planted.All()
	if err != nil {
		t.Fatal(err)
	}
	for id, row := range p.rows {
		i := slices.IndexFunc(bugs, func(b *planted.Bug) bool { return b.ID == id })
		if i < 0 {
			t.Errorf("%s has a row and no patch", id)
			continue
		}
		if want := fmt.Sprintf("| %s | %s | %s | %s | ", id, bugs[i].Layer, bugs[i].About, bugs[i].Reference); !strings.HasPrefix(row, want) {
			t.Errorf("the patch of %s has changed since it was measured:\n  %s\n  %s", id, row, want)
		}
	}
}

// A plan is run under the seeds that a hunt gives it, and keeps its own.
func TestPlanUnderSeeds(t *testing.T) {
	src, err := findSource(filepath.Join("..", "..", "scenarios", "regressions", "kill-before-durable.toml"))
	if err != nil {
		t.Fatal(err)
	}
	own := src.plan.Seed
	p := src.under(own + 6)
	if p.Seed != own+6 || src.plan.Seed != own {
		t.Errorf("seed %d of a plan with seed %d, which is %d now", p.Seed, own, src.plan.Seed)
	}
	p.Seed = own
	if p.String() != src.plan.String() {
		t.Error("the plans differ in more than the seed")
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
