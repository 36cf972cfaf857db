package stats

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// consistency is what /metrics says of the comparisons of what the members hold.
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
		Help:    "Time that this member took in the background to hash all it holds, pauses included.",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
	})
	r.MustRegister(c.hashing,
		counter("pando_consistency_checks_total", "Comparisons of what the members hold that this member saw the end of.",
			func() float64 { return float64(c.checks.Load()) }),
		gauge("pando_consistency_checked_members", "Members that took part in the last comparison.",
			func() float64 { return float64(c.members.Load()) }),
		gauge("pando_consistency_missing_members", "Members that could not be compared in the last comparison: nobody knows what they hold.",
			func() float64 { return float64(c.missing.Load()) }),
		gauge("pando_consistency_checked_index", "Log index as of which they were compared.",
			func() float64 { return float64(c.index.Load()) }),
		gauge("pando_consistency_differences", "Parts of the data in which members differed in the last comparison; above 0 is an alarm, and the log names the keys.",
			func() float64 { return float64(c.differences.Load()) }),
	)
}

// ConsistencyChecked tells the outcome of a comparison of what the members hold:
// how many took part and how many did not, as of which log index, and in how many
// parts of the data they differed.
func (m *Metrics) ConsistencyChecked(members, missing int, index uint64, differences int) {
	m.consistency.checks.Add(1)
	m.consistency.members.Store(int64(members))
	m.consistency.missing.Store(int64(missing))
	m.consistency.index.Store(index)
	m.consistency.differences.Store(int64(differences))
}

// ConsistencyHashed tells how long this member took to hash all it holds.
func (m *Metrics) ConsistencyHashed(took time.Duration) {
	m.consistency.hashing.Observe(took.Seconds())
}
