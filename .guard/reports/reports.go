// Package reports may do what code under the loop may not.
package reports

import (
	"math/rand/v2"
	"time"
)

// Free is not under the loop.
func Free(m map[int]int) time.Time {
	for range m {
		go rand.IntN(3)
	}
	return time.Now()
}
