package v3

import (
	"github.com/urfave/cli/v2"

	"pando/ctl/v3/client"
)

// keyFlags are the flags that make a range of the key in the first argument.
type keyFlags struct{ prefix, fromKey bool }

func (f *keyFlags) flags() []cli.Flag {
	return []cli.Flag{
		boolFlag(&f.prefix, "prefix", "all keys that begin with <key>"),
		boolFlag(&f.fromKey, "from-key", "all keys from <key> on, in byte order"),
	}
}

// check returns the failure for flags and arguments that name no key or range. command is the name of the command.
func (f keyFlags) check(command string, args []string) error {
	switch {
	case f.prefix && f.fromKey:
		return badArguments("`--prefix` and `--from-key` cannot be set at the same time, choose one")
	case len(args) == 0 || len(args) > 2:
		return badArguments("%s command needs one argument as key and an optional argument as range_end", command)
	case len(args) > 1 && (f.prefix || f.fromKey):
		return badArguments("too many arguments, only accept one argument when `--prefix` or `--from-key` is set")
	}
	return nil
}

// keyRange returns the range of the arguments: a key, or a key and an end. With an empty key, both flags mean all keys.
func (f keyFlags) keyRange(args []string) (key, end []byte) {
	key = []byte(args[0])
	if len(key) == 0 && (f.prefix || f.fromKey) {
		return []byte{0}, []byte{0}
	}
	switch {
	case f.prefix:
		end = []byte(client.PrefixEnd(args[0]))
	case f.fromKey:
		end = []byte{0}
	case len(args) > 1:
		end = []byte(args[1])
	}
	return key, end
}

// prefixRange returns the range of the keys that begin with a prefix.
func prefixRange(prefix string) (key, end []byte) {
	return keyFlags{prefix: true}.keyRange([]string{prefix})
}
