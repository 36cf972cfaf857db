// Package config knows every setting of the server: its flag, its environment variables, its key in a configuration
// file, its default and its help. Load makes one Config of what was given; errors name the flag, the place that the
// value came from, and what to write instead.
//
// A Config is complete and valid when Load returns it, and is not changed after that: any goroutine may read it. To look
// at files other than the configuration file, at the network, or at what the log can carry is the server's part.
package config
