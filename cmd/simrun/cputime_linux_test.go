package main

import (
	"os"
	"testing"
	"time"
)

// What the kernel tells of a process is read whatever its program is called.
func TestParseStat(t *testing.T) {
	t.Parallel()
	const rest = " S 1 2 3 0 -1 4194304 5 6 7 8 123 45 9 10 20 0 8 0 11 12 13"
	for text, want := range map[string]time.Duration{
		"17 (simrun)" + rest:   1680 * time.Millisecond,
		"17 (a ) b (c)" + rest: 1680 * time.Millisecond,
		"17 (simrun) S 1 2":    -1,
		"":                     -1,
		"17 (simrun) S 1 2 3 4 5 6 7 8 9 10 x 12 13 14": -1,
	} {
		used, known := parseStat(text)
		if known != (want >= 0) || known && used != want {
			t.Errorf("%q: %v, %v", text, used, known)
		}
	}
}

// This process is known, and its time grows when it works.
func TestProcessCPU(t *testing.T) {
	t.Parallel()
	before, known := processCPU(os.Getpid())
	if !known {
		t.Fatal("nothing is known of this process")
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if now, _ := processCPU(os.Getpid()); now > before {
			return
		}
	}
	t.Error("ten seconds of work have used no time")
}
