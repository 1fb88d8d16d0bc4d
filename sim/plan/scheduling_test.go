package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"simrun/sim/plan"
)

// Goal: what is merged is never split again at once: by every measure by which
// regions are split they are merged too, at half of it at most. A limit of zero is
// none, and both of them are no merges.
func TestSplitsDoNotUndoMerges(t *testing.T) {
	for _, c := range []struct {
		splitSize, splitKeys, mergeSize, mergeKeys int64
		wrong                                      string // the field, "" if all is well
	}{
		{},
		{splitSize: 1024, splitKeys: 16},
		{mergeSize: 64},
		{mergeKeys: 8},
		{splitSize: 1024, mergeSize: 512},
		{splitSize: 1024, mergeSize: 513, wrong: "merge-size"},
		{splitKeys: 16, mergeKeys: 8},
		{splitKeys: 16, mergeKeys: 9, wrong: "merge-keys"},
		{splitSize: 1024, mergeKeys: 8, wrong: "merge-size"}, // of any size
		{splitKeys: 16, mergeSize: 64, wrong: "merge-keys"},
		{splitSize: 1024, splitKeys: 16, mergeSize: 512, wrong: "merge-keys"},
		{splitSize: 1024, splitKeys: 16, mergeSize: 512, mergeKeys: 8},
		{splitSize: 1024, mergeSize: 512, mergeKeys: 100}, // fewer than of any number
		{splitSize: 1, mergeSize: 1, wrong: "merge-size"},
	} {
		p := plan.Default()
		s := &p.Scheduling
		s.SplitSize, s.SplitKeys, s.MergeSize, s.MergeKeys = c.splitSize, c.splitKeys, c.mergeSize, c.mergeKeys
		s.SplitCheck = plan.Duration(time.Second)
		if text := fmt.Sprint(p.Validate()); c.wrong == "" && text != "<nil>" || !strings.Contains(text, c.wrong) {
			t.Errorf("%+v: %s", c, text)
		}
		s.SplitCheck = 0
		looks := s.Splits() || s.Merges()
		if text := fmt.Sprint(p.Validate()); c.wrong == "" && looks != strings.Contains(text, "scheduling.split-check") {
			t.Errorf("%+v without looks: %s", c, text)
		}
	}
}

// Goal: a step of an operator outlasts the heartbeat that carries its result. Otherwise
// every operator times out and is begun again without end.
func TestOperatorTimeout(t *testing.T) {
	p := plan.Default()
	p.Scheduling.Interval = plan.Duration(time.Second)
	for _, c := range []struct {
		timeout plan.Duration
		valid   bool
	}{{p.Knobs.RegionHeartbeat, false}, {p.Knobs.RegionHeartbeat + 1, true}} {
		p.Scheduling.OperatorTimeout = c.timeout
		err := p.Validate()
		var wrong *plan.Error
		if c.valid != (err == nil) || err != nil && (!errors.As(err, &wrong) || wrong.Field != "scheduling.operator-timeout") {
			t.Errorf("%v: got %v", c.timeout, err)
		}
	}
}
