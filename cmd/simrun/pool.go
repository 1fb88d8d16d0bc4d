package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"simrun/checker"
)

// pool runs jobs in worker processes: one simulation a process at a time, for
// the libraries' global state is the process's. A worker that dies, or that does
// not answer in time, costs the seed that it had and is replaced.
type pool struct {
	program string   // the simrun to start
	source  string   // what the workers run; "" if every job has its plan
	knobs   []string // of the scenario, that are fixed
	workers int
	// gomaxprocs of each worker; 0 leaves the machine's.
	gomaxprocs int
	// timeout is the processor time that a run may take; a job of several runs has
	// it several times. 0 is seedTimeoutDefault.
	timeout time.Duration
	// limit is the real time after which no more jobs are given out; 0 is none.
	// Those under way have a grace to finish.
	limit time.Duration
	// unfinished are the jobs that were under way when run ended, in the order of
	// their seeds, and longest is the real time that a job took which was answered.
	unfinished []unfinished
	longest    time.Duration
	// stderr gets what a worker that died has said; nil is standard error.
	stderr io.Writer
}

const (
	// seedTimeoutDefault is far above what a seed takes.
	seedTimeoutDefault = 2 * time.Minute
	// deathsMax is how many workers may be lost in a row, none answering, before
	// the fault is taken to be the program's and not a seed's.
	deathsMax = 5
	// graceMin and graceMax bound how long the jobs under way may go on when the time
	// is over: twice what the longest took, for it is a pity to throw away a seed that
	// is almost done.
	graceMin, graceMax = time.Second, 10 * time.Second
)

// unfinished is a job without an answer, and the real time that it had.
type unfinished struct {
	seed uint64
	ran  time.Duration
}

// errDeaths ends a hunt whose workers only die.
var errDeaths = errors.New("no worker answers")

// run feeds the workers from next, which returns false when there is nothing
// left, and hands every answer to take. A job that says later lets a worker wait for the
// next answer; it is for those that depend on answers. Neither is called concurrently. It
// returns when all answers are there, soon after ctx has ended, or after the
// pool's limit.
func (p *pool) run(ctx context.Context, next func() (job, bool), take func(answer)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &dispatcher{ctx: ctx, next: next, take: take}
	d.changed.L = &d.mu
	defer context.AfterFunc(ctx, d.wake)()
	if p.limit > 0 {
		over := time.AfterFunc(p.limit, func() {
			grace := time.NewTimer(d.close())
			defer grace.Stop()
			select {
			case <-grace.C:
				cancel()
			case <-ctx.Done():
			}
		})
		defer over.Stop()
	}
	var group sync.WaitGroup
	for range p.workers {
		group.Go(func() {
			for d.open() {
				if err := p.worker(ctx, d); err != nil {
					d.fail(err)
				}
			}
		})
	}
	group.Wait()
	slices.SortFunc(d.unfinished, func(a, b unfinished) int { return cmp.Compare(a.seed, b.seed) })
	p.unfinished, p.longest = d.unfinished, d.longest
	return d.err
}

// dispatcher is what the workers of a pool share.
type dispatcher struct {
	mu sync.Mutex
	// changed is signalled when a worker that was told to wait may have another answer.
	changed sync.Cond
	ctx     context.Context
	next    func() (job, bool)
	take    func(answer)
	done    bool  // next has said so
	deaths  int   // workers lost since the last answer
	losses  int   // workers lost in all
	err     error // why no more jobs are given out

	longest    time.Duration // that a job took which was answered
	unfinished []unfinished  // when ctx ended
}

// close lets no more jobs be given out, and returns how long those under way may
// go on.
func (d *dispatcher) close() (grace time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = true
	d.changed.Broadcast()
	return min(max(2*d.longest, graceMin), graceMax)
}

// open reports whether there may be another job.
func (d *dispatcher) open() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.done && d.err == nil && d.ctx.Err() == nil
}

// wake lets those who wait look again.
func (d *dispatcher) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed.Broadcast()
}

func (d *dispatcher) job() (job, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.done && d.err == nil && d.ctx.Err() == nil {
		j, ok := d.next()
		switch {
		case !ok:
			d.done = true
			d.changed.Broadcast()
		case j.later:
			d.changed.Wait()
		default:
			return j, true
		}
	}
	return job{}, false
}

func (d *dispatcher) answer(a answer, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deaths = 0
	d.longest = max(d.longest, took)
	d.take(a)
	d.changed.Broadcast()
}

// lose answers for a worker that was lost over a seed: nobody knows its verdict.
func (d *dispatcher) lose(over unfinished, signature, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.changed.Broadcast()
	if d.ctx.Err() != nil { // it was killed because all is over
		d.unfinished = append(d.unfinished, over)
		return
	}
	d.take(lostAnswer(over.seed, signature, reason))
	d.deaths++
	if d.deaths >= deathsMax && d.err == nil {
		d.err = fmt.Errorf("%w: %d were lost in a row, the last over seed %d: %s", errDeaths, d.deaths, over.seed, reason)
	}
}

// didNotFinish is the kind of failure of a seed that took too long.
const didNotFinish = "did not finish"

// lostAnswer is the answer for a seed of which nobody knows the verdict.
func lostAnswer(seed uint64, signature, reason string) answer {
	return answer{
		Seed: seed, Verdict: checker.Unknown, Signature: checker.Unknown.String() + " " + signature, Message: reason,
		Checkers: []checker.Result{{Checker: "worker", Verdict: checker.Unknown, Reason: reason}},
	}
}

// tellLoss counts a lost worker, and reports whether its last words are shown:
// those of the first few suffice.
func (d *dispatcher) tellLoss() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.losses++
	return d.losses <= toldMax && d.ctx.Err() == nil
}

func (d *dispatcher) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil && d.ctx.Err() == nil {
		d.err = err
	}
	d.changed.Broadcast()
}

// worker drives one worker process until there is nothing left or it is lost.
func (p *pool) worker(ctx context.Context, d *dispatcher) error {
	args := []string{"worker"}
	if p.source != "" {
		args = append(append(args, p.source), knobArgs(p.knobs)...)
	}
	cmd := exec.CommandContext(ctx, p.program, args...) // it is this program, or one that we have built
	// Garbage is collected rarely as long as there is little of it. The limit is
	// above what a seed lives on, its recorded trace included: below, garbage
	// would be collected all the time.
	cmd.Env = append(os.Environ(), "GOGC=400", "GOMEMLIMIT=400MiB")
	if p.gomaxprocs > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GOMAXPROCS=%d", p.gomaxprocs))
	}
	said := &head{}
	cmd.Stderr = said
	detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start a worker: %w", err)
	}
	w := &worker{
		in: json.NewEncoder(in), out: json.NewDecoder(bufio.NewReader(out)), timeout: p.timeout,
		dog: watchdog{process: cmd.Process, cpu: processCPU},
	}
	lost := w.converse(d)
	_ = in.Close()
	waitErr := cmd.Wait()
	switch {
	case lost == nil && waitErr != nil && ctx.Err() == nil:
		return fmt.Errorf("a worker ended badly after its last seed: %w%s", waitErr, said.cause())
	case lost == nil:
		return nil
	}
	if d.tellLoss() {
		p.mourn(said)
	}
	if reason := w.dog.verdict.Load(); reason != nil {
		d.lose(*lost, didNotFinish, *reason)
	} else {
		d.lose(*lost, "worker died", fmt.Sprintf("the worker process died (%v)%s", waitErr, said.cause()))
	}
	return nil
}

// mourn shows the last words of a worker.
func (p *pool) mourn(said *head) {
	w := p.stderr
	if w == nil {
		w = os.Stderr
	}
	_, _ = w.Write(said.text)
}

// worker is a running worker process.
type worker struct {
	in      *json.Encoder
	out     *json.Decoder
	timeout time.Duration
	dog     watchdog
}

// converse sends jobs and reads answers, one at a time. It returns the job over
// which the worker was lost, if it was.
func (w *worker) converse(d *dispatcher) (lost *unfinished) {
	for {
		j, ok := d.job()
		if !ok {
			return nil
		}
		begun := time.Now()
		a, err := w.ask(j)
		took := time.Since(begun)
		if err != nil {
			return &unfinished{j.Seed, took}
		}
		d.answer(a, took)
	}
}

// ask has the worker do one job, under the eyes of the watchdog.
func (w *worker) ask(j job) (a answer, err error) {
	if err = w.in.Encode(j); err != nil {
		return a, err
	}
	over, guarded := make(chan struct{}), make(chan struct{})
	go func() {
		w.dog.guard(w.limit(j), over)
		close(guarded)
	}()
	err = w.out.Decode(&a)
	close(over)
	<-guarded
	return a, err
}

// limit is the processor time for a job.
func (w *worker) limit(j job) time.Duration {
	timeout := w.timeout
	if timeout == 0 {
		timeout = seedTimeoutDefault
	}
	return timeout * time.Duration(1+len(j.Procs))
}

// head keeps the beginning of what a worker writes to standard error: of a
// crash that is the reason and the first stacks.
type head struct{ text []byte }

const headMax = 32 << 10

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), headMax-len(h.text))]...)
	return len(p), nil
}

// cause finds the line that tells why the process died.
func (h *head) cause() string {
	for line := range strings.Lines(string(h.text)) {
		for _, prefix := range []string{"panic: ", "fatal error: ", "simrun: "} {
			if strings.HasPrefix(line, prefix) {
				return ": " + strings.TrimSpace(line)
			}
		}
	}
	return ""
}
