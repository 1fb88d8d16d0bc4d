package table

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"simrun/nodes/invariant"
)

// TestMain makes sure, when all tests of the package have run, that each of the
// rare branches that the package marks was taken.
func TestMain(m *testing.M) {
	code := m.Run()
	filtered := flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.list").Value.String() != "" ||
		flag.Lookup("test.skip").Value.String() != "" || testing.Short()
	if code == 0 && !filtered {
		for _, mark := range invariant.Counts() {
			if strings.HasPrefix(mark.Name, "table: ") && mark.Count == 0 {
				fmt.Printf("branch never taken: %s\n", mark.Name)
				code = 1
			}
		}
	}
	os.Exit(code)
}
