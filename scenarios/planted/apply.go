package planted

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// apply returns source with the changes of f. The place of each is where the
// lines that it shows are, all of them and in one place only, after the change
// before it; line numbers play no part.
func apply(source []byte, f *gitdiff.File) ([]byte, error) {
	rest := strings.SplitAfter(string(source), "\n")
	var out strings.Builder
	for _, fragment := range f.TextFragments {
		before, after := sides(fragment)
		at, err := find(rest, before)
		if err != nil {
			return nil, fmt.Errorf("the change at line %d: %w", fragment.OldPosition, err)
		}
		for _, line := range slices.Concat(rest[:at], after) {
			out.WriteString(line)
		}
		rest = rest[at+len(before):]
	}
	for _, line := range rest {
		out.WriteString(line)
	}
	return []byte(out.String()), nil
}

// sides returns what a change shows of the old text and of the new one.
func sides(fragment *gitdiff.TextFragment) (before, after []string) {
	for _, line := range fragment.Lines {
		if line.Op != gitdiff.OpAdd {
			before = append(before, line.Line)
		}
		if line.Op != gitdiff.OpDelete {
			after = append(after, line.Line)
		}
	}
	return before, after
}

// find returns the only place of part in lines.
func find(lines, part []string) (int, error) {
	if len(part) == 0 {
		return 0, fmt.Errorf("it shows no line of the old text")
	}
	place, longest, found := 0, 0, 0
	for i := range lines {
		n := common(lines[i:], part)
		if n == len(part) {
			place = i
			found++
		}
		longest = max(longest, n)
	}
	switch {
	case found == 0:
		return 0, fmt.Errorf("the line %q is not there", strings.TrimSpace(part[longest]))
	case found > 1:
		return 0, fmt.Errorf("its lines are in %d places, it needs more context", found)
	}
	return place, nil
}

// common returns how many lines a and b have in common at their beginning.
func common(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
