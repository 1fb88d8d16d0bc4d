package jepsen

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"olympos.io/encoding/edn"

	"simrun/sim/history"
)

// ReadLog reads the text log of porcupine's test data, operations on one
// register:
//
//	INFO  jepsen.util - 4 :invoke :cas [1 2]
//	INFO  jepsen.util - 4 :fail   :cas [1 2]
//
// In these logs a failed compare-and-swap is an answer, that the expected value
// was not there; only a timeout (:info, or :fail with :timed-out) is none.
func ReadLog(r io.Reader, name string) (*history.History, error) {
	b := newBuilder(name)
	b.casFails = true
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for line := 1; in.Scan(); line++ {
		fields := strings.Fields(in.Text())
		if len(fields) == 0 {
			continue
		}
		f, err := parseLog(fields)
		if err != nil {
			return nil, &history.Error{File: name, Line: line, Problem: err.Error()}
		}
		f.line = line
		if err := b.add(f); err != nil {
			return nil, err
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("history: read %s: %w", name, err)
	}
	return b.finish()
}

// parseLog takes the words of INFO jepsen.util - <process> <type> <f> <value...>.
func parseLog(words []string) (form, error) {
	if len(words) < 7 || words[0] != "INFO" || words[2] != "-" {
		return form{}, fmt.Errorf("%q is no line of a jepsen.util log", strings.Join(words, " "))
	}
	var process any = edn.Keyword(strings.TrimPrefix(words[3], ":"))
	if n, err := strconv.ParseInt(words[3], 10, 64); err == nil {
		process = n
	}
	f := form{fields: map[string]any{
		"process": process,
		"type":    edn.Keyword(strings.TrimPrefix(words[4], ":")),
		"f":       edn.Keyword(strings.TrimPrefix(words[5], ":")),
	}}
	var values []any
	for _, w := range words[6:] {
		w = strings.Trim(w, "[]")
		switch n, err := strconv.ParseInt(w, 10, 64); {
		case err == nil:
			values = append(values, n)
		case w == "nil":
			values = append(values, nil)
		case w == ":timed-out":
			f.fields["error"] = edn.Keyword("timed-out")
		default:
			return form{}, fmt.Errorf("value %q is neither a number nor nil", w)
		}
	}
	switch {
	case strings.HasPrefix(words[6], "["):
		f.fields["value"] = values
	case len(values) > 0:
		f.fields["value"] = values[0]
	}
	return f, nil
}
