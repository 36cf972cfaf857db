package stats

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// ForwardOutcome is how a request ended that a member had to forward to the etcd that the cluster follows: the label outcome.
type ForwardOutcome uint8

// The outcomes.
const (
	ForwardOK      ForwardOutcome = iota // the etcd has carried the request out
	ForwardFailed                        // the etcd has answered with an error
	ForwardLate                          // the etcd has made the change, and the member had not applied it 2 s later
	ForwardInDoubt                       // the etcd did not answer, and may have made the change
	ForwardRefused                       // the request did not reach the etcd
	forwardCount
)

var forwardNames = [forwardCount]string{
	ForwardOK: "ok", ForwardFailed: "failed", ForwardLate: "late", ForwardInDoubt: "in_doubt", ForwardRefused: "refused",
}

// Mirror counts the requests that a member forwards to the etcd that the cluster follows.
type Mirror struct {
	forwarded [forwardCount]atomic.Uint64
}

// Forwarded counts a request that has ended. It may be called from any goroutine.
func (m *Mirror) Forwarded(outcome ForwardOutcome) { m.forwarded[min(outcome, ForwardRefused)].Add(1) }

// Mirror registers the metrics of a cluster that follows an etcd, and returns their counters. phase returns the number of the phase,
// forwarding the number of requests that are being forwarded; both may be called from any goroutine. Mirror panics when it is called twice.
func (m *Metrics) Mirror(phase, forwarding func() uint64) *Mirror {
	counts := &Mirror{}
	m.registry.MustRegister(
		gauge("pando_mirror_phase", "0 for an ordinary cluster, 1 while it follows an etcd, 2 while it is taking over (fenced).",
			func() float64 { return float64(phase()) }),
		gauge("pando_mirror_forwarding", "Requests that are being forwarded to the etcd that the cluster follows.",
			func() float64 { return float64(forwarding()) }),
	)
	for outcome := range forwardCount {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pando_mirror_forwarded_total", ConstLabels: prometheus.Labels{"outcome": forwardNames[outcome]},
			Help: "Writes and quorum reads while the cluster follows an etcd: carried out by it (ok), answered with an error (failed), " +
				"applied here more than 2 s later (late), without an answer (in_doubt), not sent (refused).",
		}, func() float64 { return float64(counts.forwarded[outcome].Load()) }))
	}
	return counts
}
