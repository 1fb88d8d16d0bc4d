package reports

import (
	"strings"
	"testing"
)

// Every kind of event has a name, and the name leads back to it.
func TestEventKinds(t *testing.T) {
	for k := Down; k < eventKindEnd; k++ {
		text, err := k.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "(") {
			t.Errorf("%d has no name", k)
		}
		var back EventKind
		if err := back.UnmarshalText(text); err != nil || back != k {
			t.Errorf("%s: got %v, %v", text, back, err)
		}
	}
	for _, k := range []EventKind{0, eventKindEnd} {
		if _, err := k.MarshalText(); err == nil {
			t.Errorf("%v was written", k)
		}
	}
}
