package server

import (
	"slices"
	"testing"

	"pando/members/config"
	"pando/members/server/tuning"
)

// TestTuningSettings compares the names that package config accepts with those of package
// tuning, which it does not import.
func TestTuningSettings(t *testing.T) {
	if got, want := config.TuningSettings(), tuning.Settings(); !slices.Equal(got, want) {
		t.Errorf("config has %q, tuning %q", got, want)
	}
}
