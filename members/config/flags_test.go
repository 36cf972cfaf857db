package config

import (
	"strings"
	"testing"
)

// referenceFlags are the flags in etcd 3.4.23 --help. A start-up script may have any of them.
const referenceFlags = `name data-dir wal-dir snapshot-count heartbeat-interval election-timeout
initial-election-tick-advance listen-peer-urls listen-client-urls max-snapshots max-wals quota-backend-bytes
backend-batch-interval backend-batch-limit max-txn-ops max-request-bytes max-concurrent-streams
grpc-keepalive-min-time grpc-keepalive-interval grpc-keepalive-timeout initial-advertise-peer-urls
initial-cluster initial-cluster-state initial-cluster-token advertise-client-urls discovery
discovery-fallback discovery-proxy discovery-srv discovery-srv-name strict-reconfig-check pre-vote
auto-compaction-retention auto-compaction-mode enable-v2 cert-file key-file client-cert-auth
client-crl-file client-cert-allowed-hostname trusted-ca-file auto-tls peer-cert-file peer-key-file
peer-client-cert-auth peer-trusted-ca-file peer-cert-allowed-cn peer-cert-allowed-hostname peer-auto-tls
peer-crl-file cipher-suites cors host-whitelist auth-token bcrypt-cost auth-token-ttl enable-pprof
metrics listen-metrics-urls logger log-outputs log-level proxy proxy-failure-wait
proxy-refresh-interval proxy-dial-timeout proxy-write-timeout proxy-read-timeout
experimental-initial-corrupt-check experimental-corrupt-check-time experimental-enable-v2v3
experimental-backend-bbolt-freelist-type experimental-enable-lease-checkpoint
experimental-compaction-batch-limit experimental-peer-skip-client-san-verification
experimental-watch-progress-notify-interval experimental-warning-apply-duration force-new-cluster
debug log-package-levels config-file`

// newerReferenceFlags are the flags in etcd 3.7.3 --help that 3.4.23 does not have.
const newerReferenceFlags = `backend-bbolt-freelist-type bootstrap-defrag-threshold-megabytes client-cert-file client-key-file
compact-hash-check-time compaction-batch-limit compaction-sleep-interval corrupt-check-time discovery-cacert discovery-cert
discovery-dial-timeout discovery-endpoints discovery-insecure-skip-tls-verify discovery-insecure-transport discovery-keepalive-time
discovery-keepalive-timeout discovery-key discovery-password discovery-request-timeout discovery-token discovery-user
distributed-tracing-address distributed-tracing-instance-id distributed-tracing-sampling-rate distributed-tracing-service-name
downgrade-check-time enable-distributed-tracing enable-grpc-gateway enable-log-rotation feature-gates listen-client-http-urls
log-rotation-config-json max-learners memory-mlock peer-client-cert-file peer-client-key-file peer-skip-client-san-verification
raft-read-timeout raft-write-timeout self-signed-cert-validity snapshot-catchup-entries socket-reuse-address socket-reuse-port
tls-max-version tls-min-version unsafe-no-fsync v2-deprecation warning-apply-duration warning-unary-request-duration
watch-progress-notify-interval`

func TestFlagTable(t *testing.T) {
	t.Run("knows every flag of the reference", func(t *testing.T) {
		for _, name := range strings.Fields(referenceFlags + " " + newerReferenceFlags) {
			if SpecOf(name) == nil {
				t.Errorf("--%s is unknown", name)
			}
		}
	})
	t.Run("each flag does exactly one thing", func(t *testing.T) {
		seen := map[string]bool{}
		for i := range flagSpecs {
			s := &flagSpecs[i]
			if seen[s.name] {
				t.Errorf("--%s is there twice", s.name)
			}
			seen[s.name] = true
			ways := 0
			for _, used := range []bool{s.set != nil, s.ignored != "", s.refused != ""} {
				if used {
					ways++
				}
			}
			if ways != 1 {
				t.Errorf("--%s is handled in %d ways", s.name, ways)
			}
			if s.set != nil && s.usage == "" {
				t.Errorf("--%s teaches nothing", s.name)
			}
		}
	})
	t.Run("defaults in the help are the defaults", func(t *testing.T) {
		plain, _, err := Load(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		flags := map[string]string{}
		for i := range flagSpecs {
			if s := &flagSpecs[i]; s.set != nil && s.def != "" && !strings.Contains(s.def, "${") {
				flags[s.name] = s.def
			}
		}
		spelled, _, err := Load(flags, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := dump(spelled), dump(plain); got != want {
			t.Errorf("with every default spelled out:\n%s\nwithout flags:\n%s", got, want)
		}
	})
	t.Run("examples in the help are valid", func(t *testing.T) {
		for i := range flagSpecs {
			s := &flagSpecs[i]
			if s.set == nil || s.example == "" {
				continue
			}
			if _, err := s.use(Default(), s.example); err != nil {
				t.Errorf("--%s=%s: %v", s.name, s.example, err)
			}
		}
	})
}

func TestRefusedFlags(t *testing.T) {
	for i := range flagSpecs {
		s := &flagSpecs[i]
		if s.refused == "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			asking := "/some/value"
			if s.arg == "" {
				asking = "true"
			}
			_, _, err := Load(map[string]string{s.name: asking}, nil)
			if err == nil || !strings.Contains(err.Error(), "--"+s.name+": is not supported by this version; ") {
				t.Errorf("asking for it: %v", err)
			}
			for _, off := range append([]string{"", s.def}, s.off...) {
				if _, warnings, err := Load(map[string]string{s.name: off}, nil); err != nil || len(warnings) > 0 {
					t.Errorf("switched off by %q: %v, warnings %q", off, err, warnings)
				}
			}
		})
	}
}

func TestIgnoredFlags(t *testing.T) {
	for _, test := range []struct{ flag, value, warning string }{
		{"max-wals", "7", "--max-wals has no effect: "},
		{"max-wals", "5", ""}, // the reference's default asks for nothing
		{"pre-vote", "true", "--pre-vote has no effect: "},
		{"strict-reconfig-check", "1", ""},
		{"enable-v2", "true", ""},
		{"enable-v2", "false", "--enable-v2 has no effect: Pando always serves the v2 API"},
		{"logger", "capnslog", ""},
	} {
		t.Run(test.flag+"="+test.value, func(t *testing.T) {
			_, warnings, err := Load(map[string]string{test.flag: test.value}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.warning == "" && len(warnings) > 0 {
				t.Errorf("unexpected warnings %q", warnings)
			}
			if test.warning != "" && (len(warnings) != 1 || !strings.HasPrefix(warnings[0], test.warning)) {
				t.Errorf("got warnings %q, want one that starts with %q", warnings, test.warning)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	for _, test := range []struct{ word, want string }{
		{"nme", "name"},
		{"data_dir", "data-dir"},
		{"Data-Dir", "data-dir"},
		{"listen-client-url", "listen-client-urls"},
		{"snapshots-count", "snapshot-count"},
		{"initial-advertise", "initial-advertise-peer-urls"},
		{"qqqqqq", ""},
		{"", ""},
	} {
		t.Run(test.word, func(t *testing.T) {
			if got := Nearest(test.word, FlagNames()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
