package tuning

import (
	"math"
	"os"
	"runtime/debug"

	"go.uber.org/zap"
)

// Memory sets the pace of the garbage collector, returns unused memory to the system, and
// keeps the process within the memory limit of its control group. It returns the number
// of bytes that the process may use, or math.MaxInt64 if there is no limit. It must be
// called once.
//
// If GOGC is set in the environment, Memory leaves the pace and the unused memory to Go.
// If GOMEMLIMIT is set, that is the limit.
func Memory(log *zap.Logger, disabled Disabled) int64 {
	if os.Getenv("GOGC") == "" {
		if !disabled.has(CollectorSetting) {
			pace.tune()
		}
		if !disabled.has(ReleaseMemorySetting) {
			go releaseMemory()
		}
	}
	if os.Getenv("GOMEMLIMIT") != "" || disabled.has(MemoryLimitSetting) {
		return debug.SetMemoryLimit(-1)
	}
	group := groupLimit(os.DirFS("/"))
	if group == math.MaxInt64 {
		return group
	}
	limit := group - systemReserve(group)
	debug.SetMemoryLimit(limit)
	log.Info("the control group limits the memory", zap.Int64("group-bytes", group), zap.Int64("limit-bytes", limit))
	return limit
}

// systemReserve is the part of a control group's memory for what the Go runtime does not
// count: the program itself, the kernel's buffers of connections, and pages of files that
// are being written.
func systemReserve(group int64) int64 { return min(32<<20+group/16, group/4) }
