package tuning

import (
	"math"
	"os"
	"runtime/debug"

	"go.uber.org/zap"
)

// Memory has the collector run at the pace of a tree in memory, keeps the process within
// the limit of its control group, and gives memory back after a burst. It returns how
// many bytes the process may use; math.MaxInt64 if nothing limits it.
//
// GOGC in the environment leaves the pace and the giving back to Go, and GOMEMLIMIT
// names another limit, or "off".
func Memory(log *zap.Logger) int64 {
	if os.Getenv("GOGC") == "" {
		tuneCollector(0)
		go giveBack()
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return debug.SetMemoryLimit(-1)
	}
	group := groupLimit(os.DirFS("/"))
	if group == math.MaxInt64 {
		return group
	}
	limit := group - systemRoom(group)
	debug.SetMemoryLimit(limit)
	log.Info("the control group limits the memory", zap.Int64("group-bytes", group), zap.Int64("limit-bytes", limit))
	return limit
}

// systemRoom is how much of a control group's memory is left to what the Go runtime does
// not count: the program itself, the kernel's buffers of connections, and pages of
// files that are being written.
func systemRoom(group int64) int64 { return min(32<<20+group/16, group/4) }
