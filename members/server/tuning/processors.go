package tuning

import (
	"os"
	"runtime"
)

// Processors has Go run more goroutines at a time than there are processors, for
// those that only wait, unless GOMAXPROCS in the environment says how many. It returns
// how many are there for the others. Calling it again does nothing more.
//
// One goroutine syncs the log: it counts as running until the runtime notices, which
// takes longer than a sync; on a machine with two processors requests lost half of the
// room meanwhile. The other is calmSysmon's. On a single processor that one costs more
// than it saves: a lone write took a fifth longer.
func Processors() int {
	if os.Getenv("GOMAXPROCS") != "" {
		return runtime.GOMAXPROCS(0)
	}
	runtime.SetDefaultGOMAXPROCS()
	processors := runtime.GOMAXPROCS(0)
	waiting := 1
	if processors > 1 {
		waiting++
		calmSysmon()
	}
	runtime.GOMAXPROCS(processors + waiting)
	return processors
}
