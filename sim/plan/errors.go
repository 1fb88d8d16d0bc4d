package plan

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"simrun/faults"
	"simrun/sim/bom"
)

// Error is what is wrong with a plan.
type Error struct {
	File         string // as it was given to Parse
	Line, Column int    // from 1; zero if the plan did not come from text
	Field        string // such as cluster.stores or schedule.faults[3]; may be empty
	Message      string // what is wrong and what to write instead
}

// Errorf is what is wrong with a field.
func Errorf(field, format string, args ...any) error {
	return &Error{Field: field, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ":")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", e.Line, e.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(e.Field)
	if e.Field != "" && !strings.HasPrefix(e.Message, ":") {
		b.WriteByte(' ')
	}
	b.WriteString(e.Message)
	return b.String()
}

// position is where a value stands in the text.
type position struct {
	line, column int
	// value is what kind of value stands there; of a table it is not set.
	value unstable.Kind
	// literal is set for the items of lists that are strings whose characters
	// stand in the text as they are.
	literal bool
}

// positions maps the fields of a document to where they stand.
type positions map[string]position

// positionsOf reads a text that is valid TOML.
func positionsOf(text string) positions {
	found := positions{}
	var p unstable.Parser
	p.Reset([]byte(text))
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.KeyValue:
			found.keyValue(table, &p, e)
		case unstable.Table, unstable.ArrayTable:
			table = keyPath("", e.Key())
			found.add(table, &p, e.Child().Raw)
		default: // the parser gives no others at the top
		}
	}
	return found
}

func (found positions) keyValue(table string, p *unstable.Parser, e *unstable.Node) {
	path := keyPath(table, e.Key())
	key := e.Key()
	key.Next()
	found.add(path, p, key.Node().Raw)
	at := found[path]
	at.value = e.Value().Kind
	found[path] = at
	items := 0
	for c := e.Value().Children(); c.Next(); {
		switch item := c.Node(); {
		case at.value == unstable.InlineTable:
			found.keyValue(path, p, item)
		case at.value == unstable.Array && item.Kind != unstable.Comment:
			name := fmt.Sprintf("%s[%d]", path, items)
			found.add(name, p, item.Raw)
			at := found[name]
			at.value = item.Kind
			found[name] = at
			items++
		}
	}
}

func (found positions) add(path string, p *unstable.Parser, raw unstable.Range) {
	start := p.Shape(raw).Start
	text := string(p.Raw(raw))
	literal := len(text) > 1 && (text[0] == '\'' || text[0] == '"') && text[1] != text[0] && !strings.Contains(text, `\`)
	found[path] = position{line: start.Line, column: start.Column, literal: literal}
}

func keyPath(table string, key unstable.Iterator) string {
	var parts []string
	if table != "" {
		parts = []string{table}
	}
	for key.Next() {
		parts = append(parts, string(key.Node().Data))
	}
	return strings.Join(parts, ".")
}

// Locate adds the position of the field that an error names, in the text of the
// plan. Use it for what is found wrong with a plan after Parse.
func Locate(file, text string, err *Error) *Error {
	located := positionsOf(bom.Skip(text)).locate(&Error{Field: err.Field, Message: err.Message})
	located.File = file
	return located
}

// locate adds the position of the error's field, or of the innermost table
// around it that is there: a field that is missing is zero.
func (found positions) locate(e *Error) *Error {
	e.Line, e.Column = 1, 1
	for path := e.Field; path != ""; {
		if at, ok := found[path]; ok {
			e.Line, e.Column = at.line, at.column
			return e
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return e
}

// faultError places an error of a fault's text where it stands in the plan's.
func (found positions) faultError(field string, err error) *Error {
	e := found.locate(&Error{Field: field, Message: ": " + err.Error()})
	var wrong *faults.ParseError
	if errors.As(err, &wrong) && found[field].literal {
		e.Column += wrong.Column // the quote is the column before the first
		e.Message = ": " + wrong.Message
	}
	return e
}

// CheckTypes finds the first value of a text of valid TOML that the decoder
// would take, or refuse without a position, because its type in the text is not
// the field's: a duration that is written as a number would become nanoseconds.
// document is the type that the text is decoded into. The error is an *Error.
func CheckTypes(file, text string, document reflect.Type) error {
	if err := positionsOf(text).untyped(document); err != nil {
		err.File = file
		return err
	}
	return nil
}

func (found positions) untyped(document reflect.Type) *Error {
	for _, path := range slices.Sorted(maps.Keys(found)) {
		key := strings.Split(path, ".")
		value := found[path].value
		if value == unstable.Invalid || value == unstable.String {
			continue
		}
		t := fieldType(document, key)
		if t == reflect.TypeFor[Duration]() || t == reflect.TypeFor[faults.Seed]() && value != unstable.Integer {
			return found.locate(&Error{Field: path, Message: "has a value of another type: write " + expectedValue(t)})
		}
	}
	return nil
}

// documentType is what the text of a plan is decoded into.
func documentType() reflect.Type { return reflect.TypeFor[document]() }

// fieldType returns the type of a field of a document, or of an item of one
// that is a list; nil if there is none.
func fieldType(t reflect.Type, key []string) reflect.Type {
	for _, name := range key {
		if t.Kind() == reflect.Map {
			t = t.Elem()
			continue
		}
		if t.Kind() != reflect.Struct {
			return nil
		}
		list, _, isItem := strings.Cut(name, "[")
		next := reflect.Type(nil)
		for _, f := range reflect.VisibleFields(t) {
			if fieldName(f) == list {
				next = f.Type
			}
		}
		if isItem && next != nil && next.Kind() == reflect.Slice {
			next = next.Elem()
		}
		if next == nil {
			return nil
		}
		t = next
	}
	return t
}

func fieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	return name
}

// KnownFields lists what may stand in a document of a type where an unknown field stood.
func KnownFields(document reflect.Type, key []string) string {
	for n := len(key) - 1; n >= 0; n-- {
		t := fieldType(document, key[:n])
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		var names []string
		for _, f := range reflect.VisibleFields(t) {
			if name := fieldName(f); name != "" && name != "-" {
				names = append(names, name)
			}
		}
		where := "at the top"
		if n > 0 {
			where = "in [" + strings.Join(key[:n], ".") + "]"
		}
		return where + " there are " + strings.Join(names, ", ")
	}
	return "leave it out"
}

// expectedValue says what to write for a field of a type.
func expectedValue(t reflect.Type) string {
	switch {
	case t == nil:
		return ""
	case t == reflect.TypeFor[Duration]():
		return "a duration in quotes, such as '1.5s'"
	case t == reflect.TypeFor[faults.Seed]():
		return "a whole number, from 0"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "text in quotes"
	case t.Kind() == reflect.Slice:
		return "a list of texts in quotes: ['a', 'b']"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "a table"
	}
	return "a whole number"
}
