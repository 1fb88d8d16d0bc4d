package planted

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// Parse reads a patch file. An error names the file and, where it can be told,
// the line.
func Parse(file string, text []byte) (*Bug, error) {
	b := &Bug{}
	lines, err := b.parseHeader(file, text)
	if err != nil {
		return nil, err
	}
	if want := strings.TrimSuffix(path.Base(file), ".patch"); b.ID != want {
		return nil, fmt.Errorf("%s: the bug's id is %s, but its file's name says %s", file, b.ID, want)
	}
	// The header is blanked out, so that the lines keep their numbers.
	diff := afterLines(text, lines)
	b.files, _, err = gitdiff.Parse(strings.NewReader(strings.Repeat("\n", lines) + string(diff)))
	if err != nil {
		return nil, at(file, err)
	}
	if len(b.files) == 0 {
		return nil, fmt.Errorf("%s:%d: the patch changes no file: what follows the header should be a unified diff", file, lines+1)
	}
	seen := map[string]bool{}
	for _, f := range b.files {
		if err := checkFile(f); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if seen[f.NewName] {
			return nil, fmt.Errorf("%s: %s is changed twice", file, f.NewName)
		}
		seen[f.NewName] = true
	}
	if err := checkComplete(file, lines, diff, b.files); err != nil {
		return nil, err
	}
	return b, nil
}

// parseHeader reads the header and returns how many lines it has.
func (b *Bug) parseHeader(file string, text []byte) (lines int, err error) {
	keys := []string{"id", "layer", "reference", "detected-by", "scenario", "about"}
	fields := map[string]*string{
		"id": &b.ID, "layer": &b.Layer, "reference": &b.Reference,
		"detected-by": &b.DetectedBy, "scenario": &b.Scenario, "about": &b.About, "plan": &b.Plan,
	}
	for ; ; lines++ {
		head, tail, _ := bytes.Cut(text, []byte("\n"))
		if !bytes.HasPrefix(head, []byte("#")) {
			break
		}
		key, value, ok := strings.Cut(strings.TrimPrefix(string(head), "# "), ": ")
		field := fields[key]
		value = strings.TrimSpace(value)
		switch {
		case !ok || field == nil:
			return 0, fmt.Errorf("%s:%d: %q is not one of the header's lines (%s, plan)", file, lines+1, head, strings.Join(keys, ", "))
		case *field != "":
			return 0, fmt.Errorf("%s:%d: the header has %q twice", file, lines+1, key)
		case value == "":
			return 0, fmt.Errorf("%s:%d: %q is empty", file, lines+1, key)
		}
		*field = value
		text = tail
	}
	for _, key := range keys {
		if *fields[key] == "" {
			return 0, fmt.Errorf("%s: the header lacks %q: add a line \"# %s: ...\"", file, key, key)
		}
	}
	return lines, nil
}

// afterLines returns what follows the first n lines.
func afterLines(text []byte, n int) []byte {
	for range n {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text
}

var gitdiffLine = regexp.MustCompile(`^gitdiff: line (\d+): (.*)$`)

// at gives an error of gitdiff the form of ours.
func at(file string, err error) error {
	if m := gitdiffLine.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("%s:%s: %s", file, m[1], m[2])
	}
	return fmt.Errorf("%s: %w", file, err)
}

// checkComplete makes sure that all of the diff was understood: gitdiff passes
// over what it does not know, and a change that is left out is no bug.
func checkComplete(file string, number int, diff []byte, files []*gitdiff.File) error {
	lines := strings.SplitAfter(string(diff), "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	expect := func(prefix string, n int) error {
		if len(lines) == 0 {
			return fmt.Errorf("%s:%d: the diff ends where a line with %q should be", file, number+1, prefix)
		}
		if !strings.HasPrefix(lines[0], prefix) {
			return fmt.Errorf("%s:%d: %q should begin with %q", file, number+1, strings.TrimSpace(lines[0]), prefix)
		}
		n = min(n, len(lines))
		lines, number = lines[n:], number+n
		return nil
	}
	for _, f := range files {
		if err := expect("--- a/"+f.NewName, 1); err != nil {
			return err
		}
		if err := expect("+++ b/"+f.NewName, 1); err != nil {
			return err
		}
		for _, fragment := range f.TextFragments {
			if err := expect("@@ ", 1+len(fragment.Lines)); err != nil {
				return err
			}
		}
	}
	if len(lines) > 0 {
		return fmt.Errorf("%s:%d: %q belongs to no change", file, number+1, strings.TrimSpace(lines[0]))
	}
	return nil
}

// checkFile makes sure that a change is one to the code of the database.
func checkFile(f *gitdiff.File) error {
	// Without git's own header, gitdiff takes one of the two names for both.
	f.NewName = strings.TrimPrefix(strings.TrimPrefix(f.NewName, "a/"), "b/")
	name := f.NewName
	switch {
	case f.IsNew || f.IsDelete || f.IsCopy || f.IsRename:
		return fmt.Errorf("the patch makes, moves or deletes %q: it may only change it", name)
	case len(f.TextFragments) == 0:
		return fmt.Errorf("the patch of %q is not one of lines", name)
	case path.Clean(name) != name || !strings.HasPrefix(name, "nodes/") || path.Ext(name) != ".go":
		return fmt.Errorf("the patch changes %q: bugs are planted into Go files below nodes", name)
	}
	return nil
}
