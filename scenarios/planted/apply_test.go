package planted

import (
	"strings"
	"testing"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// A change is found by its lines, wherever they are, if they are in one place.
func TestApply(t *testing.T) {
	const two = "@@ -7,2 +7,2 @@\n a\n-b\n+B\n@@ -20,2 +20,3 @@\n y\n z\n+end\n"
	for _, c := range []struct{ name, patch, source, want, wantErr string }{
		{"moved down", two, "0\n1\na\nb\nx\ny\nz\n", "0\n1\na\nB\nx\ny\nz\nend\n", ""},
		{"adjacent", two, "a\nb\ny\nz\n", "a\nB\ny\nz\nend\n", ""},
		{"other line ending", two, "a\r\nb\r\ny\nz\n", "", `the change at line 7: the line "a" is not there`},
		{"first line gone", two, "b\ny\nz\n", "", `the change at line 7: the line "a" is not there`},
		{"second line differs", two, "a\nc\ny\nz\n", "", `the change at line 7: the line "b" is not there`},
		{"second change first", two, "y\nz\na\nb\n", "", `the change at line 20: the line "y" is not there`},
		{"ambiguous", two, "a\nb\na\nb\ny\nz\n", "", "the change at line 7: its lines are in 2 places, it needs more context"},
		{"empty source", two, "", "", `the change at line 7: the line "a" is not there`},
		{"nothing shown", "@@ -1,0 +1,1 @@\n+a\n", "b\n", "", "the change at line 1: it shows no line of the old text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Parse("X1.patch", []byte(header+"--- a/nodes/a.go\n+++ b/nodes/a.go\n"+c.patch))
			if err != nil {
				t.Fatal(err)
			}
			got, err := apply([]byte(c.source), b.files[0])
			switch {
			case c.wantErr != "" && (err == nil || err.Error() != c.wantErr):
				t.Errorf("error is %v, should be %s", err, c.wantErr)
			case c.wantErr == "" && err != nil:
				t.Error(err)
			case string(got) != c.want:
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// source is a text to which the changes of f apply, unless their lines repeat.
func source(f *gitdiff.File) string {
	var text strings.Builder
	for _, fragment := range f.TextFragments {
		before, _ := sides(fragment)
		text.WriteString(strings.Join(before, "") + "between\n")
	}
	return text.String()
}

// changes reports whether a change of f makes a difference.
func changes(f *gitdiff.File) bool {
	for _, fragment := range f.TextFragments {
		before, after := sides(fragment)
		if strings.Join(before, "") != strings.Join(after, "") {
			return true
		}
	}
	return false
}
