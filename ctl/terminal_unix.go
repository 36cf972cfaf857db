//go:build unix

package ctl

import "syscall"

// duplicate returns a second descriptor of a terminal; release closes it, after which nothing that still holds it can change
// the terminal.
func duplicate(terminal int) (second int, release func(), err error) {
	second, err = syscall.Dup(terminal)
	return second, func() { _ = syscall.Close(second) }, err // it was only read
}
