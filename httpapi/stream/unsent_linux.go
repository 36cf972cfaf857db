package stream

import "golang.org/x/sys/unix"

// unsentBytes returns the number of bytes in the send buffer of a socket, or -1 if it can't be read.
func unsentBytes(fd uintptr) int {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	if err != nil {
		return -1
	}
	return n
}
