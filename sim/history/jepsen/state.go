package jepsen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"simrun/sim/history"
)

// What the header of a history says of the database as a whole is beside the :value
// of the first line, and concerns all of them:
//
//	:initial {"a" 60}           what keys held before; others were absent
//	:initial-unknown true       nothing is known of those others
//	:consistency :serializable  what is promised beyond snapshot isolation
//
// Without them every key was absent, as Elle takes it, and a value that nobody wrote
// is a violation.

// state writes what the header says.
func (x *exporter) state() error {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(x.header.Initial)) {
		held := x.header.Initial[k]
		key, err := scalar(&k)
		if err != nil {
			return err
		}
		value, err := scalar(&held)
		if err != nil {
			return err
		}
		parts = append(parts, key+" "+value)
	}
	if len(parts) > 0 {
		fmt.Fprintf(x.w, ", :initial {%s}", strings.Join(parts, ", "))
	}
	if x.header.InitialUnknown {
		fmt.Fprint(x.w, ", :initial-unknown true")
	}
	if x.header.Consistency != history.SnapshotIsolation {
		fmt.Fprintf(x.w, ", :consistency :%s", x.header.Consistency)
	}
	return nil
}

// state reads what the method of the exporter wrote.
func (b *builder) state(f form) error {
	if initial, there := f.fields["initial"]; there {
		held, ok := initial.(map[any]any)
		if !ok {
			return b.fail(f.line, ":initial is a map of keys and what they held")
		}
		b.h.Initial = map[string]string{}
		for _, k := range sortedKeys(held) {
			value, isValue := text(held[k])
			if k == nil || !isValue {
				return b.fail(f.line, ":initial has no nil: a key that it does not name is absent")
			}
			key, err := b.keyInMap(f.line, k)
			if err != nil {
				return err
			}
			b.h.Initial[key] = value
		}
	}
	b.h.InitialUnknown, _ = f.fields["initial-unknown"].(bool)
	if level, there := f.fields["consistency"]; there {
		b.h.Consistency = history.Consistency(word(level))
		switch b.h.Consistency {
		case history.Serializable, history.StrictSerializable:
		case history.SnapshotIsolation:
			fallthrough
		default:
			return b.fail(f.line, ":consistency %q is neither :%s nor :%s", word(level), history.Serializable, history.StrictSerializable)
		}
	}
	return nil
}
