//go:build !unix

package server

// openFilesLimit is how many files and connections this process may have open.
func openFilesLimit() int { return unlimited }
