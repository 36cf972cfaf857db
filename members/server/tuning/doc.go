// Package tuning sets the Go runtime for a server that holds a tree in memory. Every
// setting has a name in [Settings], by which an operator can turn it off; a variable of
// the environment that is meant for the Go runtime (GOMAXPROCS, GOGC, GOMEMLIMIT) turns
// off the settings that it concerns, too:
//
//	setting         what it does                                     turned off by
//	processors      one more Go processor, for the log's syncs       GOMAXPROCS
//	sysmon          keeps Go's monitor thread from polling           GOMAXPROCS
//	collector       the pace of the garbage collector                GOGC
//	release-memory  returns unused memory to the system              GOGC
//	memory-limit    the limit of the control group as Go's own       GOMEMLIMIT
//
// The comment of each setting says what it gains. All were measured on a virtual machine
// with two cores (AMD EPYC, Linux 6.18), with the load generator and, where there are
// three members, all members on it; docs/rejected.md has the figures.
//
// Limits of control groups are respected: Go takes the number of processors from the
// CPU quota of the group, and the memory limit is the smallest of the groups above the
// process. Both are read once, at the start.
package tuning
