package tuning

import (
	"os"
	"runtime"
)

// Processors sets how many goroutines run at the same time, and returns the number of
// processors that the process may use. Further calls do nothing more. If GOMAXPROCS is
// set in the environment, Processors changes nothing and returns that number.
//
// Two goroutines occupy a processor of Go's while they wait in a system call, until the
// runtime notices: the one that syncs the log, which takes less time than that, and the
// one of the sysmon setting. Each gets a processor of Go's in addition to the real ones,
// so that requests have all of those. They need no processor time while they wait, so
// they do not exceed the CPU quota of a control group.
//
// With two processors, one more gained 5 to 8% more writes with up to 64 connections; the
// one for sysmon is a part of the gain of that setting. With a single processor the
// sysmon setting made a lone write a fifth slower, so it is not used there.
func Processors(disabled Disabled) int {
	if os.Getenv("GOMAXPROCS") != "" {
		return runtime.GOMAXPROCS(0)
	}
	runtime.SetDefaultGOMAXPROCS()
	processors := runtime.GOMAXPROCS(0)
	if extra := extraProcessors(processors, disabled); extra > 0 {
		runtime.GOMAXPROCS(processors + extra)
	}
	return processors
}

// extraProcessors starts what the settings need, and returns how many processors of Go's
// they occupy.
func extraProcessors(processors int, disabled Disabled) int {
	extra := 0
	if !disabled.has(ProcessorsSetting) {
		extra++
	}
	if processors > 1 && !disabled.has(SysmonSetting) {
		extra++
		quietSysmon()
	}
	return extra
}
