package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// The table of detections stands between two lines that a reader of the page
// does not see. What is outside of them is written by people.
const (
	tableBegin = "<!-- planted bugs: the rows from here on are written by simrun planted --markdown -->"
	tableEnd   = "<!-- planted bugs: end of the rows -->"
)

// tableHead is what the table begins with.
var tableHead = []string{ //nolint:gochecknoglobals // a constant
	"| bug | layer | what was changed | like | scenario | seeds | CPU-s | found by |",
	"|---|---|---|---|---|---:|---:|---|",
}

// rowID finds the bug that a row is of.
var rowID = regexp.MustCompile(`^\| *([A-Z][0-9]+[a-z]?) *\|`)

// page is a file with a table of detections.
type page struct {
	// before ends with the line tableBegin, after begins with tableEnd.
	before, after string
	// rows are whole lines without their ends, at most one of each bug.
	rows map[string]string
}

// updateDetections puts what was found now into the table of a file, in the
// place of the rows that the same bugs had; the rest of the file stays. A file
// that is not there is written whole. The file is read anew each time, so that
// what somebody writes around the table during a long hunt is not lost.
func updateDetections(name string, found []detection, limit uint64) error {
	text, err := os.ReadFile(name)
	var p *page
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p = newPage(limit)
	case err != nil:
		return fmt.Errorf("cannot read the table of planted bugs: %w", err)
	default:
		if p, err = parsePage(name, string(text)); err != nil {
			return err
		}
	}
	for _, d := range found {
		p.rows[d.bug.ID] = d.row()
	}
	// Whole or not at all: it was measured for hours and written by people.
	file, err := openOut(name, "")
	if err == nil {
		_, err = file.WriteString(p.String())
		err = file.keep(err)
	}
	if err != nil {
		return fmt.Errorf("cannot write the table of planted bugs: %w", err)
	}
	return nil
}

// newPage is what a file begins with.
func newPage(limit uint64) *page {
	var b strings.Builder
	b.WriteString("# Planted bugs and how they are found\n\n")
	b.WriteString("The rows are written by `simrun planted --markdown`. Each bug is planted alone; the hunt runs seeds from 1 on until\n")
	fmt.Fprintf(&b, "the first violation, at most %d. CPU-seconds are those of the runs, without building.\n\n", limit)
	b.WriteString(tableBegin + "\n")
	return &page{before: b.String(), after: tableEnd + "\n", rows: map[string]string{}}
}

// parsePage reads a file with a table. An error names the file and, where there
// is one, the line.
func parsePage(name, text string) (*page, error) {
	_, begin, ok := findLine(text, tableBegin)
	if !ok {
		return nil, noMarker(name, tableBegin)
	}
	length, _, ok := findLine(text[begin:], tableEnd)
	if !ok {
		return nil, noMarker(name, tableEnd)
	}
	p := &page{before: text[:begin], after: text[begin+length:], rows: map[string]string{}}
	number := strings.Count(p.before, "\n")
	for line := range strings.Lines(text[begin : begin+length]) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || slices.Contains(tableHead, line) {
			continue
		}
		m := rowID.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%s:%d: this is no row of a planted bug: move it out of the table", name, number)
		}
		if _, twice := p.rows[m[1]]; twice {
			return nil, fmt.Errorf("%s:%d: %s has two rows: delete one", name, number, m[1])
		}
		p.rows[m[1]] = line
	}
	return p, nil
}

// noMarker says how a file gets what the command needs to find the table in it.
func noMarker(name, marker string) error {
	return fmt.Errorf("%s lacks the line %s, without which the table cannot be told from what people wrote: put the table between %s and %s, or name a file that is not there",
		name, marker, tableBegin, tableEnd)
}

// findLine returns where the line begins and ends that is the marker and nothing
// else.
func findLine(text, marker string) (from, to int, ok bool) {
	for line := range strings.Lines(text) {
		to = from + len(line)
		if strings.TrimRight(line, "\r\n") == marker {
			return from, to, true
		}
		from = to
	}
	return 0, 0, false
}

// String is the text of the file, the rows in the order of their bugs.
func (p *page) String() string {
	var b strings.Builder
	b.WriteString(p.before)
	for _, line := range tableHead {
		b.WriteString(line + "\n")
	}
	for _, id := range slices.Sorted(maps.Keys(p.rows)) {
		b.WriteString(p.rows[id] + "\n")
	}
	b.WriteString(p.after)
	return b.String()
}

// row is the detection's line of the table.
func (d detection) row() string {
	by, _, _ := strings.Cut(d.signature, ": ") // which of the checks does not fit into a table
	if !d.found {
		by = "**not found**"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %d | %s | %s |",
		d.bug.ID, d.bug.Layer, d.bug.About, d.bug.Reference, d.where(), d.seeds, seconds(d.cpu), strings.ReplaceAll(by, "|", `\|`))
}
