package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"simrun/scenarios/runner"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	if o, ok := w.(*output); ok {
		w = o.w
	}
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// progressLine returns a function that shows how far a run is, nil where nobody
// looks, and one that takes the line away.
func progressLine(w io.Writer) (show func(runner.Progress), takeAway func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(w), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSpinnerType(14))
	show = func(p runner.Progress) {
		bar.Describe(fmt.Sprintf("%-5s %8v  %d operations, %d faults, %d events",
			p.Phase, p.Virtual.Round(time.Millisecond), p.Operations, p.Faults, p.Events))
		_ = bar.Add(1)
	}
	return show, func() { _ = bar.Finish() }
}

// seedBar returns a bar over n seeds (negative: unknown), nil where nobody
// looks.
func seedBar(w io.Writer, n int) *progressbar.ProgressBar { return countBar(w, n, "seeds") }

// runBar returns a bar over runs whose number nobody knows, nil where nobody looks.
func runBar(w io.Writer) *progressbar.ProgressBar { return countBar(w, -1, "runs") }

func countBar(w io.Writer, n int, nouns string) *progressbar.ProgressBar {
	if !isTerminal(w) {
		return nil
	}
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(w), progressbar.OptionThrottle(200*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(nouns))
}
