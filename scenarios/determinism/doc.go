// Package determinism holds the tests that a run is a function of its plan: that every
// scenario has one trace in any process and at any GOMAXPROCS, and that lazy ticks leave
// the very trace of eager ones. They lie apart from the other tests of scenarios
// for the time that they take.
package determinism
