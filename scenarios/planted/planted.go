// Package planted holds bugs that are planted into the database on purpose, to
// prove that the simulator and its checkers find them.
//
// The database's own code stays clean: a planted bug is a patch file with a
// header, and the program that has the bug is built from a patched copy of the
// files that it touches, through the -overlay flag of the go command.
//
//	bugs, err := planted.All()
//	err = bugs[0].Build(root, "/tmp/simrun-P03")
//
// The format of a patch file: lines "# key: value" for id, layer, reference,
// detected-by, scenario and about, then a unified diff with paths relative to
// the root of the module. Goals: a person can read it, and a patch that no
// longer applies is an error, not a bug that is silently absent. No goal: fuzzy
// matching; whoever changes the lines that a bug touches changes the bug.
package planted

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

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
	diff       []byte
}

// All returns all planted bugs, sorted by id.
func All() ([]*Bug, error) {
	entries, err := patches.ReadDir("patches")
	if err != nil {
		return nil, err
	}
	var bugs []*Bug
	for _, e := range entries {
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
	slices.SortFunc(bugs, func(a, b *Bug) int { return strings.Compare(a.ID, b.ID) })
	return bugs, nil
}

// Parse reads a patch file. An error names the file and the line.
func Parse(file string, text []byte) (*Bug, error) {
	b := &Bug{}
	fields := map[string]*string{
		"id": &b.ID, "layer": &b.Layer, "reference": &b.Reference,
		"detected-by": &b.DetectedBy, "scenario": &b.Scenario, "about": &b.About,
	}
	rest := text
	for line := 1; ; line++ {
		head, tail, _ := bytes.Cut(rest, []byte("\n"))
		if !bytes.HasPrefix(head, []byte("# ")) {
			break
		}
		key, value, ok := strings.Cut(string(head[2:]), ": ")
		field := fields[key]
		if !ok || field == nil {
			return nil, fmt.Errorf("%s:%d: %q is not one of the header's lines (id, layer, reference, detected-by, scenario, about)", file, line, head)
		}
		*field = strings.TrimSpace(value)
		rest = tail
	}
	for _, key := range []string{"id", "layer", "reference", "detected-by", "scenario", "about"} {
		if *fields[key] == "" {
			return nil, fmt.Errorf("%s: the header lacks %q: add a line \"# %s: ...\"", file, key, key)
		}
	}
	b.diff = rest
	return b, nil
}

// Overlay writes the patched copies of the files that the bug touches into dir,
// and the description of the overlay that the go command reads; it returns the
// description's path. root is the module's root.
func (b *Bug) Overlay(root, dir string) (string, error) {
	files, _, err := gitdiff.Parse(bytes.NewReader(b.diff))
	if err != nil {
		return "", fmt.Errorf("bug %s: the patch does not parse: %w", b.ID, err)
	}
	if len(files) == 0 {
		return "", fmt.Errorf("bug %s: the patch changes no file", b.ID)
	}
	replace := map[string]string{}
	for i, f := range files {
		original := filepath.Join(root, filepath.FromSlash(f.NewName))
		patched, err := apply(original, f)
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

func apply(original string, f *gitdiff.File) ([]byte, error) {
	source, err := os.Open(original)
	if err != nil {
		return nil, err
	}
	defer source.Close() //nolint:errcheck // only read
	var out bytes.Buffer
	if err := gitdiff.Apply(&out, source, f); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Build builds the program with the bug in it.
func (b *Bug) Build(root, output string) error {
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
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", output, "./cmd/simrun") //nolint:gosec // its arguments are ours
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("bug %s does not build: %w\n%s", b.ID, err, out)
	}
	return nil
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
			return nil, errors.New("no planted bug " + id + "; there are " + strings.Join(idsOf(all), ", "))
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
