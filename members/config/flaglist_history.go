package config

import "math"

// historyFlags returns the flags that limit what a member keeps of the past, beside the last events.
func historyFlags() []flagSpec {
	return []flagSpec{
		{name: "history-bytes", group: groupLimits, arg: "BYTES", def: "268435456",
			usage: "Size of the past events and values that are kept for the v3 API. When it is exceeded, the leader compacts the history to " +
				"three quarters of it. Earlier revisions can then no longer be read or watched. 0: no limit.",
			set: setBytes(func(c *Config) *int64 { return &c.HistoryBytes })},
		{name: "auto-compaction-mode", group: groupLimits, arg: "MODE", def: compactPeriodic,
			usage: "Unit of --auto-compaction-retention: \"periodic\" for a time, \"revision\" for a number of revisions.",
			set: func(c *Config, v string) (err error) {
				c.AutoCompactionMode, err = ParseChoice(v, compactPeriodic, compactRevision)
				return err
			}},
		{name: "auto-compaction-retention", group: groupLimits, arg: "N", def: "0",
			usage: "How much of the history of the v3 API the leader keeps when it compacts the history from time to time: hours or a duration " +
				"such as 30m, or a number of revisions. 0: it compacts only because of --history-bytes.",
			set: func(c *Config, v string) (err error) { c.AutoCompactionRetention, err = parseRetention(v); return err }},
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
