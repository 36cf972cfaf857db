// Package config holds every setting of the server: its flag, its environment variables, its key in a configuration file,
// its default and its help. Load makes one Config of them. An error names the flag, the place of the value, and what to
// write instead.
//
// Load returns a complete and valid Config, which is not changed after that, so any goroutine may read it. This package
// reads no file but the configuration file, and does not use the network. Checks that need more are in members/server.
//
//	config.go     Config, its defaults
//	load.go       the order of precedence: command line, environment, file
//	validate.go   checks of the whole Config
//	parse.go      parsers of single values
//	urls.go       parsers of URLs
//	tls.go        TLS: the settings of TLS; validate_tls.go: their checks; flaglist_tls.go: their flags
//	flags.go      flagSpec, which describes one flag; CommandLine
//	flaglist.go   the flags that have an effect; flaglist_access.go, flaglist_grpc.go and flaglist_history.go: those of one subject each
//	retention.go  --auto-compaction-mode and --auto-compaction-retention
//	compat.go     the flags of etcd 3.4 with old names, and those that are ignored or refused; compat_newer.go: those of etcd 3.5 to 3.7
//	file.go       the configuration file
//	help.go       --help, and example values
//	suggest.go    the name that a misspelled one probably means
//	unknown.go    warnings about unknown environment variables
//	usage.go      UsageError
package config
