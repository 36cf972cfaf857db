package config

import "math"

// grpcFlags returns the flags of gRPC on the client URLs. Their names and defaults are those of the reference.
func grpcFlags() []flagSpec {
	return []flagSpec{
		{name: "max-concurrent-streams", group: groupLimits, arg: "N", def: "4294967295",
			usage: "Largest number of requests and streams of gRPC that one connection may have at a time.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, math.MaxUint32)
				c.MaxConcurrentStreams = uint32(n)
				return err
			}},
		{name: "max-grpc-bytes", group: groupLimits, arg: "BYTES", def: "268435456",
			usage: "Total bytes in memory of open requests and streams of gRPC and of responses that wait for their clients, beyond 64 KiB of " +
				"each connection. Further ones get an error.",
			set: setBytes(func(c *Config) *int64 { return &c.MaxGRPCBytes })},
		{name: "max-txn-ops", group: groupLimits, arg: "N", def: "128",
			usage: "Largest number of compares, and of operations of each branch, of a transaction of the v3 API.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, math.MaxInt32)
				c.MaxTxnOps = int(n)
				return err
			}},
		{name: "max-response-bytes", group: groupLimits, arg: "BYTES", def: "536870912",
			usage: "Largest response of the v3 API with keys and values, about. A request for more gets an error. 0: no limit, as in etcd.",
			set:   setBytes(func(c *Config) *int64 { return &c.MaxResponseBytes })},
		{name: "grpc-keepalive-min-time", group: groupLimits, arg: "MS", def: "5s",
			usage: "Shortest time between two pings of a client of gRPC. A client that sends them faster loses its connection.",
			set:   func(c *Config, v string) (err error) { c.GRPCKeepAliveMinTime, err = parseMillis(v); return err }},
		{name: "grpc-keepalive-interval", group: groupLimits, arg: "MS", def: "2h",
			usage: "Time without a byte from a client of gRPC after which the server sends a ping.",
			set:   func(c *Config, v string) (err error) { c.GRPCKeepAliveInterval, err = parseMillis(v); return err }},
		{name: "grpc-keepalive-timeout", group: groupLimits, arg: "MS", def: "20s",
			usage: "Time without an answer to such a ping after which the connection is closed.",
			set:   func(c *Config, v string) (err error) { c.GRPCKeepAliveTimeout, err = parseMillis(v); return err }},
		{name: "watch-progress-notify-interval", group: groupLimits, arg: "MS", def: "10m",
			usage: "Time without an event after which a watch of the v3 API shows its progress, if the client asks for it.",
			set:   setProgressInterval},
	}
}
