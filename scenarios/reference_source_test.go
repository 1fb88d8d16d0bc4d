package scenarios

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// source is what the reference takes from the text of a package.
type source struct {
	doc     string // of the package
	structs map[string]*ast.StructType
	// constants are the comments behind the constants of each type, in order.
	constants map[string][]string
	// values are constants that have a text, by their names.
	values map[string]string
}

func parseSource(t *testing.T, dir string) *source {
	t.Helper()
	s := &source{structs: map[string]*ast.StructType{}, constants: map[string][]string{}, values: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if file.Doc != nil {
			s.doc += file.Doc.Text()
		}
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok {
				s.declaration(d)
			}
		}
	}
	return s
}

// declaration takes types, and constants with the comments behind them. In a block that
// counts, the first one has the type, and is none of its values.
func (s *source) declaration(d *ast.GenDecl) {
	counted := ""
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if st, ok := spec.Type.(*ast.StructType); ok {
				s.structs[spec.Name.Name] = st
			}
		case *ast.ValueSpec:
			name := spec.Names[0].Name
			if of, ok := spec.Type.(*ast.Ident); ok && d.Tok == token.CONST && name == "_" {
				counted = of.Name
			} else if counted != "" && !strings.HasSuffix(name, "End") {
				s.constants[counted] = append(s.constants[counted], strings.TrimSpace(spec.Comment.Text()))
			}
			if d.Tok == token.CONST && len(spec.Values) == 1 {
				if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
					s.values[name], _ = strconv.Unquote(literal.Value)
				}
			}
		}
	}
}

// group is some fields of a struct that share a comment.
type group struct {
	fields  []fieldName
	meaning string
}

// fieldName is a field of a struct and its name in text.
type fieldName struct{ field, name string }

// groups returns the fields of a struct that have a name under a tag. A field without a
// comment that stands right below another shares that one's.
func (s *source) groups(t *testing.T, of reflect.Type, tag string) []group {
	t.Helper()
	names := map[string]string{}
	for _, f := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" {
			names[f.Name] = name
		}
	}
	declared := s.structs[of.Name()]
	if declared == nil {
		t.Fatalf("there is no %v", of)
	}
	var all []group
	for _, f := range declared.Fields.List {
		comment := f.Doc.Text()
		if f.Comment != nil {
			comment += f.Comment.Text()
		}
		for _, ident := range f.Names {
			name, ok := names[ident.Name]
			if field, _ := of.FieldByName(ident.Name); !ok || name == "-" || isTable(field.Type) {
				continue
			}
			if comment == "" && len(all) > 0 {
				last := &all[len(all)-1]
				last.fields = append(last.fields, fieldName{ident.Name, name})
				continue
			}
			if comment == "" {
				t.Errorf("%v.%s has no comment", of, ident.Name)
			}
			all = append(all, group{[]fieldName{{ident.Name, name}}, strings.Join(strings.Fields(comment), " ")})
		}
	}
	for i := range all {
		if len(all[i].fields) == 1 {
			all[i].meaning = withoutName.ReplaceAllString(all[i].meaning, "")
		}
		all[i].meaning = s.inText(all[i].meaning, names)
	}
	return all
}

// isTable reports whether a field is a table that has one of its own in the reference.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Range]() && t != reflect.TypeFor[Span]()
}

// identifier is a name as Go has it, perhaps with that of its type.
var identifier = regexp.MustCompile(`\b(?:[A-Z]\w*\.)?[A-Z]\w*`)

// withoutName is how a comment on one field begins, which stands beside it in a table.
var withoutName = regexp.MustCompile(`^[A-Z]\w* (?:is|are) `)

// inText is a comment for a cell of a table, with the names that fields and values have
// in text. A field that a file does not have is a word like others.
func (s *source) inText(comment string, names map[string]string) string {
	comment = identifier.ReplaceAllStringFunc(comment, func(word string) string {
		of, last, qualified := strings.Cut(word, ".")
		if !qualified {
			last = of
		}
		switch name := names[last]; {
		case qualified:
			return "`" + s.tagOf(of, last) + "`"
		case name == "-":
			return strings.ToLower(last)
		case name != "":
			return "`" + name + "`"
		}
		if value, ok := s.values[last]; ok && value != "" {
			return "`" + value + "`"
		}
		return word
	})
	comment = strings.ReplaceAll(comment, "|", `\|`)
	return strings.ToUpper(comment[:1]) + strings.TrimSuffix(comment[1:], ".") + "."
}

// tagOf returns the name in text of a field of another struct.
func (s *source) tagOf(of, field string) string {
	for _, f := range s.structs[of].Fields.List {
		if f.Names[0].Name == field {
			_, tag, _ := strings.Cut(f.Tag.Value, `:"`)
			return tag[:strings.IndexAny(tag, `,"`)]
		}
	}
	return of + "." + field
}
