//go:build !linux

package storage

import "os"

func adviseWillNeed(*os.File) {}
