package plan

import (
	"fmt"
	"reflect"
	"strings"
)

// missing finds the first field of a plan that a text does not have. Zero is a value as
// any other, and seldom the default: a field that was left out would change what is run
// without a word. Only the script of the workload sql and the parameters, which have
// defaults of their own, may be left out.
func (found positions) missing() *Error {
	for _, f := range reflect.VisibleFields(documentType()) {
		table := fieldName(f)
		if f.Type.Kind() != reflect.Struct {
			if _, there := found[table]; !there {
				return found.isMissing("", table, nil)
			}
			continue
		}
		var absent []string
		for _, field := range reflect.VisibleFields(f.Type) {
			name := fieldName(field)
			optional := field.Type.Kind() == reflect.Map || strings.HasSuffix(field.Tag.Get("toml"), ",omitempty")
			if _, there := found[table+"."+name]; !there && !optional {
				absent = append(absent, name)
			}
		}
		if len(absent) > 0 {
			return found.isMissing(table, absent[0], absent[1:])
		}
	}
	return nil
}

// isMissing is the error of a field of a table that is missing, with others of it.
func (found positions) isMissing(table, name string, others []string) *Error {
	where, field := "at the top", name
	if table != "" {
		where, field = "in ["+table+"]", table+"."+name
	}
	e := &Error{Field: field, Message: fmt.Sprintf("is missing: write %s (the default) or another value %s", defaultLine(table, name), where)}
	if len(others) > 0 {
		e.Message += "; also missing there: " + strings.Join(others, ", ")
	}
	return found.locate(e)
}

// defaultLine is the line of a field in the text of the default plan.
func defaultLine(table, name string) string {
	at := ""
	for line := range strings.Lines(Default().String()) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			at = strings.Trim(line, "[]")
		}
		if at == table && strings.HasPrefix(line, name+" = ") {
			return line
		}
	}
	return name
}
