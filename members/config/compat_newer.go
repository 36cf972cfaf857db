package config

// newerFlags returns the flags that etcd has only since version 3.5. Some are new names of flags of etcd 3.4.
func newerFlags() []flagSpec {
	return append(newNames(), newerWithoutEffect()...)
}

// newNames returns flags that have an effect in Pando under another name.
func newNames() []flagSpec {
	return []flagSpec{
		{name: "corrupt-check-time", group: groupCompatibility, arg: "MS", def: "0s",
			usage:  "The name of --consistency-check-interval in etcd 3.6. A value of 0 has no effect.",
			oldFor: "consistency-check-interval", unset: isNoTime, set: setConsistency},
		{name: "peer-skip-client-san-verification", group: groupCompatibility, def: "false",
			usage:  "The name of --experimental-peer-skip-client-san-verification in etcd 3.6.",
			oldFor: "experimental-peer-skip-client-san-verification", unset: isOff,
			set: setSwitch(peerTLS, func(t *TLS) *bool { return &t.AnyHost })},
	}
}

// newerWithoutEffect returns flags that are accepted and ignored. It also returns flags that are refused: without their effect, clients or
// members could not be reached.
func newerWithoutEffect() []flagSpec {
	refused := func(name, why string) flagSpec {
		return flagSpec{name: name, group: groupCompatibility, arg: "VALUE", refused: why}
	}
	const (
		noTraces     = "Pando sends no traces; it has latency histograms in /metrics"
		noCheckTimes = "the members compare their data at --consistency-check-interval"
		ownRotation  = "Pando does not rotate its log; use logrotate or the journal"
		histograms   = "use the latency histograms of /metrics instead"
		noDiscovery  = "Pando has no discovery by the v3 API; use --discovery-srv, --discovery or --initial-cluster"
		bothSides    = "Pando uses --peer-cert-file and --peer-key-file for both ends of a connection between members; remove the flag"
	)
	flags := []flagSpec{
		ignoredToggle("unsafe-no-fsync", "false", "Pando always syncs its log before it answers"),
		ignoredValue("v2-deprecation", "", "Pando always serves the v2 API"),
		ignoredToggle("enable-grpc-gateway", "true", "Pando always serves the JSON gateway"),
		ignoredValue("feature-gates", "", "Pando has no feature gates"),
		ignoredValue("max-learners", "1", "one learner may wait for its promotion; all others get their vote by themselves"),
		ignoredValue("snapshot-catchup-entries", "5000", "use --catch-up-bytes instead"),
		ignoredValue("backend-bbolt-freelist-type", "map", noBackend),
		ignoredValue("bootstrap-defrag-threshold-megabytes", "0", noBackend),
		ignoredToggle("memory-mlock", "false", noBackend),
		ignoredValue("compaction-batch-limit", "1000", "a compaction delays no requests, so it needs no batches"),
		ignoredValue("compaction-sleep-interval", "10ms", "a compaction delays no requests, so it needs no batches"),
		ignoredValue("compact-hash-check-time", "1m0s", noCheckTimes),
		ignoredValue("downgrade-check-time", "5s", "a version that can't read the data refuses to start"),
		ignoredToggle("enable-distributed-tracing", "false", noTraces),
		ignoredValue("distributed-tracing-address", "localhost:4317", noTraces),
		ignoredValue("distributed-tracing-service-name", "etcd", noTraces),
		ignoredValue("distributed-tracing-instance-id", "", noTraces),
		ignoredValue("distributed-tracing-sampling-rate", "0", noTraces),
		ignoredToggle("enable-log-rotation", "false", ownRotation),
		ignoredValue("log-rotation-config-json", "", ownRotation),
		ignoredValue("warning-apply-duration", "100ms", histograms),
		ignoredValue("warning-unary-request-duration", "300ms", histograms),
		ignoredValue("raft-read-timeout", "5s", "Pando finds a dead member by the election timeout"),
		ignoredValue("raft-write-timeout", "5s", "Pando finds a dead member by the election timeout"),
		ignoredValue("self-signed-cert-validity", "1", "the certificates of --auto-tls have a fixed time of validity"),
		ignoredToggle("socket-reuse-address", "false", "Pando opens its ports without options"),
		ignoredToggle("socket-reuse-port", "false", "Pando opens its ports without options"),
		ignoredValue("client-cert-file", "", "the JSON gateway of Pando needs no connection to the member itself"),
		ignoredValue("client-key-file", "", "the JSON gateway of Pando needs no connection to the member itself"),
		refused("listen-client-http-urls", "Pando serves HTTP and gRPC at the same URLs; add these to --listen-client-urls"),
		refused("peer-client-cert-file", bothSides),
		refused("peer-client-key-file", bothSides),
	}
	for _, name := range []string{
		"endpoints", "token", "dial-timeout", "request-timeout", "keepalive-time", "keepalive-timeout", "insecure-transport",
		"insecure-skip-tls-verify", "cert", "key", "cacert", "user", "password",
	} {
		flags = append(flags, refused("discovery-"+name, noDiscovery))
	}
	return flags
}
