package reports

import (
	"slices"
	"strings"
)

// Wait is somebody or something that could not go on when a run ended: a client,
// a region, a peer, a lock. Together they are the graph of who waits for what.
type Wait struct {
	// Who is its name, which no other one has.
	Who string `json:"who"`
	// State says what it does, or what it lacks.
	State string `json:"state"`
	// For holds the names of what it waits for.
	For []string `json:"for,omitempty"`
	// Lost: it will never go on, for the faults have destroyed what it needs.
	Lost bool `json:"lost,omitempty"`
}

// waitLine is one line of the graph, drawn as a tree.
type waitLine struct {
	Depth int
	Wait
	Again bool // it was told before, with what it waits for
}

// waitLines draws the graph as a tree, from those for whom nobody waits. What is
// reached again is named only.
func waitLines(waits []Wait) (lines []waitLine) {
	byName := map[string]*Wait{}
	wanted := map[string]bool{}
	for i := range waits {
		w := &waits[i]
		byName[w.Who] = w
		for _, name := range w.For {
			wanted[name] = wanted[name] || name != w.Who
		}
	}
	told := map[string]bool{}
	var tell func(w *Wait, depth int)
	tell = func(w *Wait, depth int) {
		lines = append(lines, waitLine{depth, *w, told[w.Who]})
		if told[w.Who] {
			return
		}
		told[w.Who] = true
		for _, name := range w.For {
			next := byName[name]
			// An operator on a region that was told waits for it: its name says so.
			if said := told[name] && strings.HasSuffix(w.Who, " "+name); next != nil && !said {
				tell(next, depth+1)
			}
		}
	}
	for i := range waits {
		if !wanted[waits[i].Who] {
			tell(&waits[i], 0)
		}
	}
	for i := range waits { // what is left waits in circles
		if !told[waits[i].Who] {
			tell(&waits[i], 0)
		}
	}
	return lines
}

// words is the line without its indentation.
func (l waitLine) words() string {
	switch {
	case l.Again:
		return l.Who + ": as above"
	case l.Lost:
		return l.Who + ": LOST: " + l.State
	}
	return l.Who + ": " + l.State
}

// waits tells who waits for what.
func (t *text) waits() {
	lines := waitLines(t.r.Waits)
	if len(lines) == 0 {
		return
	}
	t.line("  who waits for what")
	for i, l := range lines {
		if i == waitLinesMax {
			t.line("    and %s", plural(len(lines)-i, "more line"))
			break
		}
		indent := strings.Repeat("  ", l.Depth+2)
		t.wrapped(indent, indent+"  ", l.words())
	}
	t.line("")
}

// waitLinesMax bounds what the terminal shows; result.json and the page have it
// all.
const waitLinesMax = 60

// pageWaits is the tree for the page: nested by depth.
func pageWaits(waits []Wait) []pageWait {
	var lines []pageWait
	for _, l := range waitLines(waits) {
		lines = append(lines, pageWait{Indent: l.Depth * 2, Who: Visible(l.Who), Words: Visible(strings.TrimPrefix(l.words(), l.Who+": ")), Lost: l.Lost})
	}
	return slices.Clip(lines)
}

// pageWait is one line of the tree; Indent is in ems.
type pageWait struct {
	Indent     int
	Who, Words string
	Lost       bool
}
