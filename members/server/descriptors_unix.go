//go:build unix

package server

import "syscall"

// openFilesLimit is how many files and connections this process may have open. The Go runtime has raised
// it as far as it may be.
func openFilesLimit() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return unlimited
	}
	return int(min(uint64(r.Cur), unlimited))
}
