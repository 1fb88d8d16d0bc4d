// Package planted holds bugs that are planted into the database on purpose, to
// prove that the simulator and its checkers find them.
//
// The database's own code stays clean: a planted bug is a patch file with a
// header, and the program that has the bug is built from a patched copy of the
// files that it touches, through the -overlay flag of the go command.
//
//	bugs, err := planted.All()
//	err = bugs[0].Build(ctx, root, "/tmp/simrun-P03")
//
// The format of a patch file: lines "# key: value" for id, layer, reference,
// detected-by, scenario and about, and plan if the bug takes a plan that was
// written for it, then a unified diff with paths relative to the root of the
// module after "a/" and "b/".
//
// Goals: a person can read it; it survives changes elsewhere in the file, for
// its place is found by the lines it shows, not by their numbers; and a patch
// that no longer applies is an error, not a bug that is silently absent.
// No goal: lines that differ from those shown. Whoever changes the lines that a
// bug touches changes the bug.
package planted

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

//go:embed patches/*.patch
var patches embed.FS

// Bug is one planted bug.
type Bug struct {
	ID         string // such as P03, or K01 for one that is not from the catalogue
	Layer      string // of the stack
	Reference  string // the real bug that it is like
	DetectedBy string // what should find it
	Scenario   string // in which it should be found
	About      string // what was changed, in a sentence
	// Plan is what finds the bug if seeds of its scenario do not, or only by luck: the
	// name of a plan among the scenarios' regressions, without its ending. Mostly "".
	Plan string

	// files are the changes, at least one, each to another file.
	files []*gitdiff.File
}

// All returns all planted bugs, sorted by id.
func All() ([]*Bug, error) {
	entries, err := patches.ReadDir("patches")
	if err != nil {
		return nil, err
	}
	var bugs []*Bug
	for _, e := range entries { // in the order of their names, which are the ids
		text, err := patches.ReadFile("patches/" + e.Name())
		if err != nil {
			return nil, err
		}
		b, err := Parse(e.Name(), text)
		if err != nil {
			return nil, err
		}
		bugs = append(bugs, b)
	}
	return bugs, nil
}

// Select returns the bugs of the given ids; without any, all.
func Select(ids []string) ([]*Bug, error) {
	all, err := All()
	if err != nil || len(ids) == 0 {
		return all, err
	}
	var chosen []*Bug
	for _, id := range ids {
		i := slices.IndexFunc(all, func(b *Bug) bool { return b.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("no planted bug %s; there are %s", id, strings.Join(idsOf(all), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func idsOf(bugs []*Bug) []string {
	var ids []string
	for _, b := range bugs {
		ids = append(ids, b.ID)
	}
	return ids
}

// PlanFile returns where the bug's plan lies, below the module's root; "" if it
// has none.
func (b *Bug) PlanFile(root string) string {
	if b.Plan == "" {
		return ""
	}
	return filepath.Join(root, "scenarios", "regressions", b.Plan+".toml")
}

// Files returns the files that the bug changes, relative to the module's root.
func (b *Bug) Files() []string {
	var names []string
	for _, f := range b.files {
		names = append(names, f.NewName)
	}
	return names
}

// Overlay writes the patched copies of the files that the bug touches into dir,
// and the description of the overlay that the go command reads; it returns the
// description's path. root is the module's root.
func (b *Bug) Overlay(root, dir string) (string, error) {
	replace := map[string]string{}
	for i, f := range b.files {
		original := filepath.Join(root, filepath.FromSlash(f.NewName))
		source, err := os.ReadFile(original)
		if err != nil {
			return "", fmt.Errorf("bug %s no longer applies: %w", b.ID, err)
		}
		patched, err := apply(source, f)
		if err != nil {
			return "", fmt.Errorf("bug %s no longer applies to %s: %w; adapt the patch", b.ID, f.NewName, err)
		}
		replacement := filepath.Join(dir, fmt.Sprintf("%d_%s", i, filepath.Base(original)))
		if err := os.WriteFile(replacement, patched, 0o600); err != nil {
			return "", err
		}
		replace[original] = replacement
	}
	description, err := json.Marshal(struct{ Replace map[string]string }{replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, description, 0o600)
}

// Build builds the program with the bug in it, until ctx ends.
func (b *Bug) Build(ctx context.Context, root, output string) error {
	return b.compile(ctx, root, "-o", output, "./cmd/simrun")
}

// Check compiles the packages that the bug changes, and links nothing: a bug changes
// what a function does, not how others call it.
func (b *Bug) Check(ctx context.Context, root string) error {
	var packages []string
	for _, f := range b.files {
		if p := "./" + filepath.ToSlash(filepath.Dir(f.NewName)); !slices.Contains(packages, p) {
			packages = append(packages, p)
		}
	}
	return b.compile(ctx, root, packages...)
}

func (b *Bug) compile(ctx context.Context, root string, args ...string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "simrun-planted-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the system's temporary directory
	overlay, err := b.Overlay(root, dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-overlay", overlay}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOTMPDIR="+dir) // else an interrupt may leave a folder of its own
	// The compilers that the go command has started end with it.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("bug %s does not build: %w\n%s", b.ID, err, out)
	}
	return nil
}
