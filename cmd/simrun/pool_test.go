package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/checker"
)

// fakeWorker is a worker process whose source says how it goes wrong over seed
// 3, or over all of them.
func fakeWorker() {
	decoder := json.NewDecoder(os.Stdin)
	for {
		var j job
		if decoder.Decode(&j) != nil {
			return
		}
		if mode := os.Args[2]; j.Seed == 3 || strings.HasPrefix(mode, "always ") {
			switch strings.TrimPrefix(mode, "always ") {
			case "hang":
				time.Sleep(time.Hour)
			case "nap":
				time.Sleep(300 * time.Millisecond)
			case "spin":
				for {
					spin(time.Second)
				}
			case "starve":
				// It takes four times the limit of the test, in which it uses a part.
				for range 40 {
					time.Sleep(100 * time.Millisecond)
					spin(15 * time.Millisecond)
				}
			case "panic":
				panic("over a seed")
			case "exit":
				fmt.Fprintln(os.Stderr, "simrun: the disk is full")
				os.Exit(exitUsage)
			case "garbage":
				fmt.Println("this is no answer")
				os.Exit(exitOK)
			}
		}
		fmt.Printf("{\"seed\":%d,\"verdict\":\"OK\"}\n", j.Seed)
	}
}

// spin works for a while.
func spin(d time.Duration) {
	for begun := time.Now(); time.Since(begun) < d; {
	}
}

// self returns this process.
func self(t *testing.T) *os.Process {
	t.Helper()
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A worker to which others leave little of the machine is waited for.
func TestStarvedWorker(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	p := fakePool(t, "starve", &stderr)
	p.timeout = time.Second
	var ok []uint64
	begun := time.Now()
	err := p.run(t.Context(), queueOf([]uint64{1, 3}, nil), func(a answer) {
		if a.Verdict == checker.OK {
			ok = append(ok, a.Seed)
		}
	})
	if err != nil || !slices.Equal(ok, []uint64{1, 3}) || time.Since(begun) < 4*p.timeout {
		t.Errorf("after %v: %v, seeds %v are OK: %s", time.Since(begun), err, ok, stderr.String())
	}
}

// fakePool returns a pool of fake workers.
func fakePool(t *testing.T, mode string, stderr *bytes.Buffer) *pool {
	t.Helper()
	program, err := exec.LookPath("fakeworker")
	if err != nil {
		t.Fatal(err)
	}
	return &pool{program: program, source: mode, workers: 1, timeout: 10 * time.Second, stderr: stderr}
}

// A worker that is lost over a seed is replaced: that seed is UNKNOWN and named,
// and all others are answered.
func TestLostWorkers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, signature, message, said string
	}{
		{"hang", "UNKNOWN did not finish", "did nothing for 1s of real time", "SIGQUIT"},
		{"spin", "UNKNOWN did not finish", "did not finish within 1s of processor time", "SIGQUIT"},
		{"panic", "UNKNOWN worker died", "the worker process died (exit status 2): panic: over a seed", "goroutine 1"},
		{"exit", "UNKNOWN worker died", "the worker process died (exit status 2): simrun: the disk is full", "the disk is full"},
		{"garbage", "UNKNOWN worker died", "the worker process died (", ""},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			p := fakePool(t, c.mode, &stderr)
			if c.mode == "hang" || c.mode == "spin" {
				p.timeout = time.Second
			}
			var lost answer
			var ok []uint64
			err := p.run(t.Context(), queueOf([]uint64{1, 2, 3, 4, 5}, nil), func(a answer) {
				if a.Verdict == checker.OK {
					ok = append(ok, a.Seed)
				} else {
					lost = a
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(ok, []uint64{1, 2, 4, 5}) {
				t.Errorf("seeds %v are OK", ok)
			}
			if lost.Seed != 3 || lost.Verdict != checker.Unknown || lost.Signature != c.signature || !strings.HasPrefix(lost.Message, c.message) {
				t.Errorf("got %+v", lost)
			}
			if !strings.Contains(stderr.String(), c.said) {
				t.Errorf("the last words are %q", stderr.String())
			}
		})
	}
}

// A program whose workers only die is not started for ever.
func TestWorkersThatOnlyDie(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	seed := uint64(0)
	lost := 0
	p := fakePool(t, "always exit", &stderr)
	err := p.run(t.Context(), func() (job, bool) { seed++; return job{Seed: seed}, true }, func(answer) { lost++ })
	if !errors.Is(err, errDeaths) || !strings.Contains(err.Error(), "over seed 5: the worker process died (exit status 2): simrun: the disk is full") {
		t.Errorf("got %v", err)
	}
	if lost != deathsMax {
		t.Errorf("%d seeds were answered", lost)
	}
	if n := strings.Count(stderr.String(), "full"); n != toldMax {
		t.Errorf("the last words of %d workers are shown", n)
	}
}

// The end of the context ends the workers at once, and what they had under way
// is not told as lost.
func TestPoolCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var stderr bytes.Buffer
	p := fakePool(t, "hang", &stderr)
	var answers []uint64
	err := p.run(ctx, queueOf([]uint64{1, 3, 4}, nil), func(a answer) {
		answers = append(answers, a.Seed)
		time.AfterFunc(100*time.Millisecond, cancel) // while it hangs over 3
	})
	if err != nil || !slices.Equal(answers, []uint64{1}) || stderr.Len() > 0 {
		t.Errorf("got %v, answers %v, said %q", err, answers, stderr.String())
	}
	if len(p.unfinished) != 1 || p.unfinished[0].seed != 3 {
		t.Errorf("unfinished: %+v", p.unfinished)
	}
}

// When the time is over no more seeds are begun, one under way may finish, and
// one that does not is told with the time that it had.
func TestPoolLimit(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	p := fakePool(t, "hang", &stderr)
	p.limit = 3 * time.Second
	begun := time.Now()
	seeds := 0
	if err := p.run(t.Context(), queueOf([]uint64{1, 3, 4}, nil), func(answer) { seeds++ }); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	if took < p.limit+graceMin || took > p.timeout || seeds != 1 {
		t.Errorf("%d answers after %v", seeds, took)
	}
	if len(p.unfinished) != 1 || p.unfinished[0].seed != 3 || p.unfinished[0].ran < graceMin || p.longest == 0 {
		t.Errorf("unfinished: %+v, longest %v", p.unfinished, p.longest)
	}
	p = fakePool(t, "nap", &stderr)
	p.limit = 200 * time.Millisecond
	var answered []uint64
	if err := p.run(t.Context(), queueOf([]uint64{3, 4, 5}, nil), func(a answer) { answered = append(answered, a.Seed) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(answered, []uint64{3}) || len(p.unfinished) > 0 {
		t.Errorf("answered %v, unfinished %+v", answered, p.unfinished)
	}
}

func TestPoolWithoutProgram(t *testing.T) {
	t.Parallel()
	p := &pool{program: "/does/not/exist", workers: 2}
	err := p.run(t.Context(), queueOf([]uint64{1}, nil), func(answer) { t.Error("an answer") })
	if err == nil || !strings.HasPrefix(err.Error(), "cannot start a worker: ") {
		t.Errorf("got %v", err)
	}
}

// A job of several runs has the time of several runs.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	w := &worker{}
	if got := w.limit(job{}); got != seedTimeoutDefault {
		t.Errorf("got %v", got)
	}
	w.timeout = time.Second
	if got := w.limit(job{Procs: []int{1, 1, 2, 8}}); got != 5*time.Second {
		t.Errorf("got %v", got)
	}
}
