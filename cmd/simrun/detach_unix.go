//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach keeps an interrupt at the terminal away from a worker: the parent
// decides when it ends.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
