package checker_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"simrun/checker"
	"simrun/sim/history"
	"simrun/sim/history/jepsen"
)

// Goal: the history that docs/history.md shows is in order, and the variant is the
// violation that it says, also as EDN. Method: both are taken out of the document.
func TestDocumentedHistory(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "history.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(shown) != 2 {
		t.Fatalf("docs/history.md shows %d histories, expected one and a line to replace", len(shown))
	}
	sound, line := shown[0][1], shown[1][1]
	id, _, _ := strings.Cut(line, ",")
	broken := regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(id)+`,.*\n`).ReplaceAllLiteralString(sound, line)
	if broken == sound {
		t.Fatalf("the history has no line of %s", id)
	}
	for _, c := range []struct {
		name, text string
		want       checker.Verdict
		checkers   string
	}{
		{"the history", sound, checker.OK, "linear isolation skew bank"},
		{"the variant", broken, checker.Violation, "isolation bank"},
	} {
		h, err := jepsen.Read(strings.NewReader(c.text), c.name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range checker.History(h, checker.Options{}) {
			if strings.Contains(c.checkers, r.Checker) && r.Verdict != c.want {
				t.Errorf("%s: %s says %v, expected %v: %+v", c.name, r.Checker, r.Verdict, c.want, r)
			}
		}
		if got := checker.Of(checker.History(h, checker.Options{})); got != c.want {
			t.Errorf("%s is %v, expected %v", c.name, got, c.want)
		}
		var edn bytes.Buffer
		if err = jepsen.WriteEDN(&edn, h); err != nil {
			t.Fatal(err)
		}
		if h, err = jepsen.Read(&edn, c.name); err != nil {
			t.Fatal(err)
		}
		if got := checker.Of(checker.History(h, checker.Options{})); got != c.want {
			t.Errorf("%s is %v when its export is read back, expected %v", c.name, got, c.want)
		}
	}
}

// Goal: every kind of operation, and every checker of a history, has its row in the document.
func TestDocumentedKinds(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "history.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]]++
	}
	for _, name := range []string{
		string(history.Read), string(history.Write), string(history.CAS), string(history.Txn), string(history.Append),
		string(history.Acquire), string(history.Release), string(history.Timestamp),
		string(history.TxnRead), string(history.TxnWrite), string(history.TxnDelete), string(history.TxnScan), string(history.TxnLock),
		"linear", "isolation", "skew", "cycles", "bank", "timestamps", checker.AnswersName,
	} {
		if rows[name] == 0 {
			t.Errorf("docs/history.md has no row of %s", name)
		}
	}
}
