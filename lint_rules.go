//go:build ruleguard

// Package simrun holds, at the root, only the project's own lint rules. They are not compiled into
// anything: gocritic interprets them (see .golangci.yml).
package simrun

import "github.com/quasilyte/go-ruleguard/dsl"

// Every rule is restricted to the packages whose code runs inside the
// simulation, where everything must be a function of the seed; their tests are
// not meant, and neither is the conversion of histories from other tools. The
// condition is repeated because rules cannot share one.

// goroutine reports what leaves the order of events to the Go scheduler.
func goroutine(m dsl.Matcher) {
	m.Match(`go $f($*args)`).
		Where(m.File().PkgPath.Matches(`^simrun/(nodes|sim|network|faults|scenarios/(cluster|workload|runner|bareraft|chain|trial))(/|$)`) &&
			!m.File().PkgPath.Matches(`^simrun/sim/history/jepsen$`) && !m.File().Name.Matches(`_test\.go$`)).
		Report(`a goroutine runs whenever the scheduler likes; use a task`)
	m.Match(`select { $*clauses }`).
		Where(m.File().PkgPath.Matches(`^simrun/(nodes|sim|network|faults|scenarios/(cluster|workload|runner|bareraft|chain|trial))(/|$)`) &&
			!m.File().PkgPath.Matches(`^simrun/sim/history/jepsen$`) && !m.File().Name.Matches(`_test\.go$`)).
		Report(`select chooses at random; use a future or a wait queue`)
}

// mapOrder reports iteration over maps. Where the order provably does not
// matter, a nolint directive says why.
func mapOrder(m dsl.Matcher) {
	m.Match(
		`for $k, $v := range $x { $*body }`,
		`for $k := range $x { $*body }`,
		`for $k, $v = range $x { $*body }`,
		`for $k = range $x { $*body }`,
	).
		Where(m["x"].Type.Underlying().Is(`map[$key]$value`) &&
			m.File().PkgPath.Matches(`^simrun/(nodes|sim|network|faults|scenarios/(cluster|workload|runner|bareraft|chain|trial))(/|$)`) &&
			!m.File().PkgPath.Matches(`^simrun/sim/history/jepsen$`) && !m.File().Name.Matches(`_test\.go$`)).
		At(m["x"]).
		Report(`the order of a map's keys differs from run to run; range over slices.Sorted(maps.Keys($x))`)
	m.Match(
		`for $k := range maps.Keys($x) { $*body }`,
		`for $k := range maps.Values($x) { $*body }`,
		`for $k := range maps.All($x) { $*body }`,
		`for $k, $v := range maps.All($x) { $*body }`,
		`slices.Collect(maps.Keys($x))`,
		`slices.Collect(maps.Values($x))`,
		`slices.AppendSeq($s, maps.Keys($x))`,
		`slices.AppendSeq($s, maps.Values($x))`,
	).
		Where(m.File().PkgPath.Matches(`^simrun/(nodes|sim|network|faults|scenarios/(cluster|workload|runner|bareraft|chain|trial))(/|$)`) &&
			!m.File().PkgPath.Matches(`^simrun/sim/history/jepsen$`) && !m.File().Name.Matches(`_test\.go$`)).
		Report(`the order of a map's keys differs from run to run; use slices.Sorted(maps.Keys($x))`)
}
