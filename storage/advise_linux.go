package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

// adviseWillNeed asks the kernel to read all of f ahead: loading visits the pages
// in the order of the keys, which on a cold disk is one seek a page.
func adviseWillNeed(f *os.File) {
	// A refusal costs speed alone.
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_WILLNEED)
}
