package config

import "go.uber.org/zap/zapcore"

// Reasons that many flags share.
const (
	noV3         = "it tunes the v3 API, which Pando does not have"
	noBackend    = "Pando's storage needs no such tuning"
	ownLogLevels = "Pando has one log level for everything; use --log-level"

	needsTLS = "TLS comes with a later one; remove the flag and serve plain http on a trusted network, or put a TLS proxy in front"
)

// compatibilityFlags are the reference's flags that start-up scripts carry along: accepted with a meaning of their own,
// accepted without effect, or refused because running without what they promise would be dangerous.
func compatibilityFlags() []flagSpec {
	all := legacyFlags()
	all = append(all, ignoredFlags()...)
	return append(all, refusedFlags()...)
}

// legacyFlags still mean something.
func legacyFlags() []flagSpec {
	return []flagSpec{
		{name: "enable-v2", group: groupCompatibility, def: "true", usage: "Accepted: the v2 API is what Pando serves.",
			ignored: "the v2 API is what Pando serves, always"},
		{name: "logger", group: groupCompatibility, arg: "NAME", def: "zap", usage: "Accepted: \"zap\".", off: []string{"capnslog"},
			set: func(_ *Config, v string) error { _, err := ParseChoice(v, "zap", "capnslog"); return err }},
		{name: "debug", group: groupCompatibility, def: "false", usage: "The old spelling of --log-level=debug.",
			oldFor: "log-level", silent: isOff, set: setDebug},
		{name: "log-output", group: groupCompatibility, arg: "LIST", def: "default", usage: "The old spelling of --log-outputs.",
			oldFor: "log-outputs", set: setLogOutputs},
		{name: "experimental-corrupt-check-time", group: groupCompatibility, arg: "MS", def: "0s", usage: "The reference's spelling of --consistency-check-interval. Here 0 changes nothing.",
			oldFor: "consistency-check-interval", silent: isNoTime, set: setConsistency},
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

func isOff(text string) bool {
	on, err := parseBool(text)
	return err == nil && !on
}

func isNoTime(text string) bool {
	d, err := parseMillis(text)
	return err == nil && d == 0
}

// ignoredFlags have no meaning here; each says why.
func ignoredFlags() []flagSpec {
	valued := func(name, def, why string) flagSpec {
		return flagSpec{name: name, group: groupCompatibility, arg: "VALUE", def: def, ignored: why}
	}
	toggle := func(name, def, why string) flagSpec {
		return flagSpec{name: name, group: groupCompatibility, def: def, ignored: why}
	}
	const ownRelease = "Pando removes what a checkpoint has made superfluous, and nothing else"
	return []flagSpec{
		valued("max-snapshots", "5", ownRelease),
		valued("max-wals", "5", ownRelease),
		toggle("initial-election-tick-advance", "true", "a member that starts waits for a leader before it stands for election"),
		toggle("strict-reconfig-check", "true", "Pando always refuses changes of the membership that would lose the quorum"),
		toggle("pre-vote", "false", "Pando always asks for votes in advance"),
		valued("quota-backend-bytes", "0", "it limits the v3 store, which Pando does not have"),
		valued("backend-batch-interval", "", noBackend),
		valued("backend-batch-limit", "0", noBackend),
		valued("experimental-backend-bbolt-freelist-type", "array", noBackend),
		valued("max-txn-ops", "128", noV3),
		valued("max-concurrent-streams", "4294967295", noV3),
		valued("grpc-keepalive-min-time", "5s", noV3),
		valued("grpc-keepalive-interval", "2h", noV3),
		valued("grpc-keepalive-timeout", "20s", noV3),
		valued("auto-compaction-retention", "0", noV3),
		valued("auto-compaction-mode", "periodic", noV3),
		valued("bcrypt-cost", "10", noV3),
		valued("auth-token-ttl", "300", noV3),
		toggle("experimental-enable-lease-checkpoint", "false", noV3),
		valued("experimental-compaction-batch-limit", "1000", noV3),
		valued("experimental-watch-progress-notify-interval", "10m", noV3),
		toggle("experimental-initial-corrupt-check", "false", "Pando always checks its data when it starts"),
		valued("experimental-warning-apply-duration", "100ms", "watch the latency histograms of /metrics instead"),
		valued("log-package-levels", "", ownLogLevels),
	}
}

// refusedFlags promise security, or another cluster than the one that would start. Ignoring them would
// surprise at the worst moment.
func refusedFlags() []flagSpec {
	valued := func(name, why string, off ...string) flagSpec {
		return flagSpec{name: name, group: groupCompatibility, arg: "VALUE", off: off, refused: why}
	}
	toggle := func(name, why string) flagSpec {
		return flagSpec{name: name, group: groupCompatibility, def: "false", refused: why}
	}
	return []flagSpec{
		valued("cert-file", needsTLS),
		valued("key-file", needsTLS),
		toggle("client-cert-auth", needsTLS),
		valued("client-crl-file", needsTLS),
		valued("client-cert-allowed-hostname", needsTLS),
		valued("trusted-ca-file", needsTLS),
		toggle("auto-tls", needsTLS),
		valued("peer-cert-file", needsTLS),
		valued("peer-key-file", needsTLS),
		toggle("peer-client-cert-auth", needsTLS),
		valued("peer-trusted-ca-file", needsTLS),
		valued("peer-cert-allowed-cn", needsTLS),
		valued("peer-cert-allowed-hostname", needsTLS),
		toggle("peer-auto-tls", needsTLS),
		valued("peer-crl-file", needsTLS),
		valued("cipher-suites", needsTLS),
		toggle("experimental-peer-skip-client-san-verification", needsTLS),
		valued("host-whitelist", "every Host header is answered; remove the flag and limit who can connect", "*"),
		valued("auth-token", "tokens belong to the v3 API; remove the flag", "simple"),
		valued("experimental-enable-v2v3", "v2 keys live in Pando's own tree; remove the flag"),
	}
}
