package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// FieldNames returns the names, in plans, of the fields of a struct type such as Knobs.
func FieldNames(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		names = append(names, fieldName(f))
	}
	slices.Sort(names)
	return names
}

// Field returns the field of a pointer to a struct that has the name in plans; not
// valid if there is none.
func Field(of any, name string) reflect.Value {
	v := reflect.ValueOf(of).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		if fieldName(f) == name {
			return v.FieldByIndex(f.Index)
		}
	}
	return reflect.Value{}
}

// ParseValue reads the value of a field of a plan from a command line: as a plan has
// it, but for the quotes. The error says what to write.
func ParseValue(t reflect.Type, text string) (reflect.Value, error) {
	literal := text
	wrong := fmt.Errorf("%q has another type: write %s", text, strings.ReplaceAll(expectedValue(t), " in quotes", ""))
	if t.Kind() == reflect.String || t == reflect.TypeFor[Duration]() {
		literal = strconv.Quote(text)
	} else if strings.ContainsAny(text, "# \t\r\n") { // more than a value
		return reflect.Value{}, wrong
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Value", Type: t, Tag: `toml:"value"`}}))
	decoder := toml.NewDecoder(strings.NewReader("value = " + literal)).DisallowUnknownFields()
	if err := decoder.Decode(one.Interface()); err != nil {
		return reflect.Value{}, wrong
	}
	return one.Elem().Field(0), nil
}
