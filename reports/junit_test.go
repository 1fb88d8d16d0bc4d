package reports

import (
	"bytes"
	"errors"
	"testing"
)

func TestJUnitGolden(t *testing.T) {
	undecided := quietRun().Result
	undecided.Checkers[0].Undecided("out of time")
	undecided.Conclude()
	var out bytes.Buffer
	err := WriteJUnit(&out, "bank", []Case{
		{Result: quietRun().Result},
		{Result: bankRun(110).Result},
		{Result: undecided},
		{Name: "bank, seed 9", Err: errors.New("the worker was killed <by the system>")},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "junit.xml", out.Bytes())
}
