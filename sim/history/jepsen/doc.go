// Package jepsen reads and writes histories in the formats of Jepsen and of
// tools around it.
//
// Open reads any of them, and simrun's own format, by looking at the content:
//
//   - EDN, one map an operation's beginning or end, in a vector, a list or one
//     after another: registers (:read :write :cas), also independent ones with
//     [k v] tuples or with :key, and those of values with a version, mutexes (:acquire :release), key-value stores with :key
//     (:get :put :append), transactions (:txn, or no :f at all, with [[:r k v]
//     [:w k v] [:append k v]], or Knossos's [:read k v] and [:write k v]), banks
//     (:transfer, :read of a map) and timestamps (:timestamp);
//   - the same as a JSON array;
//   - the text log of porcupine's test data (INFO jepsen.util - 0 :invoke ...).
//
// Foreign histories are ordered by their lines, so an operation's instants are
// the positions of its beginning and end, not nanoseconds.
//
// Values of registers that are of no form that is understood make the history
// one whose registers are not judged: see history.History.Unjudged.
//
// WriteEDN writes a history for Elle, Knossos and other checkers.
package jepsen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"simrun/sim/bom"
	"simrun/sim/history"
)

// Open reads the history in a file, whatever its format.
func Open(path string) (*history.History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the history: %w", err)
	}
	defer func() { _ = f.Close() }()
	return Read(f, path)
}

// Read reads a history, whatever its format. The name is that of the file, for
// errors.
func Read(r io.Reader, name string) (*history.History, error) {
	in := bufio.NewReaderSize(r, 4096)
	bom.SkipIn(in)
	head, err := in.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("history: read %s: %w", name, err)
	}
	head = bytes.TrimLeft(head, " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("INFO")):
		return ReadLog(in, name)
	case isJSON(head):
		return ReadJSON(in, name)
	case isNative(head), len(head) == 0:
		return history.Decode(in, name)
	case bytes.IndexByte([]byte("[({;#"), head[0]) >= 0:
		return ReadEDN(in, name)
	}
	return nil, &history.Error{
		File: name, Line: 1,
		Problem: "not a history: neither simrun's JSON lines, nor EDN or JSON of Jepsen, nor a jepsen.util log",
	}
}

// isNative tells simrun's lines, which begin with a JSON object, from EDN,
// whose maps have no quoted key at the front.
func isNative(head []byte) bool {
	rest, ok := bytes.CutPrefix(head, []byte("{"))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte(`"`))
}

// isJSON tells an array of JSON objects.
func isJSON(head []byte) bool {
	rest, ok := bytes.CutPrefix(head, []byte("["))
	return ok && isNative(bytes.TrimLeft(rest, " \t\r\n"))
}
