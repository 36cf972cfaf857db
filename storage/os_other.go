//go:build !linux

package storage

import (
	"math"
	"os"
)

func adviseWillNeed(*os.File) {}

// freeBytes is not known on this system: a write may fail.
func freeBytes(string) int64 { return math.MaxInt64 }

func marksUnwritten(*os.File) bool { return false }

func startWriteback(*os.File, int64, int64) {}
