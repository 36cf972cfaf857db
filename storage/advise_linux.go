package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

// adviseWillNeed asks the kernel to read the whole file ahead. Loading reads the pages in the
// order of the keys, which would be one seek for each page.
func adviseWillNeed(f *os.File) {
	// After an error loading takes longer.
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_WILLNEED)
}
