package jepsen

import (
	"fmt"
	"slices"
	"strings"

	"olympos.io/encoding/edn"

	"simrun/sim/history"
)

// Many workloads call their operations :read and :write, and not all of these are on
// registers: a read may return a set of what was written, several replicas' answers, or an
// answer beside its key. What is of such a form is not judged, rather than held against
// a register that it is not.

// valueForms collects of which forms the values of registers are.
type valueForms struct {
	wrote map[string]map[string]bool // by key, the forms of what was written
	reads []structured
	first string // the first doubt that a read alone gives
}

// structured is a read that returned a value with parts.
type structured struct {
	kind  string // :f
	key   string
	value any
	line  int // of its end
}

// written notes a value that was written, or was to be.
func (f *valueForms) written(key string, v any) {
	if f.wrote == nil {
		f.wrote = map[string]map[string]bool{}
	}
	if f.wrote[key] == nil {
		f.wrote[key] = map[string]bool{}
	}
	f.wrote[key][formOf(v)] = true
	f.wrote[key][formOfNone(v)] = true
}

// returned notes what a read that had begun with a value returned.
func (f *valueForms) returned(key string, begin, end any, e *event) {
	if begin != nil && exact(begin) != exact(end) && f.first == "" {
		f.first = fmt.Sprintf("registers are not judged: the :read that ends in line %d began as one of %s and returned %s", e.endLine, short(begin), short(end))
	}
	if formOf(end) != scalarForm {
		f.reads = append(f.reads, structured{e.kind, key, end, e.endLine})
	}
}

// doubt is why registers cannot be judged; empty if they can.
func (f *valueForms) doubt(header *history.Header) string {
	if f.first != "" {
		return f.first
	}
	for _, r := range f.reads {
		held, there := header.Initial[r.key]
		if s, _ := text(r.value); f.wrote[r.key][formOf(r.value)] || there && held == s {
			continue
		}
		reason := fmt.Sprintf("registers are not judged: the :%s that ends in line %d returned %s, and nobody wrote a value of that form", r.kind, r.line, short(r.value))
		if _, ok := r.value.(map[any]any); ok && header.Bank == nil {
			reason += ", nor is it the read of a bank, which would have a :transfer"
		}
		return reason
	}
	return ""
}

// shortMax bounds how much of a value a reason shows.
const shortMax = 60

// short is the beginning of a value.
func short(v any) string {
	s := []rune(exact(v))
	if len(s) > shortMax {
		return string(s[:shortMax]) + "..."
	}
	return string(s)
}

// scalarForm is the form of what has no parts.
const scalarForm = "."

// formOf tells how a value is built: of two vectors of numbers it is the same, and of a vector
// of vectors another.
func formOf(v any) string {
	switch v := v.(type) {
	case []any:
		return "[" + formsOf(v) + "]"
	case set:
		return "#{" + formsOf(v) + "}"
	case map[any]any:
		var values []any
		for _, k := range sortedKeys(v) {
			values = append(values, v[k])
		}
		return "{" + formsOf(values) + "}"
	case edn.Tag:
		return "#" + v.Tagname + " " + formOf(v.Value)
	}
	return scalarForm
}

// formsOf is the forms of several values, each once.
func formsOf(list []any) string {
	var forms []string
	for _, v := range list {
		forms = append(forms, formOf(v))
	}
	slices.Sort(forms)
	return strings.Join(slices.Compact(forms), " ")
}

// formOfNone is the form of a value that has lost all its parts.
func formOfNone(v any) string {
	switch v.(type) {
	case []any:
		return formOf([]any{})
	case set:
		return formOf(set{})
	case map[any]any:
		return formOf(map[any]any{})
	}
	return formOf(v)
}

// areVersioned says whether the values of all registers are [version v], as those of
// etcd: the version is nil at the beginning, and a read begins as [nil nil]. A :cas alone
// does not tell, for it may well expect nil.
func areVersioned(events []*event, s shape) bool {
	told := false
	for _, e := range events {
		begin, end := e.begin, e.end
		switch e.kind {
		case "read", "write", "cas":
		default:
			continue
		}
		if s.independent {
			_, begin, _ = pairOf(begin)
			if _, v, ok := pairOf(end); ok {
				end = v
			}
		}
		version, v, ok := pairOf(begin)
		if !ok || version != nil || e.kind == "read" && v != nil {
			return false
		}
		if _, _, ok = pairOf(v); e.kind == "cas" && !ok {
			return false
		}
		if _, _, ok = pairOf(end); e.outcome == history.OK && end != nil && !ok {
			return false
		}
		told = told || e.kind != "cas"
	}
	return told && (s.independent || s.keyed)
}

// unversioned drops the version of [version v].
func unversioned(v any) any {
	if _, without, ok := pairOf(v); ok {
		return without
	}
	return v
}
