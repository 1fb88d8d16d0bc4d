package main

import (
	"testing"
	"time"
)

// A worker is ended when its processor time is used up, or when it has not used
// any for as long; not because others have the machine.
func TestMeter(t *testing.T) {
	t.Parallel()
	type look struct {
		at, cpu time.Duration // since the job began
		want    string
	}
	for name, looks := range map[string][]look{
		"starved": {
			{time.Minute, time.Second, ""},
			{3 * time.Minute, 2 * time.Second, ""},
			{time.Hour, 3 * time.Second, ""},
			{time.Hour + time.Minute, 3 * time.Second, ""},
		},
		"looping": {
			{time.Minute, time.Minute, ""},
			{2 * time.Minute, 2 * time.Minute, "did not finish within 2m0s of processor time"},
		},
		"waiting": {
			{time.Second, time.Second, ""},
			{2 * time.Minute, time.Second, ""},
			{2*time.Minute + time.Second, time.Second, "did nothing for 2m0s of real time"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			used := 5 * time.Second // by earlier jobs
			m := &meter{read: func(time.Time) time.Duration { return used }, begun: used, last: used, since: begun}
			for _, l := range looks {
				used = 5*time.Second + l.cpu
				if got := m.look(begun.Add(l.at), 2*time.Minute); got != l.want {
					t.Errorf("after %v and %v of processor time: %q, want %q", l.at, l.cpu, got, l.want)
				}
			}
		})
	}
}

// Where nobody tells the processor time, real time stands for it.
func TestMeterWithoutProcessorTime(t *testing.T) {
	t.Parallel()
	w := &watchdog{process: self(t), cpu: func(int) (time.Duration, bool) { return 0, false }}
	begun := time.Now()
	m := w.begin(begun)
	if got := m.look(begun.Add(time.Minute), 2*time.Minute); got != "" {
		t.Errorf("after half of it: %q", got)
	}
	if got, want := m.look(begun.Add(2*time.Minute), 2*time.Minute), "did not finish within 2m0s of processor time"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
