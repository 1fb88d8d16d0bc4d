package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"simrun/scenarios/runner"
)

// traceFlags say where the events of a run go, one line each, and which of them.
type traceFlags struct {
	file     string
	from, to time.Duration
}

func (f *traceFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "trace", "", "write every event to this file, a line each (- for standard error)")
	cmd.Flags().DurationVar(&f.from, "trace-from", 0, "begin the trace at this virtual time")
	cmd.Flags().DurationVar(&f.to, "trace-to", 0, "end the trace before this virtual time (default the end of the run)")
}

// check reports what cannot be meant.
func (f *traceFlags) check() error {
	switch {
	case f.file == "" && (f.from != 0 || f.to != 0):
		return errors.New("--trace-from and --trace-to say which events go into a file: name it with --trace")
	case f.from < 0 || f.to < 0:
		return errors.New("--trace-from and --trace-to count from the beginning of the run: give durations that are not negative")
	case f.to != 0 && f.to <= f.from:
		return fmt.Errorf("--trace-to %v is not after --trace-from %v", f.to, f.from)
	}
	return nil
}

// open lets a run write its events. The function that closes the file returns the
// first error of writing it.
func (f *traceFlags) open(opts *runner.Options, stderr io.Writer) (closeTrace func() error, err error) {
	w, closeTrace, err := openLines("trace", f.file, stderr)
	if err == nil && w != nil {
		opts.Trace, opts.TraceFrom, opts.TraceTo = w, f.from, f.to
	}
	return closeTrace, err
}

// openLines opens a file for lines about a run; "" is none, and then there is no
// writer, "-" is standard error. The function that closes it returns the first error
// of writing it.
func openLines(what, name string, stderr io.Writer) (w io.Writer, closeLines func() error, err error) {
	if name == "" {
		return nil, func() error { return nil }, nil
	}
	out := &output{w: stderr}
	if name == "-" {
		return out, func() error { return nil }, nil
	}
	sign := "# simrun " + what + "\n"
	if info, statErr := os.Stat(name); statErr == nil && info.Mode().IsRegular() && info.Size() > 0 && !begins(name, sign) {
		return nil, nil, fmt.Errorf("cannot write the %s: %s exists and was not written by this command; not overwriting, remove it or choose another name", what, name)
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write the %s: %w", what, err)
	}
	out.w = file
	fmt.Fprint(out, sign)
	return out, func() error {
		if err := file.Close(); out.err == nil {
			out.err = err
		}
		if out.err != nil {
			return fmt.Errorf("cannot write the %s: %w", what, out.err)
		}
		return nil
	}, nil
}
