package tuning

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The Go runtime has a thread of its own, sysmon, that takes processors from goroutines
// which are in system calls or run for too long. It sleeps while the program has
// nothing to do; the first system call after that wakes it, and from then on it sleeps
// 20 µs at a time and looks about. A member that waits for its disk and its peers falls idle several
// times a write: looking about took a quarter of the processor time of three members
// with one client, and a seventh with 64.
//
// While a goroutine is in a system call the runtime is not idle: sysmon needs no waking
// and looks about ever less often, down to every 10 ms. So while this process is at
// work, one goroutine does nothing but wait in system calls.

const (
	// lookEvery is how often it is decided whether the process is at work.
	lookEvery = 250 * time.Millisecond
	// atWork is how much processor time it uses meanwhile, if it is.
	atWork = lookEvery / 20
	// holdFor is how long a system call waits. After 10 ms sysmon would take the
	// processor from it, and go on looking for others.
	holdFor = 5 * time.Millisecond
)

// calmSysmon has sysmon look about less often while the process is at work, for as long as
// it lives. Calling it again does nothing more.
var calmSysmon = sync.OnceFunc(func() {
	go calm(processorTime, time.Sleep, hold)
})

// calm decides over and over, by what clock says of the processor time used, whether
// to wait idly or in system calls.
func calm(clock func() time.Duration, idle, busy func(time.Duration)) {
	wait := idle
	for used := clock(); ; {
		wait(lookEvery)
		now := clock()
		if wait = idle; now-used >= atWork {
			wait = busy
		}
		used = now
	}
}

// hold waits in system calls. It yields between them: a goroutine that has run for 10 ms
// without yielding would be looked for too.
func hold(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); runtime.Gosched() {
		if _, err := unix.Poll(nil, int(holdFor.Milliseconds())); err != nil {
			// Interrupted, or forbidden: then this must not go round without a rest.
			time.Sleep(holdFor)
		}
	}
}

// processorTime is what the process has used, in and out of the kernel.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
