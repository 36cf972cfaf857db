//go:build !linux

package browser

// Other systems have no networks for single processes.
func enterNamespace() {}
func startLoopback()  {}
