package placement

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"simrun/nodes/invariant"
)

// TestMain checks, when all tests were run, that each rare branch of the package
// was taken.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		for _, c := range invariant.Counts() {
			if strings.HasPrefix(c.Name, "placement: ") && c.Count == 0 {
				fmt.Printf("no test has reached the mark %q\n", c.Name)
				code = 1
			}
		}
	}
	os.Exit(code)
}
