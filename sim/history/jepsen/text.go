package jepsen

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"olympos.io/encoding/edn"
)

// text prints a value as history.Op holds it; ok is false for nil.
func text(v any) (s string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case big.Int:
		return v.String(), true
	case *big.Int:
		return v.String(), true
	case edn.Keyword:
		return ":" + string(v), true
	case []any:
		return "[" + strings.Join(texts(v), " ") + "]", true
	case map[any]any:
		var parts []string
		for k, e := range v {
			ks, _ := text(k)
			es, _ := text(e)
			parts = append(parts, ks+" "+es)
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}", true
	case set:
		parts := texts(v)
		slices.Sort(parts)
		return "#{" + strings.Join(parts, " ") + "}", true
	case composite:
		return v.text, true
	}
	return fmt.Sprint(v), true
}

func texts(list []any) []string {
	parts := make([]string, len(list))
	for i := range list {
		var ok bool
		if parts[i], ok = text(list[i]); !ok {
			parts[i] = "nil"
		}
	}
	return parts
}

// exact prints a value so that no two look the same: 1 is not "1", and nil not "".
func exact(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return strconv.Quote(v)
	case float64:
		s, _ := text(v)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case rune:
		return `\` + string(v)
	case edn.Symbol:
		return "'" + string(v)
	case edn.Tag:
		return "#" + v.Tagname + " " + exact(v.Value)
	case []any:
		return "[" + strings.Join(exacts(v), " ") + "]"
	case set:
		parts := exacts(v)
		slices.Sort(parts)
		return "#{" + strings.Join(parts, " ") + "}"
	case map[any]any:
		var parts []string
		for k, e := range v {
			parts = append(parts, exact(k)+" "+exact(e))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case composite:
		return v.exact
	}
	s, _ := text(v)
	return s
}

func exacts(list []any) []string {
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = exact(list[i])
	}
	return parts
}

// sortedKeys returns the keys of a map in one order.
func sortedKeys(m map[any]any) []any {
	return slices.SortedFunc(maps.Keys(m), func(a, b any) int { return strings.Compare(exact(a), exact(b)) })
}

// value is text as a pointer.
func value(v any) *string {
	s, ok := text(v)
	if !ok {
		return nil
	}
	return &s
}

// word is a keyword's name, or a string.
func word(v any) string {
	switch v := v.(type) {
	case edn.Keyword:
		return string(v)
	case string:
		return strings.TrimPrefix(v, ":")
	}
	return ""
}
