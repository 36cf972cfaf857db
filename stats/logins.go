package stats

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Logins counts the logins of requests by their results. It implements auth.Metrics.
type Logins struct {
	cached, succeeded, failed, limited, hashes atomic.Uint64
	hashing                                    atomic.Int64
}

// CacheHit counts a request whose password was in the cache.
func (l *Logins) CacheHit() { l.cached.Add(1) }

// Succeeded counts a login whose password was verified by its hash.
func (l *Logins) Succeeded() { l.succeeded.Add(1) }

// Failed counts a request with bad credentials.
func (l *Logins) Failed() { l.failed.Add(1) }

// Limited counts a request whose password was not verified.
func (l *Logins) Limited() { l.limited.Add(1) }

// Hashing adds to the number of passwords that are being hashed. n is 1 or -1.
func (l *Logins) Hashing(n int) {
	if n > 0 {
		l.hashes.Add(1)
	}
	l.hashing.Add(int64(n))
}

// Logins registers the metrics of logins and returns their counters. It panics when it is called twice.
func (m *Metrics) Logins() *Logins {
	l := &Logins{}
	m.registry.MustRegister(
		counter("pando_auth_cache_hits_total", "Requests whose password had been verified before.",
			func() float64 { return float64(l.cached.Load()) }),
		gauge("pando_auth_hashes_running", "Passwords that are being hashed.", func() float64 { return float64(l.hashing.Load()) }),
		counter("pando_auth_hashes_total", "Passwords that were hashed, to verify or to store them.",
			func() float64 { return float64(l.hashes.Load()) }),
	)
	for _, result := range []struct {
		name  string
		count *atomic.Uint64
	}{{"succeeded", &l.succeeded}, {"failed", &l.failed}, {"limited", &l.limited}} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pando_auth_logins_total", ConstLabels: prometheus.Labels{"result": result.name},
			Help: "Logins with a password that was not in the cache: succeeded, failed, or limited (429, the password was not verified).",
		}, func() float64 { return float64(result.count.Load()) }))
	}
	return l
}
