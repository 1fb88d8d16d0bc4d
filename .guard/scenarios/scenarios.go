// Package scenarios draws plans before the loop begins.
package scenarios

import "time"

// Free is not under the loop.
func Free(m map[int]int) time.Time {
	for k := range m {
		_ = k
	}
	return time.Now()
}
