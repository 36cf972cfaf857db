package config

import (
	"strings"
	"testing"
	"time"
)

func TestRetention(t *testing.T) {
	for _, c := range []struct {
		flags     string
		period    time.Duration
		revisions uint64
		problem   string // empty if the flags are accepted
	}{
		{"", 0, 0, ""},
		{"auto-compaction-retention=0", 0, 0, ""},
		{"auto-compaction-retention=", 0, 0, ""},
		{"auto-compaction-retention=10", 10 * time.Hour, 0, ""},
		{"auto-compaction-retention=30m", 30 * time.Minute, 0, ""},
		{"auto-compaction-retention=72h auto-compaction-mode=periodic", 72 * time.Hour, 0, ""},
		{"auto-compaction-retention=0s", 0, 0, ""},
		{"auto-compaction-retention=2562047", 2562047 * time.Hour, 0, ""},
		{"auto-compaction-retention=2562048", 0, 0, "2562048 hours is too long; 2562047 is the most"},
		{"auto-compaction-retention=1000 auto-compaction-mode=revision", 0, 1000, ""},
		{"auto-compaction-mode=revision", 0, 0, ""},
		{"auto-compaction-retention=5m auto-compaction-mode=revision", 0, 0, "5m0s is a duration, but --auto-compaction-mode is revision"},
		{"auto-compaction-retention=-5m", 0, 0, `"-5m" is neither a number nor a duration`},
		{"auto-compaction-retention=-1", 0, 0, `"-1" is neither a number nor a duration`},
		{"auto-compaction-retention=1.5", 0, 0, `"1.5" is neither a number nor a duration`},
		{"auto-compaction-mode=hourly", 0, 0, `"hourly"`},
	} {
		t.Run(c.flags, func(t *testing.T) {
			cfg, _, err := Load(assignments(c.flags), nil)
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Fatalf("got %v, want %q", err, c.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cfg.HistoryPeriod() != c.period || cfg.HistoryRevisions() != c.revisions {
				t.Errorf("period %v, %d revisions", cfg.HistoryPeriod(), cfg.HistoryRevisions())
			}
		})
	}
}
