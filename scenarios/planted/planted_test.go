package planted

import (
	"encoding/json"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"simrun/scenarios"
)

// root is the module's, seen from this package.
const root = "../.."

// Every planted bug must still be one: its change applies to the code as it
// is, and what comes out is Go that differs from the original.
func TestEveryBugApplies(t *testing.T) {
	bugs, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(bugs) == 0 {
		t.Fatal("there are no planted bugs")
	}
	for _, b := range bugs {
		t.Run(b.ID, func(t *testing.T) {
			description, err := b.Overlay(root, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			replaced := readOverlay(t, description)
			if len(replaced) != len(b.Files()) {
				t.Fatalf("the overlay replaces %d files, the bug changes %v", len(replaced), b.Files())
			}
			for original, replacement := range replaced {
				before, after := read(t, original), read(t, replacement)
				if before == after {
					t.Errorf("%s is not changed", original)
				}
				if _, err := format.Source([]byte(after)); err != nil {
					t.Errorf("%s is no Go any more: %v", original, err)
				}
			}
		})
	}
}

// The header is what the table of detections is made of.
func TestEveryHeaderIsTrue(t *testing.T) {
	bugs, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bugs {
		if _, err := scenarios.Find(b.Scenario); err != nil {
			t.Errorf("%s: %v", b.ID, err)
		}
		if file := b.PlanFile(root); file != "" {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", b.ID, err)
			}
		}
		for _, value := range []string{b.Layer, b.Reference, b.DetectedBy, b.About} {
			if strings.Contains(value, "|") {
				t.Errorf("%s: %q would break the table", b.ID, value)
			}
		}
	}
}

func TestSelect(t *testing.T) {
	all, err := Select(nil)
	if err != nil || len(all) < 9 {
		t.Fatalf("all bugs: %d, %v", len(all), err)
	}
	for i := range all[1:] {
		if all[i].ID >= all[i+1].ID {
			t.Errorf("%s comes before %s", all[i].ID, all[i+1].ID)
		}
	}
	two, err := Select([]string{"P22", "K01"})
	if err != nil || len(two) != 2 || two[0].ID != "P22" || two[1].ID != "K01" {
		t.Errorf("P22 and K01: %v, %v", idsOf(two), err)
	}
	if _, err := Select([]string{"P99"}); err == nil || !strings.Contains(err.Error(), "no planted bug P99; there are K01, ") {
		t.Errorf("an unknown id: %v", err)
	}
}

func TestOverlayOfAbsentFile(t *testing.T) {
	b, err := Parse("X1.patch", []byte(patchOf("nodes/absent.go", "-a\n+b\n", "@@ -1,1 +1,1 @@")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Overlay(root, t.TempDir()); err == nil || !strings.Contains(err.Error(), "bug X1 no longer applies: open ") {
		t.Errorf("error is %v", err)
	}
}

func readOverlay(t *testing.T, name string) map[string]string {
	t.Helper()
	var overlay struct{ Replace map[string]string }
	if err := json.Unmarshal([]byte(read(t, name)), &overlay); err != nil {
		t.Fatal(err)
	}
	return overlay.Replace
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
