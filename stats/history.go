package stats

import "github.com/prometheus/client_golang/prometheus"

// HistoryUse is what a member keeps of the past for watches, beside the last events. Its fields are those of tree.HistoryUse.
type HistoryUse struct {
	RemovedBytes   int64
	RemovedDropped uint64
	Scopes         int
	ScopeBytes     int64
	ScopeEvicted   uint64
}

// historyUse registers the metrics of a HistoryUse.
func (r *gaugeRegistrar) historyUse(read func() HistoryUse) {
	if read == nil {
		return
	}
	r.register("pando_history_removed_bytes", "Estimate of the memory of the removed directories that are kept for watches with each=true.",
		func() float64 { return float64(read().RemovedBytes) })
	r.counter("pando_history_removed_dropped_total",
		"Removed directories that are no longer kept because of --history-removed-bytes. A watch with each=true that needs one is incomplete.",
		func() float64 { return float64(read().RemovedDropped) })
	r.register("pando_history_scopes", "Watched subtrees whose events are kept beyond the history (--history-scope).",
		func() float64 { return float64(read().Scopes) })
	r.register("pando_history_scope_bytes", "Estimate of the memory of these subtrees and their events.",
		func() float64 { return float64(read().ScopeBytes) })
	r.counter("pando_history_scope_evicted_total",
		"Events of watched subtrees that are no longer kept because of the limit of --history-scope.",
		func() float64 { return float64(read().ScopeEvicted) })
}

// counter registers a counter whose value is read at each scrape.
func (r *gaugeRegistrar) counter(name, help string, read func() float64) {
	if r.err == nil {
		r.err = r.to.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
	}
}
