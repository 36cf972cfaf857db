package tuning

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The Go runtime has a monitor thread, sysmon, which takes processors away from goroutines
// that are in system calls or run for too long. It sleeps while the process is idle. The
// first system call after that wakes it, and then it polls every 20 µs. A member that
// waits for its disk and its peers is idle several times in the course of one write, so
// the polling took 23% of the processor time of three members with one client, and 15%
// with 64 clients.
//
// While a goroutine is in a system call, the process is not idle. Then nothing wakes sysmon,
// and it polls less and less often, down to every 10 ms. So while the
// process is busy, one goroutine of this package does nothing but wait in system calls.
// Over three members that gained 29% more writes with one client, 19% with 64 and 14%
// with 256. On one member it made no difference.

const (
	// loadInterval is the time between two decisions whether the process is busy.
	loadInterval = 250 * time.Millisecond
	// busyTime is the least processor time that a busy process uses in loadInterval.
	busyTime = loadInterval / 20
	// pollTime is the length of one system call. After 10 ms in one system call sysmon
	// would take the processor away, and go on polling.
	pollTime = 5 * time.Millisecond
)

// quietSysmon starts the goroutine that waits in system calls, for as long as the process
// lives. Further calls do nothing.
var quietSysmon = sync.OnceFunc(func() {
	go waitByLoad(processorTime, time.Sleep, waitInSystemCalls)
})

// waitByLoad waits for ever, in steps of loadInterval: by busy after a step in which the
// process was busy, else by idle. clock returns the processor time that the process has
// used.
func waitByLoad(clock func() time.Duration, idle, busy func(time.Duration)) {
	wait := idle
	for used := clock(); ; {
		wait(loadInterval)
		now := clock()
		if wait = idle; now-used >= busyTime {
			wait = busy
		}
		used = now
	}
}

// waitInSystemCalls waits in system calls. It yields between them: otherwise sysmon would
// find a goroutine that has run for 10 ms, and poll.
func waitInSystemCalls(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); runtime.Gosched() {
		if _, err := unix.Poll(nil, int(pollTime.Milliseconds())); err != nil {
			// The call was interrupted or is forbidden. Without a sleep this loop might
			// use a whole processor.
			time.Sleep(pollTime)
		}
	}
}

// processorTime returns the processor time that the process has used, in and out of the kernel.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
