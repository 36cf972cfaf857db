package stats

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// leases are the metrics of leases that are counted where something happens. The number of leases is a gauge; see Gauges.
type leases struct {
	renewed, expired atomic.Uint64
}

func (l *leases) init(registry prometheus.Registerer) {
	registry.MustRegister(
		counter("pando_leases_renewed_total", "Renewals of leases that clients of this member have made.",
			func() float64 { return float64(l.renewed.Load()) }),
		counter("pando_leases_expired_total", "Leases that were removed because their time had ended, while this member led.",
			func() float64 { return float64(l.expired.Load()) }),
	)
}

// LeaseRenewed counts a renewal of a lease.
func (m *Metrics) LeaseRenewed() { m.leases.renewed.Add(1) }

// LeasesExpired counts leases that were removed because their time had ended.
func (m *Metrics) LeasesExpired(n int) { m.leases.expired.Add(uint64(n)) }
