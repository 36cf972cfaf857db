package config

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Values of Config.AutoCompactionMode.
const (
	compactPeriodic = "periodic" // AutoCompactionRetention is a time
	compactRevision = "revision" // AutoCompactionRetention is a number of revisions
)

// Retention says how much of the history of the v3 API an automatic compaction keeps. At most one of its fields is not zero. The zero value
// means that there is no automatic compaction.
type Retention struct {
	Number uint64        // without a unit: hours or revisions, depending on the mode
	Time   time.Duration // with a unit
}

// maxRetentionHours is the largest number of hours that a time.Duration can hold.
const maxRetentionHours = uint64(math.MaxInt64 / time.Hour)

// parseRetention parses a number without a unit, or a duration.
func parseRetention(text string) (Retention, error) {
	if text == "" {
		return Retention{}, nil
	}
	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		return Retention{Number: n}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return Retention{}, &valueError{fmt.Sprintf("%q is neither a number nor a duration", text),
			"write hours such as 8, a duration such as 30m, or, with --auto-compaction-mode=revision, a number of revisions such as 10000"}
	}
	return Retention{Time: d}, nil
}

// HistoryPeriod returns the time for which an automatic compaction keeps the history of the v3 API, or 0 if none does.
func (c *Config) HistoryPeriod() time.Duration {
	if c.AutoCompactionMode != compactPeriodic {
		return 0
	}
	return c.AutoCompactionRetention.Time + time.Duration(c.AutoCompactionRetention.Number)*time.Hour
}

// HistoryRevisions returns the number of revisions that an automatic compaction keeps, or 0 if none does.
func (c *Config) HistoryRevisions() uint64 {
	if c.AutoCompactionMode != compactRevision {
		return 0
	}
	return c.AutoCompactionRetention.Number
}

// checkRetention checks that the retention has a unit of the mode.
func (c *Config) checkRetention() *FlagError {
	const flag = "auto-compaction-retention"
	r := c.AutoCompactionRetention
	switch {
	case c.AutoCompactionMode == compactRevision && r.Time != 0:
		return c.FlagError(flag, fmt.Sprintf("%v is a duration, but --auto-compaction-mode is revision", r.Time),
			"write a number of revisions such as 10000, or set --auto-compaction-mode to periodic")
	case c.AutoCompactionMode == compactPeriodic && r.Number > maxRetentionHours:
		return c.FlagError(flag, fmt.Sprintf("%d hours is too long", r.Number), fmt.Sprintf("%d is the most it can be", maxRetentionHours))
	}
	return nil
}
