// Package invariant holds the checks that are always on and the marks that
// count how often rare branches were taken.
//
// A failed check is a bug of the program, never a condition that can arise in
// operation: it panics with a Violation, which ends the simulation with a
// verdict. A mark is declared once, as a package variable, and hit where the
// branch is taken:
//
//	var markRetry = invariant.NewMark("client: retried after a lost response")
//	...
//	markRetry.Reached()
package invariant

import (
	"fmt"
	"slices"
	"strings"
)

// Violation is the value with which a failed check panics.
type Violation struct {
	Message string
	Format  string // of the message: the same for every case of one check
}

func (v Violation) Error() string { return "invariant violated: " + v.Message }

// Check panics with a Violation unless ok holds.
func Check(ok bool, format string, args ...any) {
	if !ok {
		Fail(format, args...)
	}
}

// Fail panics with a Violation. Use it where the condition is costly to write
// as an argument.
func Fail(format string, args ...any) {
	panic(Violation{Message: fmt.Sprintf(format, args...), Format: format})
}

// Mark counts how often one rare branch was taken since the last Reset.
type Mark struct {
	name  string
	count uint64
}

//nolint:gochecknoglobals // the registry of marks: one per process, as one process runs one simulation at a time
var marks []*Mark

// NewMark declares a mark. Names are unique; the part before the colon is the
// package.
func NewMark(name string) *Mark {
	m := &Mark{name: name}
	marks = append(marks, m)
	return m
}

// Reached counts one passage.
func (m *Mark) Reached() { m.count++ }

// Sometimes counts a passage on which ok holds, and returns ok.
func (m *Mark) Sometimes(ok bool) bool {
	if ok {
		m.count++
	}
	return ok
}

// Count is what a mark has counted.
type Count struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// Counts returns all marks of the program, sorted by name, the unreached ones
// included.
func Counts() []Count {
	counts := make([]Count, len(marks))
	for i, m := range marks {
		counts[i] = Count{m.name, m.count}
	}
	slices.SortFunc(counts, func(a, b Count) int { return strings.Compare(a.Name, b.Name) })
	return counts
}

// Reset sets all marks to zero, at the start of a simulation.
func Reset() {
	for _, m := range marks {
		m.count = 0
	}
}
