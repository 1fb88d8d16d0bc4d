package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"simrun/reports"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// version names the program and the formats that it reads: a seed means the
// same only to the same program, a file can be read wherever its format is.
func version() string {
	program := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		program = info.Main.Version
	}
	return fmt.Sprintf("%s, plan format %s, history format %d, result format %d, %s %s/%s",
		program, plan.Version, history.FormatVersion, reports.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
