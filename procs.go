package main

import (
	"os"
	"runtime"
)

// addProcessor has Go run one goroutine more at a time than there are processors,
// unless GOMAXPROCS in the environment says how many. The one that syncs the log
// counts as running until the runtime notices that it only waits, which takes
// about as long as a sync; on a machine with two processors requests lost half of
// the room meanwhile. Calling it again does nothing more.
func addProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.SetDefaultGOMAXPROCS()
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}
