package server

import (
	"math"
	"strings"
	"testing"
	"time"

	"pando/raft"

	"pando/members/config"
)

// TestFitToMemory checks the bounds that follow from the memory.
func TestFitToMemory(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		name          string
		memory        int64
		asked, larger int64 // --catch-up-bytes, --max-request-bytes
		want          int64
	}{
		{"no limit", math.MaxInt64, 0, 0, 0},
		{"much memory", 4096 * mb, 0, 0, 0},
		{"little memory", 400 * mb, 0, 0, 25 * mb},
		{"little memory and large requests", 400 * mb, 0, 10 * mb, raft.LeastCatchUp(10 * mb)},
		{"the operator's word", 400 * mb, 60 * mb, 0, 60 * mb},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := &config.Config{CatchUpBytes: c.asked, MaxRequestBytes: max(c.larger, mb)}
			if got := fitToMemory(cfg, c.memory).CatchUpBytes; got != c.want || cfg.CatchUpBytes != c.asked {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// TestLimitsServed checks that requests which the log and the peers can't carry are refused.
func TestLimitsServed(t *testing.T) {
	if config.MaxRequestLimit != raft.MaxRequestLimit {
		t.Errorf("the settings allow requests of %d bytes, the log of %d", config.MaxRequestLimit, raft.MaxRequestLimit)
	}
	for _, c := range []struct {
		name string
		tune func(*config.Config)
		want string
	}{
		{"the defaults", func(*config.Config) {}, ""},
		{"the largest request", func(c *config.Config) { c.MaxRequestBytes = 32 << 20 }, ""},
		{"a larger one", func(c *config.Config) { c.MaxRequestBytes = 32<<20 + 1 },
			"--max-request-bytes: 33554433 is too much for an --election-timeout of 1000ms: the other members would elect another leader " +
				"before such a request has reached them; " +
				"set it to 33554432 or less, or raise --election-timeout on all members"},
		{"the same with more time", func(c *config.Config) { c.MaxRequestBytes, c.ElectionTimeout = 32<<20+1, 2*time.Second }, ""},
		{"too little log", func(c *config.Config) { c.CatchUpBytes = 1000 },
			"--catch-up-bytes: 1000 has no room for four of the largest requests; set it to "},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config.Default()
			c.tune(cfg)
			err := checkLimits(cfg)
			if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestFitHistoryToMemory checks the limit of the history of the v3 API: it is an eighth of a small memory, unless the operator has set it.
func TestFitHistoryToMemory(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct{ memory, asked, want int64 }{
		{math.MaxInt64, config.DefaultHistoryBytes, config.DefaultHistoryBytes},
		{400 * mb, config.DefaultHistoryBytes, 50 * mb},
		{400 * mb, 0, 0},
		{400 * mb, 100 * mb, 100 * mb},
	} {
		if got := fitToMemory(&config.Config{HistoryBytes: c.asked}, c.memory).HistoryBytes; got != c.want {
			t.Errorf("%d of %d bytes: got %d, want %d", c.asked, c.memory, got, c.want)
		}
	}
}
