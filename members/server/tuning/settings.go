package tuning

import "slices"

// The names of the settings.
const (
	ProcessorsSetting    = "processors"
	SysmonSetting        = "sysmon"
	CollectorSetting     = "collector"
	ReleaseMemorySetting = "release-memory"
	MemoryLimitSetting   = "memory-limit"
)

// Settings returns the names of all settings.
func Settings() []string {
	return []string{ProcessorsSetting, SysmonSetting, CollectorSetting, ReleaseMemorySetting, MemoryLimitSetting}
}

// Disabled are the names of settings that are turned off.
type Disabled []string

func (d Disabled) has(name string) bool { return slices.Contains(d, name) }
