package tuning

import (
	"os"
	"runtime"
)

// Processors sets GOMAXPROCS, the number of Go processors, and returns the number of real
// processors that the process may use. Further calls change nothing. If GOMAXPROCS is set in
// the environment, Processors changes nothing and returns that number.
//
// A goroutine in a system call occupies its Go processor until the runtime takes the
// processor away. Two goroutines do so most of the time: the one that syncs the log, because
// a sync often ends before the runtime acts, and the one of the sysmon setting. Each gets a
// Go processor in addition to the real ones, so that requests can use all of those. They
// need no processor time while they wait, so they do not exceed the CPU quota of a control
// group.
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

// extraProcessors starts the goroutine of the sysmon setting if the setting is on. It returns
// how many Go processors the settings add.
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
