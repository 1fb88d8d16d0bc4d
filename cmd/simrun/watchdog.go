package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// watchdog ends a worker process that will not finish its job. It goes by the
// processor time that the worker has used, not by the clock on the wall: where
// others take the machine, a seed that needs seconds takes minutes and is as good
// as any other. A worker that loops for ever uses up its processor time; one that
// waits for ever uses none, and is given as much real time as that lasts.
type watchdog struct {
	process *os.Process
	// cpu tells the processor time that a process has used; known is false where
	// nobody tells. Then real time stands for it.
	cpu func(pid int) (used time.Duration, known bool)
	// verdict is why the worker was ended, nil if it was not.
	verdict atomic.Pointer[string]
}

const (
	// watchEvery is how often the watchdog looks, if its limit is not shorter.
	watchEvery = time.Second
	// lastWordsTime is what a worker that is ended has to print its stacks.
	lastWordsTime = 5 * time.Second
)

// guard watches over one job until over is closed. A worker that is ended is
// asked for its stacks, which does it, and killed if not even that helps.
func (w *watchdog) guard(limit time.Duration, over <-chan struct{}) {
	ticker := time.NewTicker(min(watchEvery, max(limit/10, time.Millisecond)))
	defer ticker.Stop()
	m := w.begin(time.Now())
	for {
		select {
		case <-over:
			return
		case now := <-ticker.C:
			if reason := m.look(now, limit); reason != "" {
				w.verdict.Store(&reason)
				askForStacks(w.process)
				kill := time.AfterFunc(lastWordsTime, func() { _ = w.process.Kill() })
				<-over
				kill.Stop()
				return
			}
		}
	}
}

// meter follows what a worker does for one job.
type meter struct {
	read  func(now time.Time) time.Duration
	begun time.Duration // of processor time
	last  time.Duration // likewise, when it was last seen to grow
	since time.Time     // when that was
}

func (w *watchdog) begin(now time.Time) *meter {
	start := now
	m := &meter{since: now, read: func(now time.Time) time.Duration {
		if used, known := w.cpu(w.process.Pid); known {
			return used
		}
		return now.Sub(start)
	}}
	m.begun = m.read(now)
	m.last = m.begun
	return m
}

// look says why the worker is to be ended, "" if it is not.
func (m *meter) look(now time.Time, limit time.Duration) string {
	used := m.read(now)
	if used-m.begun >= limit {
		return fmt.Sprintf("did not finish within %v of processor time", limit)
	}
	if used > m.last {
		m.last, m.since = used, now
	}
	if now.Sub(m.since) >= limit {
		return fmt.Sprintf("did nothing for %v of real time", limit)
	}
	return ""
}
