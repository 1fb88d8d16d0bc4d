package raftstore

import (
	"testing"

	"simrun/nodes/invariant/marktest"
)

// TestMain also names what it takes a placement driver, a database above or a storm
// to reach.
func TestMain(m *testing.M) {
	marktest.Main(m, "raftstore: ",
		"change of members of another epoch at apply",
		"entries acknowledged that a later leader has replaced before they were written",
		"follower's read refused by its leader",
		"leader does not sleep, a snapshot is under way",
		"leader does not sleep, it is handing over",
		"region changed while it was measured",
		"target went on, but it is not known how",
	)
}
