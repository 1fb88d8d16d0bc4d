package verdict_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"simrun/checker/verdict"
)

// TestDescribeIsComplete takes the names from the source, so that none can be
// added without a description.
func TestDescribeIsComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "anomaly.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			lit, ok := s.(*ast.ValueSpec).Values[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%v is no literal", s)
			}
			name, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			if verdict.Anomaly(name).Describe() == "" {
				t.Errorf("%s is not described", name)
			}
		}
	}
	if found < 30 {
		t.Fatalf("only %d names found", found)
	}
}
