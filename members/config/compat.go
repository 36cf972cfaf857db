package config

import (
	"strings"

	"go.uber.org/zap/zapcore"
)

// Texts that several flags share.
const (
	noBackend    = "Pando's storage needs no such tuning"
	ownLogLevels = "Pando has one log level for everything; use --log-level"
)

// compatibilityFlags returns flags of the reference that are common in start-up scripts. Some have an effect, some are
// accepted without an effect, and some are refused, because to run without their effect would be dangerous.
func compatibilityFlags() []flagSpec {
	all := legacyFlags()
	all = append(all, newerFlags()...)
	all = append(all, ignoredFlags()...)
	return append(all, refusedFlags()...)
}

// WithoutEffect returns the reason why a flag of the reference has no effect in Pando or is refused. The reason is empty for a flag that
// has an effect. known is false if Pando has no flag with the name.
func WithoutEffect(flag string) (reason string, known bool) {
	spec := SpecOf(flag)
	if spec == nil {
		return "", false
	}
	return spec.ignored + spec.refused, true
}

// IsSwitch reports whether a flag needs no value on the command line.
func IsSwitch(flag string) bool {
	spec := SpecOf(flag)
	return spec != nil && spec.arg == ""
}

// VariableOf returns the name that the reference has for the environment variable of a flag.
func VariableOf(flag string) string { return "ETCD_" + envSuffix(flag) }

// FlagOf returns the flag to which a variable with the prefix of the reference belongs. ok is false for other variables.
func FlagOf(variable string) (flag string, ok bool) {
	suffix, ok := strings.CutPrefix(variable, "ETCD_")
	return strings.ToLower(strings.ReplaceAll(suffix, "_", "-")), ok && suffix != ""
}

// legacyFlags returns flags that are accepted. Most of them are old names of other flags.
func legacyFlags() []flagSpec {
	return []flagSpec{
		{name: "enable-v2", group: groupCompatibility, def: "true", usage: "Accepted: Pando always serves the v2 API.",
			ignored: "Pando always serves the v2 API"},
		{name: "logger", group: groupCompatibility, arg: "NAME", def: "zap", usage: "Accepted: \"zap\".", off: []string{"capnslog"},
			set: func(_ *Config, v string) error { _, err := ParseChoice(v, "zap", "capnslog"); return err }},
		{name: "debug", group: groupCompatibility, def: "false", usage: "Old name of --log-level=debug.",
			oldFor: "log-level", unset: isOff, set: setDebug},
		{name: "log-output", group: groupCompatibility, arg: "LIST", def: "default", usage: "Old name of --log-outputs.",
			oldFor: "log-outputs", set: setLogOutputs},
		{name: "experimental-corrupt-check-time", group: groupCompatibility, arg: "MS", def: "0s",
			usage:  "The name of --consistency-check-interval in the reference. A value of 0 has no effect.",
			oldFor: "consistency-check-interval", unset: isNoTime, set: setConsistency},
		{name: "experimental-watch-progress-notify-interval", group: groupCompatibility, arg: "MS", def: "10m",
			usage: "Old name of --watch-progress-notify-interval.", oldFor: "watch-progress-notify-interval", set: setProgressInterval},
		{name: "ca-file", group: groupCompatibility, arg: "FILE", usage: "Name of --trusted-ca-file in etcd 2.",
			oldFor: "trusted-ca-file", set: setText(clientTLS, func(t *TLS) *string { return &t.TrustedCAFile })},
		{name: "peer-ca-file", group: groupCompatibility, arg: "FILE", usage: "Name of --peer-trusted-ca-file in etcd 2.",
			oldFor: "peer-trusted-ca-file", set: setText(peerTLS, func(t *TLS) *string { return &t.TrustedCAFile })},
	}
}

func setDebug(c *Config, text string) error {
	on, err := parseBool(text)
	if on {
		c.LogLevel = zapcore.DebugLevel
	}
	return err
}

func setConsistency(c *Config, text string) (err error) {
	c.ConsistencyCheckInterval, err = parseMillis(text)
	return err
}

func setProgressInterval(c *Config, text string) (err error) {
	c.WatchProgressInterval, err = parseMillis(text)
	return err
}

func isOff(text string) bool {
	on, err := parseBool(text)
	return err == nil && !on
}

func isNoTime(text string) bool {
	d, err := parseMillis(text)
	return err == nil && d == 0
}

// ignoredValue is a flag with a value that is accepted without an effect. why is the reason for the log.
func ignoredValue(name, def, why string) flagSpec {
	return flagSpec{name: name, group: groupCompatibility, arg: "VALUE", def: def, ignored: why}
}

// ignoredToggle is ignoredValue for a flag that is true or false.
func ignoredToggle(name, def, why string) flagSpec {
	return flagSpec{name: name, group: groupCompatibility, def: def, ignored: why}
}

// ignoredFlags returns flags that are accepted without an effect. Each has a reason for the log.
func ignoredFlags() []flagSpec {
	const ownRelease = "Pando removes only files that are not needed after a checkpoint"
	return []flagSpec{
		ignoredValue("max-snapshots", "5", ownRelease),
		ignoredValue("max-wals", "5", ownRelease),
		ignoredToggle("initial-election-tick-advance", "true", "a member that starts waits for a leader before it stands for election"),
		ignoredToggle("strict-reconfig-check", "true", "Pando always refuses membership changes that would lose the quorum"),
		ignoredToggle("pre-vote", "false", "Pando always asks for votes in advance"),
		ignoredValue("quota-backend-bytes", "0", "it limits a file of etcd; --quota-bytes limits keys and values"),
		ignoredValue("backend-batch-interval", "", noBackend),
		ignoredValue("backend-batch-limit", "0", noBackend),
		ignoredValue("experimental-backend-bbolt-freelist-type", "array", noBackend),
		ignoredValue("bcrypt-cost", "10", "argon2id has no such cost, and --password-hash=bcrypt always uses 10"),
		ignoredToggle("experimental-enable-lease-checkpoint", "false", "a new leader gives every lease its full time to live"),
		ignoredValue("experimental-compaction-batch-limit", "1000", "a compaction delays no requests, so it needs no batches"),
		ignoredToggle("experimental-initial-corrupt-check", "false", "Pando always checks its data when it starts"),
		ignoredValue("experimental-warning-apply-duration", "100ms", "use the latency histograms of /metrics instead"),
		ignoredValue("log-package-levels", "", ownLogLevels),
	}
}

// refusedFlags returns flags that change the security of the cluster, or which cluster starts. To ignore them would be
// dangerous.
func refusedFlags() []flagSpec {
	valued := func(name, why string, off ...string) flagSpec {
		return flagSpec{name: name, group: groupCompatibility, arg: "VALUE", off: off, refused: why}
	}
	return []flagSpec{
		valued("auth-token", "Pando makes tokens with a key of the cluster, and no JWT; remove the flag", "simple"),
		valued("experimental-enable-v2v3", "v2 keys live in Pando's own tree; remove the flag"),
	}
}
