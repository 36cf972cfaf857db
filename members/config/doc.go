// Package config holds every setting of the server: its flag, its environment variables, its key in a configuration file,
// its default and its help. Load makes one Config of them. An error names the flag, the place of the value, and what to
// write instead.
//
// Load returns a complete and valid Config, which is not changed after that, so any goroutine may read it. This package
// reads no file but the configuration file, and does not use the network: package members/server checks the rest.
//
//	config.go     Config, its defaults
//	load.go       the order of precedence: command line, environment, file
//	validate.go   checks of the whole Config
//	parse.go      parsers of single values; urls.go those of URLs
//	flags.go      the flags; compat.go those of etcd that are ignored or refused
//	file.go       the configuration file
//	help.go       --help
//	suggest.go    what a misspelled name probably means; unknown.go warns of such variables
//	usage.go      UsageError
package config
