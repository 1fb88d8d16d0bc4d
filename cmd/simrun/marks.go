package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"simrun/nodes/invariant"
)

// marks sums up which rare branches were reached over runs.
type marks map[string]*markSum

// markSum is what is known of one mark.
type markSum struct {
	count uint64 // passages, over all runs
	runs  int    // in which there was one
}

// add takes the marks of a run, the unreached ones included.
func (m marks) add(counts []invariant.Count) {
	for _, c := range counts {
		s := m[c.Name]
		if s == nil {
			s = &markSum{}
			m[c.Name] = s
		}
		s.count += c.Count
		if c.Count > 0 {
			s.runs++
		}
	}
}

// markGroup is the marks of one package, by name.
type markGroup struct {
	name    string
	marks   []string // without the name of the package
	reached int
}

// groups sorts the marks by package: the part of a mark's name before the colon.
func (m marks) groups() []*markGroup {
	var list []*markGroup
	for _, name := range slices.Sorted(maps.Keys(m)) {
		pkg, branch, _ := strings.Cut(name, ": ")
		if len(list) == 0 || list[len(list)-1].name != pkg {
			list = append(list, &markGroup{name: pkg})
		}
		g := list[len(list)-1]
		g.marks = append(g.marks, branch)
		if m[name].count > 0 {
			g.reached++
		}
	}
	return list
}

// summary prints how many marks were reached and, if they are to be listed, names
// those of each package that were not: a branch that no run takes is one that no
// run tests.
func (m marks) summary(w io.Writer, list bool) {
	if len(m) == 0 {
		return
	}
	reached := 0
	for _, s := range m {
		if s.count > 0 {
			reached++
		}
	}
	if !list {
		fmt.Fprintf(w, "%d of %d rare branches reached; --marks lists them\n", reached, len(m))
		return
	}
	fmt.Fprintf(w, "%d of %d rare branches reached\n", reached, len(m))
	for _, g := range m.groups() {
		switch {
		case g.reached == len(g.marks):
			continue
		case g.reached == 0:
			fmt.Fprintf(w, "  %s: none of %d\n", g.name, len(g.marks))
			continue
		}
		fmt.Fprintf(w, "  %s: %d of %d, and never\n", g.name, g.reached, len(g.marks))
		for _, branch := range g.marks {
			if m[g.name+": "+branch].count == 0 {
				fmt.Fprintf(w, "    %s\n", branch)
			}
		}
	}
}

// table prints every mark with its passages and, of several runs, in how many
// there was one.
func (m marks) table(w io.Writer, runs int) {
	for _, g := range m.groups() {
		fmt.Fprintf(w, "%s, %d of %d\n", g.name, g.reached, len(g.marks))
		for _, branch := range g.marks {
			s := m[g.name+": "+branch]
			switch {
			case s.count == 0:
				fmt.Fprintf(w, "%12s  %s\n", "never", branch)
			case runs == 1:
				fmt.Fprintf(w, "%12d  %s\n", s.count, branch)
			default:
				fmt.Fprintf(w, "%12d  %s (in %d of %d seeds)\n", s.count, branch, s.runs, runs)
			}
		}
	}
}
