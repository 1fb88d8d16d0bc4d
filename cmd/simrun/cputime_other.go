//go:build !linux

package main

import "time"

// processCPU would return the processor time that a process has used.
func processCPU(int) (used time.Duration, known bool) { return 0, false }
