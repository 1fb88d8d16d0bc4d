package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// processCPU returns the processor time that a process has used so far, all its
// threads included.
func processCPU(pid int) (used time.Duration, known bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false // it has ended, or this is no ordinary Linux
	}
	return parseStat(string(text))
}

// clockTick is the unit of times in /proc: USER_HZ is 100 on every architecture
// that Go supports.
const clockTick = 10 * time.Millisecond

// parseStat reads utime and stime, the fields 14 and 15 of proc_pid_stat(5). The
// second field is the name of the program in parentheses, which may hold
// anything.
func parseStat(text string) (used time.Duration, known bool) {
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < 13 {
		return 0, false
	}
	for _, f := range fields[11:13] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, false
		}
		used += time.Duration(ticks) * clockTick
	}
	return used, true
}
