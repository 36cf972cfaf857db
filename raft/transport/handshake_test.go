package transport

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"pando/members"
	"pando/stats"
)

// TestFoundingIDs connects members whose founding IDs are equal, different, or not known.
func TestFoundingIDs(t *testing.T) {
	connect := func(t *testing.T, one, two uint64) (a, b *endpoint) {
		a, b = newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
		a.founding.Store(one)
		b.founding.Store(two)
		return a, b
	}
	t.Run("the same", func(t *testing.T) {
		a, b := connect(t, 77, 77)
		a.connect(b)
		a.deliver(b)
		if id, has := b.FoundingOf(1); id != 77 || !has {
			t.Errorf("announced is %s, %v", id, has)
		}
	})
	t.Run("one unknown", func(t *testing.T) {
		a, b := connect(t, 77, 0)
		a.connect(b)
		b.connect(a)
		a.deliver(b)
		b.deliver(a)
		if id, has := a.FoundingOf(2); id != 0 || !has {
			t.Errorf("announced is %s, %v", id, has)
		}
	})
	t.Run("an older version", func(t *testing.T) {
		_, b := connect(t, 0, 77)
		b.openStream(t)
		b.await("the stream", func() bool { return !b.LastReceived(1).IsZero() })
		if id, has := b.FoundingOf(1); id != 0 || has {
			t.Errorf("announced is %s, %v", id, has)
		}
	})
	t.Run("different", func(t *testing.T) {
		core, logged := observer.New(zapcore.WarnLevel)
		a, b := newEndpoint(t, 1, func(c *Config) { c.Logger = zap.New(core) }), newEndpoint(t, 2, nil)
		a.founding.Store(77)
		b.founding.Store(88)
		a.connect(b)
		a.await("some attempts", func() bool { return a.lost.Load() > 2 })
		if !b.LastReceived(1).IsZero() {
			t.Error("a member with another founding ID has a stream")
		}
		text := logged.All()[0].ContextMap()["error"].(string)
		for _, want := range []string{"data directory of member 2", members.ID(77).String(), members.ID(88).String(), "earlier cluster"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q does not say %q", text, want)
			}
		}
	})
	t.Run("different, but not known at first", func(t *testing.T) {
		a, b := connect(t, 77, 0)
		a.connect(b)
		b.connect(a)
		a.deliver(b)
		b.deliver(a)
		b.founding.Store(88)
		b.RecheckPeers()
		b.await("both streams to end", func() bool { return b.LastReceived(1).IsZero() && a.LastReceived(2).IsZero() })
	})
}

// TestMismatchIsExplained connects to a member of another cluster, and to another member. The log must say which member it
// is, which one was expected, and what to do. It must not say so with each attempt.
func TestMismatchIsExplained(t *testing.T) {
	for name, test := range map[string]struct {
		tune  func(*Config)
		wants []string
	}{
		"another cluster": {func(c *Config) { c.Cluster = 8 }, []string{
			"is of cluster 8", "says cluster 7", "--initial-cluster-token", "new in place of existing", "delete its data directory",
		}},
		"another member": {func(c *Config) { c.Self = 3 }, []string{"member 3 listens at this URL, not member 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			core, logged := observer.New(zapcore.WarnLevel)
			a, b := newEndpoint(t, 1, func(c *Config) { c.Logger = zap.New(core) }), newEndpoint(t, 2, test.tune)
			a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{b.server.URL}}})
			start := time.Now()
			a.await("some attempts", func() bool { return a.lost.Load() > 8 })
			lines := logged.FilterMessage("the peer refuses this member; trying again").All()
			if len(lines) == 0 || time.Since(start) < 2*time.Second && len(lines) > 2 {
				t.Fatalf("logged %d lines in %v", len(lines), time.Since(start))
			}
			text := lines[0].ContextMap()["error"].(string)
			for _, want := range test.wants {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
		})
	}
}

// TestLevels connects members whose programs serve different feature levels.
func TestLevels(t *testing.T) {
	level := func(level uint64) func(*Config) { return func(c *Config) { c.Level = level } }
	t.Run("served by both", func(t *testing.T) {
		a, b := newEndpoint(t, 1, level(2)), newEndpoint(t, 2, level(1))
		a.level.Store(1)
		a.connect(b)
		b.connect(a)
		a.deliver(b)
		b.deliver(a)
		if got := []uint64{a.FeatureLevelOf(2), b.FeatureLevelOf(1), b.FeatureLevelOf(3)}; got[0] != 1 || got[1] != 2 || got[2] != 0 {
			t.Errorf("announced levels are %d, want [1 2 0]", got)
		}
	})
	t.Run("a program without levels", func(t *testing.T) {
		b := newEndpoint(t, 2, level(1))
		b.openStream(t)
		b.await("the stream", func() bool { return !b.LastReceived(1).IsZero() })
		if got := b.FeatureLevelOf(1); got != 0 {
			t.Errorf("announced level is %d, want 0", got)
		}
		b.level.Store(1)
		if _, resp := b.dial(t); resp.StatusCode != http.StatusConflict {
			t.Errorf("a cluster of level 1 responds %s, want 409", resp.Status)
		}
	})
	t.Run("below the cluster's", func(t *testing.T) {
		core, logged := observer.New(zapcore.WarnLevel)
		a, b := newEndpoint(t, 1, func(c *Config) { c.Level, c.Logger = 1, zap.New(core) }), newEndpoint(t, 2, level(2))
		b.level.Store(2)
		a.connect(b)
		b.connect(a)
		a.await("attempts of both", func() bool { return a.lost.Load() > 2 && b.lost.Load() > 2 })
		// a takes a stream of b for a moment, until b has read the level in the response.
		a.await("both to have no stream", func() bool { return a.LastReceived(2).IsZero() && b.LastReceived(1).IsZero() })
		text := logged.All()[0].ContextMap()["error"].(string)
		for _, want := range []string{
			"the cluster is at feature level 2", "member 1 runs Pando " + stats.Version, "levels up to 1", "Upgrade that member",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q does not say %q", text, want)
			}
		}
	})
	t.Run("raised while a stream is up", func(t *testing.T) {
		a, b := newEndpoint(t, 1, level(1)), newEndpoint(t, 2, level(2))
		a.connect(b)
		b.connect(a)
		a.deliver(b)
		b.deliver(a)
		b.level.Store(2)
		b.RecheckPeers()
		b.await("both streams to end", func() bool { return b.LastReceived(1).IsZero() && a.LastReceived(2).IsZero() })
	})
}

// TestProtocols compares the ranges of peer protocols that two members announce.
func TestProtocols(t *testing.T) {
	for name, test := range map[string]struct {
		single, both string // the headers headerProtocol and headerProtocols
		want         protocolRange
		ok           bool // whether it overlaps servedProtocols
	}{
		"this program":         {"2", "2-2", servedProtocols, true},
		"without a range":      {"2", "", servedProtocols, true},
		"a later one":          {"2", "2-5", protocolRange{2, 5}, true},
		"a range above":        {"3", "3-4", protocolRange{3, 4}, false},
		"a range below":        {"1", "", protocolRange{1, 1}, false},
		"not a number":         {"x", "", protocolRange{}, false},
		"half a range":         {"2", "2-", protocolRange{}, false},
		"no header":            {"", "", protocolRange{}, false},
		"an impossible header": {"2", "9-1", protocolRange{9, 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			for header, value := range map[string]string{headerProtocol: test.single, headerProtocols: test.both} {
				if value != "" {
					h.Set(header, value)
				}
			}
			if got := readProtocols(h); got != test.want || got.overlaps(servedProtocols) != test.ok {
				t.Errorf("got %v, overlaps: %v", got, got.overlaps(servedProtocols))
			}
		})
	}
	t.Run("a refusal names both ranges", func(t *testing.T) {
		a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
		core, logged := observer.New(zapcore.WarnLevel)
		a.Logger, a.protocols = zap.New(core), protocolRange{7, 9}
		a.connect(b)
		a.await("an attempt", func() bool { return logged.Len() > 0 })
		text := logged.All()[0].ContextMap()["error"].(string)
		if !strings.Contains(text, "peer protocol 7-9") || !strings.Contains(text, "serves 2-2") {
			t.Errorf("the log says %s", text)
		}
	})
}
