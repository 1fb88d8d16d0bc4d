package txn_test

import (
	"testing"

	"simrun/nodes/invariant/marktest"
)

func TestMain(m *testing.M) { marktest.Main(m, "txn: ") }
