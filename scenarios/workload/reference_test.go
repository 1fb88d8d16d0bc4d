package workload

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Goal: docs/plans.md tells of every workload which APIs serve it, and of every
// parameter what it is by default and in which range, and of no others.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "plans.md"))
	if err != nil {
		t.Fatal(err)
	}
	var told, want []string
	for _, m := range regexp.MustCompile("(?m)^(\\| `[a-z-]+` \\| (?:(?:raw|txn|raft)[a-z, ]*|`[a-z-]+` \\| \\d+ \\| \\d+ to \\d+) \\|) [A-Z0-9]").FindAllStringSubmatch(string(text), -1) {
		told = append(told, m[1])
	}
	for _, k := range kinds() {
		apis := ""
		for i, api := range k.apis {
			if i > 0 {
				apis += ", "
			}
			apis += string(api)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s |", k.name, apis))
		for _, p := range k.params {
			want = append(want, fmt.Sprintf("| `%s` | `%s` | %d | %d to %d |", k.name, p.name, p.byDefault, p.min, p.max))
		}
	}
	for _, row := range want {
		if !slices.Contains(told, row) {
			t.Errorf("docs/plans.md lacks a row %s", row)
		}
	}
	for _, row := range told {
		if !slices.Contains(want, row) {
			t.Errorf("docs/plans.md has the row %s, of which there is nothing", row)
		}
	}
}
