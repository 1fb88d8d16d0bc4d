package planted

import (
	"strings"
	"testing"
)

const header = `# id: X1
# layer: a layer
# reference: a reference
# detected-by: a checker
# scenario: bank
# about: a change
`

// patchOf is a patch file with one fragment.
func patchOf(file, lines, place string) string {
	return header + "--- a/" + file + "\n+++ b/" + file + "\n" + place + "\n" + lines
}

const good = "@@ -1,1 +1,1 @@"

func TestParse(t *testing.T) {
	b, err := Parse("X1.patch", []byte(patchOf("nodes/a.go", "-a\n+b\n", good)))
	if err != nil {
		t.Fatal(err)
	}
	if b.ID != "X1" || b.Layer != "a layer" || b.Reference != "a reference" ||
		b.DetectedBy != "a checker" || b.Scenario != "bank" || b.About != "a change" {
		t.Errorf("header is %+v", b)
	}
	if files := b.Files(); len(files) != 1 || files[0] != "nodes/a.go" {
		t.Errorf("files are %v", files)
	}
}

// Each way to get a patch file wrong has one clear error, with the line where
// there is one.
func TestParseErrors(t *testing.T) {
	valid := patchOf("nodes/a.go", "-a\n+b\n", good)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", `X1.patch: the header lacks "id": add a line "# id: ..."`},
		{"no scenario", strings.Replace(valid, "# scenario: bank\n", "", 1), `X1.patch: the header lacks "scenario"`},
		{"unknown key", strings.Replace(valid, "# about", "# abuot", 1), `X1.patch:6: "# abuot: a change" is not one of the header's lines`},
		{"no value", strings.Replace(valid, "bank", "", 1), `X1.patch:5: "scenario" is empty`},
		{"twice", "# id: X1\n" + valid, `X1.patch:2: the header has "id" twice`},
		{"other name", strings.Replace(valid, "X1", "X2", 1), "X1.patch: the bug's id is X2, but its file's name says X1"},
		{"no diff", header, "X1.patch:7: the patch changes no file"},
		{"prose", header + "what I did\n", "X1.patch:7: the patch changes no file"},
		{"miscounted", patchOf("nodes/a.go", "-a\n+b\n+c\n", good), `X1.patch:12: "+c" belongs to no change`},
		{"truncated", patchOf("nodes/a.go", "-a\n", good), "X1.patch:9: "},
		{"bad place", patchOf("nodes/a.go", "-a\n+b\n", "@@ here @@"), "X1.patch:7: the patch changes no file"},
		{"bad operation", patchOf("nodes/a.go", "?a\n+b\n", good), "X1.patch:10: invalid line operation"},
		{"no change", patchOf("nodes/a.go", " a\n", good), "X1.patch:11: fragment contains no changes"},
		{"prose between", header + "what I did\n" + strings.TrimPrefix(valid, header), `X1.patch:7: "what I did" should begin with "--- a/nodes/a.go"`},
		{"prose after", valid + "and that is it\n", `X1.patch:12: "and that is it" belongs to no change`},
		{"not the database", patchOf("checker/a.go", "-a\n+b\n", good), `X1.patch: the patch changes "checker/a.go": bugs are planted into Go files below nodes`},
		{"out of the tree", patchOf("nodes/../a.go", "-a\n+b\n", good), `X1.patch: the patch changes "nodes/../a.go"`},
		{
			"new file", strings.Replace(patchOf("nodes/a.go", "+b\n", "@@ -0,0 +1,1 @@"), "--- a/nodes/a.go", "--- /dev/null", 1),
			`X1.patch: the patch makes, moves or deletes "nodes/a.go"`,
		},
		{"two names", strings.Replace(valid, "--- a/nodes/a.go", "--- a/nodes/b.go", 1), `X1.patch:7: "--- a/nodes/b.go" should begin with "--- a/nodes/a.go"`},
		{"same file twice", valid + strings.TrimPrefix(valid, header), "X1.patch: nodes/a.go is changed twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("X1.patch", []byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error is %v\nit should begin with %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("it has several lines: %v", err)
			}
		})
	}
}

// Whatever the file holds, Parse returns an error or a bug that is complete,
// and applying it to a text does not panic.
func FuzzParse(f *testing.F) {
	bugs, err := patches.ReadDir("patches")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range bugs {
		text, err := patches.ReadFile("patches/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.Name(), text)
	}
	f.Add("X1.patch", []byte(patchOf("nodes/a.go", "-a\n+b\n", good)))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		b, err := Parse(name, text)
		if err != nil {
			return
		}
		if b.ID == "" || b.About == "" || b.Scenario == "" || len(b.Files()) == 0 {
			t.Fatalf("incomplete: %+v", b)
		}
		for _, file := range b.files {
			before := source(file)
			after, err := apply([]byte(before), file)
			if err == nil && string(after) == before && changes(file) {
				t.Errorf("applied to\n%s\nwithout an effect", before)
			}
		}
	})
}
