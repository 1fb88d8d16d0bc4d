package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// pool runs jobs in worker processes: one simulation a process at a time, for
// the libraries' global state is the process's.
type pool struct {
	program string // the simrun to start
	source  string // what the workers run
	workers int
	// gomaxprocs of each worker; 0 leaves the machine's.
	gomaxprocs int
}

// run feeds the workers from next, which returns false when there is nothing
// left, and hands every answer to take. Neither is called concurrently. It
// returns when all answers are there, or soon after ctx has ended.
func (p *pool) run(ctx context.Context, next func() (job, bool), take func(answer)) error {
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		first error
	)
	for range p.workers {
		group.Add(1)
		go func() {
			defer group.Done()
			err := p.worker(ctx, func() (job, bool) {
				mu.Lock()
				defer mu.Unlock()
				if ctx.Err() != nil || first != nil {
					return job{}, false
				}
				return next()
			}, func(a answer) {
				mu.Lock()
				defer mu.Unlock()
				take(a)
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil && ctx.Err() == nil && first == nil {
				first = err
			}
		}()
	}
	group.Wait()
	return first
}

// worker drives one worker process.
func (p *pool) worker(ctx context.Context, next func() (job, bool), take func(answer)) error {
	cmd := exec.CommandContext(ctx, p.program, "worker", p.source) //nolint:gosec // it is this program, or one that we have built
	cmd.Env = append(os.Environ(), "GOGC=400")
	if p.gomaxprocs > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GOMAXPROCS=%d", p.gomaxprocs))
	}
	cmd.Stderr = os.Stderr
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
	err = converse(in, out, next, take)
	_ = in.Close()
	if waitErr := cmd.Wait(); err == nil && waitErr != nil {
		err = fmt.Errorf("a worker ended: %w", waitErr)
	}
	return err
}

// converse sends jobs and reads answers, one at a time.
func converse(in io.Writer, out io.Reader, next func() (job, bool), take func(answer)) error {
	encoder := json.NewEncoder(in)
	decoder := json.NewDecoder(bufio.NewReader(out))
	for {
		j, ok := next()
		if !ok {
			return nil
		}
		if err := encoder.Encode(j); err != nil {
			return fmt.Errorf("seed %d: the worker is gone: %w", j.Seed, err)
		}
		var a answer
		if err := decoder.Decode(&a); err != nil {
			return fmt.Errorf("seed %d: the worker died: %w; run the seed alone to see why", j.Seed, err)
		}
		take(a)
	}
}
