package stats

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// consistency has the metrics of the consistency check, which compares the members' data.
type consistency struct {
	checks      atomic.Uint64
	members     atomic.Int64
	missing     atomic.Int64
	index       atomic.Uint64
	differences atomic.Int64
	hashing     prometheus.Histogram
}

func (c *consistency) init(r *prometheus.Registry) {
	c.hashing = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "pando_consistency_hash_duration_seconds",
		Help:    "Time in which this member hashed its data in the background, pauses included.",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
	})
	r.MustRegister(c.hashing,
		counter("pando_consistency_checks_total", "Comparisons of the members' data whose result this member applied.",
			func() float64 { return float64(c.checks.Load()) }),
		gauge("pando_consistency_checked_members", "Members that took part in the last comparison.",
			func() float64 { return float64(c.members.Load()) }),
		gauge("pando_consistency_missing_members", "Members that could not take part in the last comparison: their data may differ.",
			func() float64 { return float64(c.missing.Load()) }),
		gauge("pando_consistency_checked_index", "Log index of the data that was compared last.",
			func() float64 { return float64(c.index.Load()) }),
		gauge("pando_consistency_differences",
			"Parts of the data in which members differed in the last comparison; above 0 is an alarm, and the log names the keys.",
			func() float64 { return float64(c.differences.Load()) }),
	)
}

// ConsistencyChecked records the result of a comparison of the members' data: how many members took part and how many did
// not, the log index of the data, and the number of parts of the data in which they differed.
func (m *Metrics) ConsistencyChecked(members, missing int, index uint64, differences int) {
	m.consistency.checks.Add(1)
	m.consistency.members.Store(int64(members))
	m.consistency.missing.Store(int64(missing))
	m.consistency.index.Store(index)
	m.consistency.differences.Store(int64(differences))
}

// ConsistencyHashed records how long this member took to hash its data.
func (m *Metrics) ConsistencyHashed(took time.Duration) {
	m.consistency.hashing.Observe(took.Seconds())
}
