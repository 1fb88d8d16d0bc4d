// Package workload runs under the loop, as cluster, runner and bareraft do.
package workload

import (
	"math/rand/v2"
	"time"
)

// Step breaks a rule of each kind.
func Step(m map[int]int) time.Time {
	for range m {
		rand.IntN(3) // want "forbidigo"
	}
	for k := range m { // want "gocritic"
		_ = k
	}
	go Step(m)        // want "gocritic"
	return time.Now() // want "forbidigo"
}
