//go:build !unix

package main

// openFilesLimit is how many files and connections this process may have open.
func openFilesLimit() int { return unlimited }
