//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// detach keeps an interrupt at the terminal away from a worker: the parent
// decides when it ends.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// askForStacks makes a Go program print the stacks of all goroutines and end.
func askForStacks(p *os.Process) { _ = p.Signal(syscall.SIGQUIT) }
