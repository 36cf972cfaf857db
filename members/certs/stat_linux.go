package certs

import (
	"io/fs"
	"syscall"
)

// stateOf returns the state of a file.
func stateOf(info fs.FileInfo) fileState {
	s := fileState{size: info.Size(), modified: info.ModTime().UnixNano()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode, s.device, s.status = stat.Ino, stat.Dev, stat.Ctim.Nano()
	}
	return s
}
