package bench

import (
	"syscall"
	"time"
)

// processCPU returns the processor time that this process has used; 0 if the system does not report it.
func processCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
