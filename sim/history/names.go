package history

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// fieldInitial is the field whose names are keys of the system and not of the format.
const fieldInitial = "initial"

// checkNames checks the names in a line that was decoded without an unknown field.
// encoding/json takes a name in any case for that of a field, and of several values
// of one field it keeps the last, so that what a person reads in the line need not be
// what was judged. All names of the format are of small letters and underscores, and
// what is such a name and equals a field's but for the case is the field's.
func checkNames(line []byte) error {
	var (
		room  [32][]byte
		names = room[:0]          // of all objects that are open, the outermost first
		begin = make([]int, 0, 8) // of each of them, its first in names
		keys  map[string]struct{} // inside of initial: those so far
	)
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '{':
			if len(begin) == 1 && string(names[len(names)-1]) == fieldInitial {
				keys = map[string]struct{}{}
			}
			begin = append(begin, len(names))
		case '}':
			last := len(begin) - 1
			names, begin, keys = names[:begin[last]], begin[:last], nil
		case '"':
			end := closingQuote(line, i)
			quoted := line[i : end+1]
			i = end
			if !isName(line[end+1:]) {
				continue
			}
			if keys != nil {
				if err := addKey(keys, quoted); err != nil {
					return err
				}
				continue
			}
			name := quoted[1 : len(quoted)-1]
			if err := checkName(names[begin[len(begin)-1]:], name); err != nil {
				return err
			}
			names = append(names, name)
		}
	}
	return nil
}

// closingQuote returns where the string ends that begins at a place.
func closingQuote(line []byte, at int) int {
	for i := at + 1; ; i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
}

// isName says whether the string before the rest of a line is a name.
func isName(rest []byte) bool {
	for _, c := range rest {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == ':'
		}
	}
	return false
}

// checkName checks the next name of an object.
func checkName(before [][]byte, name []byte) error {
	for _, c := range name {
		if (c < 'a' || c > 'z') && c != '_' {
			return fmt.Errorf("malformed line: unknown field %q: names are in lower case", name)
		}
	}
	for _, b := range before {
		if bytes.Equal(b, name) {
			return fmt.Errorf("malformed line: field %q stands twice", name)
		}
	}
	return nil
}

// addKey adds the next key of the initial state, which may be written in several ways.
func addKey(keys map[string]struct{}, quoted []byte) error {
	var key string
	if err := json.Unmarshal(quoted, &key); err != nil {
		return fmt.Errorf("malformed line: %w", err)
	}
	if _, twice := keys[key]; twice {
		return fmt.Errorf("malformed line: key %q stands twice in %q", key, fieldInitial)
	}
	keys[key] = struct{}{}
	return nil
}
