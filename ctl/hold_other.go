//go:build !unix

package ctl

import (
	"os"
	"os/exec"
)

// separate does nothing where there are no process groups.
func separate(*exec.Cmd) {}

// tell ends the command: there are no signals to ask it with.
func tell(cmd *exec.Cmd, _ os.Signal) { _ = cmd.Process.Kill() }
