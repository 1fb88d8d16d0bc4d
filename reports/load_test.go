package reports

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// edited returns the JSON of a result after a change to its text.
func edited(t testing.TB, old, replacement string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WriteJSON(&out, bankRun(110).Result); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), old) {
		t.Fatalf("the result does not contain %q", old)
	}
	return []byte(strings.Replace(out.String(), old, replacement, 1))
}

func TestResultGolden(t *testing.T) {
	golden(t, "result.json", edited(t, "", ""))
}

// A file that was cut, edited or written by another version is one clear error
// with file, line and remedy.
func TestParseResultErrors(t *testing.T) {
	whole := edited(t, "", "")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "r.json:1: malformed JSON: unexpected end of JSON input; record it anew: simrun run plan.toml --out ."},
		{"cut", whole[:700], "r.json:30: malformed JSON: unexpected end of JSON input; record"},
		{"another file", []byte(`{"format":"simrun-trace","version":1}`), `r.json:1: the file says that its format is "simrun-trace" and not "simrun-result"`},
		{"version", edited(t, `"version": 1`, `"version": 2`), "r.json:3: the file is of format version 2, and version 1 is what is read here; record"},
		{"unknown field", edited(t, `"seed"`, `"seeds"`), `r.json:5: malformed JSON: unknown field "seeds"; record`},
		{"verdict", edited(t, `"verdict": "VIOLATION"`, `"verdict": "OK"`), "r.json:6: the verdict is OK and the checkers say VIOLATION: the file was edited"},
		{"no verdict", edited(t, `"verdict": "VIOLATION"`, `"verdict": "FINE"`), `r.json: malformed JSON: verdict "FINE" is none of`},
		{"type", edited(t, `"seed": 7`, `"seed": "7"`), "r.json:5: malformed JSON: cannot unmarshal string into Go struct field"},
		{"hash", edited(t, `"9f3c5a7710b2de04"`, `"9f3c"`), `"9f3c" is no hash of 16 hexadecimal digits`},
		{"event", edited(t, `"kind": "phase"`, `"kind": "fase"`), `"fase" is no kind of event`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseResult("r.json", c.data)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			var e *Error
			if !errors.As(err, &e) || e.File != "r.json" || e.Remedy == "" {
				t.Errorf("%#v is no Error with a file and a remedy", err)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(dir string) error
		want   string
	}{
		{"no folder", os.RemoveAll, "plan.toml: the file is missing; is "},
		{"no history", func(dir string) error { return os.Remove(filepath.Join(dir, FileHistory)) }, "history.jsonl: the file is missing; record"},
		{"no trace", func(dir string) error { return os.Remove(filepath.Join(dir, FileTrace)) }, "trace.json: the file is missing; record"},
		{"cut history", func(dir string) error { return os.Truncate(filepath.Join(dir, FileHistory), 5000) }, "the file is truncated"},
		{"cut trace", func(dir string) error { return os.Truncate(filepath.Join(dir, FileTrace), 40) }, "trace.json:3: malformed JSON"},
		{"another run's trace", func(dir string) error {
			other := bankRun(110).Result
			other.TraceHash++
			var out bytes.Buffer
			if err := writeTrace(&out, other); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, FileTrace), out.Bytes(), 0o644)
		}, "trace.json: the trace (9f3c5a7710b2de05 after 214223 events) is not that of result.json (9f3c5a7710b2de04 after 214223)"},
		{"plan is a folder", func(dir string) error {
			if err := os.Remove(filepath.Join(dir, FilePlan)); err != nil {
				return err
			}
			return os.Mkdir(filepath.Join(dir, FilePlan), 0o755)
		}, "plan.toml: cannot be read: is a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			save(t, dir, bankRun(110))
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// Whatever is read as a result can be written, and is then read as the same.
func FuzzParseResult(f *testing.F) {
	f.Add(edited(f, "", ""))
	f.Add([]byte(`{"format":"simrun-result","version":1,"verdict":"UNKNOWN","checkers":[]}`))
	f.Add([]byte(`{"format":"simrun-result","version":1,"verdict":"OK","checkers":[{"checker":"bank","verdict":"OK","checked":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseResult("r.json", data)
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err = WriteJSON(&first, r); err != nil {
			t.Fatal(err)
		}
		again, err := ParseResult("r.json", first.Bytes())
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, first.Bytes())
		}
		if err := WriteJSON(&second, again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("got\n%s\nwant\n%s", second.Bytes(), first.Bytes())
		}
		if err := WriteText(&second, &Run{Result: r}, TextOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParseTrace(f *testing.F) {
	r := bankRun(110).Result
	var out bytes.Buffer
	if err := writeTrace(&out, r); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		got := &Result{TraceHash: r.TraceHash, Stats: Stats{Events: r.Stats.Events}}
		if err := parseTrace("trace.json", data, got); err != nil {
			return
		}
		var out bytes.Buffer
		if err := writeTrace(&out, got); err != nil {
			t.Fatal(err)
		}
		if err := parseTrace("trace.json", out.Bytes(), got); err != nil {
			t.Error(err)
		}
	})
}
