// Package coverage holds the tests that each scenario does what it is for: that its faults
// take effect, its workload does everything that it can, and the rare branches are
// reached that it is to reach. They lie apart from the other tests of scenarios for
// they take as long as all of those.
package coverage
