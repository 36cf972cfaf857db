//go:build !linux

package certs

import "io/fs"

// stateOf returns the state of a file.
func stateOf(info fs.FileInfo) fileState {
	return fileState{size: info.Size(), modified: info.ModTime().UnixNano()}
}
