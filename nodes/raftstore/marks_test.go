package raftstore

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"simrun/nodes/invariant"
)

// TestMain prints, on request, how often the rare branches were taken.
func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("RAFTSTORE_MARKS") != "" {
		for _, c := range invariant.Counts() {
			if strings.HasPrefix(c.Name, "raftstore:") {
				fmt.Printf("%10d %s\n", c.Count, c.Name)
			}
		}
	}
	os.Exit(code)
}
