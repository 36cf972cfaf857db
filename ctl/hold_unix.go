//go:build unix

package ctl

import (
	"os"
	"os/exec"
	"syscall"
)

// separate puts the command into a process group of its own, so that what it starts can be ended with it.
func separate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// tell sends a signal to the command, and to what it started if it is in a group of its own. One that has ended
// meanwhile needs none.
func tell(cmd *exec.Cmd, s os.Signal) {
	number, ok := s.(syscall.Signal)
	if ok && cmd.SysProcAttr != nil && cmd.SysProcAttr.Setpgid {
		_ = syscall.Kill(-cmd.Process.Pid, number)
		return
	}
	_ = cmd.Process.Signal(s)
}
