// Package marktest makes sure that the tests of a package take each of the rare
// branches that it marks.
package marktest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"simrun/nodes/invariant"
)

// Main runs the tests of a package. It fails if all of them were run, and a mark
// whose name begins with the prefix was not reached. Marks that only a whole
// cluster reaches for certain are named in elsewhere.
func Main(m *testing.M, prefix string, elsewhere ...string) {
	code := m.Run()
	if code == 0 && whole() {
		code = report(prefix, elsewhere)
	}
	os.Exit(code)
}

// whole reports whether no test was left out.
func whole() bool {
	for _, name := range []string{"test.run", "test.list", "test.skip"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

func report(prefix string, elsewhere []string) (code int) {
	other := map[string]bool{}
	for _, name := range elsewhere {
		other[prefix+name] = true
	}
	for _, c := range invariant.Counts() {
		if strings.HasPrefix(c.Name, prefix) && c.Count == 0 && !other[c.Name] {
			fmt.Printf("no test reaches the mark %q\n", c.Name)
			code = 1
		}
		delete(other, c.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(other)) {
		fmt.Printf("there is no mark %q\n", name)
		code = 1
	}
	return code
}
