//go:build !linux

package stream

// unsentBytes returns -1: the number of bytes in the send buffer of a socket is not known.
func unsentBytes(uintptr) int { return -1 }
