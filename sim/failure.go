package sim

import (
	"cmp"
	"fmt"
	"iter"
	"path"
	"strings"
	"time"

	"simrun/nodes/env"
)

// Failure is a panic in simulated code, with the stack of the task or callback
// that raised it.
type Failure struct {
	Value any
	At    time.Duration
	Node  env.Addr // on which it ran; 0: none, or nobody knows
	Task  string   // empty: a callback
	Stack []byte
}

func (f *Failure) Error() string {
	where := "callback"
	if f.Task != "" {
		where = "task " + f.Task
	}
	if place := f.place(); place != "" {
		where += ", " + place
	}
	return fmt.Sprintf("panic at %v in %s: %v", f.At, where, f.Value)
}

// Unwrap returns the panic's value if it is an error.
func (f *Failure) Unwrap() error {
	err, _ := f.Value.(error)
	return err
}

// Calls returns the calls that led to the panic, the innermost first, up to the one by which
// the simulator came to them: function and line of each. Unlike the stack they are the same in
// every run, for neither addresses nor the folder of the program are in them.
func (f *Failure) Calls() (calls []string) {
	for name, place := range f.frames() {
		if len(calls) > 0 && strings.HasPrefix(name, "simrun/sim.(") {
			break
		}
		calls = append(calls, name+" ("+place+")")
	}
	return calls
}

// Function returns the function in which the panic was raised, as far as the stack tells: the
// innermost of the calls that is not of the standard library, or else the innermost one.
func (f *Failure) Function() string {
	name, _, _ := strings.Cut(f.call(), " ")
	return name
}

// place returns file and line of the Function, "" if the stack does not tell.
func (f *Failure) place() string {
	_, place, _ := strings.Cut(f.call(), " ")
	return strings.Trim(place, "()")
}

func (f *Failure) call() (innermost string) {
	for _, call := range f.Calls() {
		if name, _, _ := strings.Cut(call, " "); !standard(name) {
			return call
		}
		innermost = cmp.Or(innermost, call)
	}
	return innermost
}

// standard reports whether a function is of the standard library, by the first element of its
// package's path. Modules of one's own have other names, with or without a dot in them.
func standard(name string) bool {
	const first = " archive bufio builtin bytes cmp compress container context crypto database debug embed encoding errors expvar flag fmt go hash html " +
		"image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv strings structs sync syscall " +
		"testing text time unicode unique unsafe vendor weak "
	element := name[:max(strings.IndexAny(name, "./"), 0)]
	return element != "" && strings.Contains(first, " "+element+" ")
}

// frames goes through the calls that led to the panic, those of the runtime aside: the
// name of each function, and file and line without the folder.
func (f *Failure) frames() iter.Seq2[string, string] {
	return func(yield func(name, place string) bool) {
		_, frames, _ := strings.Cut(string(f.Stack), "\npanic(")
		called := ""
		for line := range strings.Lines(frames) {
			if name, isCall := function(line); isCall {
				called = name
				continue
			}
			if called == "" || strings.HasPrefix(called, "runtime.") {
				continue
			}
			place, _, _ := strings.Cut(path.Base(strings.TrimSpace(line)), " ")
			if !yield(called, place) {
				return
			}
		}
	}
}

// function returns the name in a line of a stack that names a call, such as
// main.(*T).f(0x1, 0x2).
func function(line string) (name string, ok bool) {
	end := strings.LastIndexByte(line, '(')
	if strings.HasPrefix(line, "\t") || end <= 0 || !strings.Contains(line[:end], ".") {
		return "", false
	}
	return line[:end], true
}
