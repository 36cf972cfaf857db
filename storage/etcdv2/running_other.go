//go:build !linux

package etcdv2

import "os"

// isLocked returns false: only Linux has locks that can be asked for without taking one.
func isLocked(*os.File) bool { return false }
