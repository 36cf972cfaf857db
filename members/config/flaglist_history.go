package config

import "math"

// historyFlags returns the flags that limit what a member keeps of the past for watches, beside the last events.
func historyFlags() []flagSpec {
	return []flagSpec{
		{name: "history-scope", group: groupLimits, arg: "BYTES", def: "0",
			usage: "Memory for the past events of watched subtrees, beside the last --history-size events of all keys. A watch of a quiet key " +
				"can then begin far in the past, although other keys have changed often. 0: none.",
			set: setBytes(func(c *Config) *int64 { return &c.HistoryScopeBytes })},
		{name: "history-removed-bytes", group: groupLimits, arg: "BYTES", def: "16777216",
			usage: "Memory for the keys of directories that were deleted or have expired last. Watches with each=true that begin later get an " +
				"event for each of these keys; those that are open get them in any case. 0: none.",
			set: setBytes(func(c *Config) *int64 { return &c.HistoryRemovedBytes })},
	}
}

// setBytes returns a set function that parses a number of bytes into the field that pick returns.
func setBytes(pick func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, text string) error {
		n, err := parseWhole(text, math.MaxInt64)
		*pick(c) = int64(n)
		return err
	}
}
