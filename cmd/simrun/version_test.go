package main

import (
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"simrun/reports"
	"simrun/scenarios/runner"
)

// The version names the revision wherever the go command knows it.
func TestProgramOf(t *testing.T) {
	revision := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "925c67b"}}
	for _, c := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"v1.2.3", nil, "v1.2.3"},
		{"v0.0.0-20261121000000-925c67b00000+dirty", revision, "v0.0.0-20261121000000-925c67b00000+dirty"},
		{"(devel)", revision, "925c67b"},
		{"(devel)", append(revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), "925c67b+dirty"},
		{"(devel)", append(revision, debug.BuildSetting{Key: "vcs.modified", Value: "false"}), "925c67b"},
		{"(devel)", nil, "(devel)"},
		{"", nil, "(unknown)"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: c.version}, Settings: c.settings}
		if got := programOf(info); got != c.want {
			t.Errorf("%q, %v: got %q, want %q", c.version, c.settings, got, c.want)
		}
	}
}

// A version that does not tell builds apart is told with what does, the same whenever
// the same program is asked.
func TestWithBuild(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"v1.2.3", "925c67b", "v0.0.0-20261121000000-925c67b00000"} {
		if got := withBuild(v); got != v {
			t.Errorf("%s: got %s", v, got)
		}
	}
	for _, v := range []string{"(devel)", "(unknown)", "925c67b+dirty"} {
		got := withBuild(v)
		if !regexp.MustCompile(`^`+regexp.QuoteMeta(v)+`, build [0-9a-f]{8}$`).MatchString(got) || got != withBuild(v) {
			t.Errorf("%s: got %s and %s", v, got, withBuild(v))
		}
	}
}

// The version is told when it is another one, and only the trace decides
// whether a replay is exact.
func TestReplayOfAnotherProgram(t *testing.T) {
	outcome, err := runner.Run(tinyPlan(t), runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	then, now := *outcome.Result, *outcome.Result
	again := func() (*runner.Outcome, error) { return outcome, nil }
	compare := func() (string, error) {
		return compareRuns("out/x", &reports.Run{History: outcome.History, Result: &then}, &reports.Run{History: outcome.History, Result: &now}, again)
	}
	then.Program, now.Program = "v1", "v2"
	answer, err := compare()
	if err != nil || !strings.HasPrefix(answer, "replayed exactly") || !strings.Contains(answer, "recorded by simrun v1, and this is simrun v2") {
		t.Errorf("got %q, %v", answer, err)
	}
	then.TraceHash++
	if _, err = compare(); err == nil || !strings.Contains(err.Error(), "it was recorded by simrun v1, and this is simrun v2: use the build that recorded it") {
		t.Errorf("got %v", err)
	}
	then.Program, then.TraceHash = now.Program, now.TraceHash
	if answer, err = compare(); err != nil || strings.Contains(answer, "recorded by") {
		t.Errorf("got %q, %v", answer, err)
	}
}
