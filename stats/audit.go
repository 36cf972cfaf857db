package stats

import "sync/atomic"

// Audit counts the records of the audit log.
type Audit struct {
	written, lost atomic.Uint64
}

// Audit registers the metrics of the audit log, and returns their counters. It panics when it is called twice.
func (m *Metrics) Audit() *Audit {
	a := &Audit{}
	m.registry.MustRegister(
		counter("pando_audit_records_total", "Records that were written to the audit log.",
			func() float64 { return float64(a.written.Load()) }),
		counter("pando_audit_lost_total",
			"Records of the audit log that were dropped because its buffer was full, or that could not be written; above 0 is an alarm.",
			func() float64 { return float64(a.lost.Load()) }),
	)
	return a
}

// AuditWritten counts records that were written.
func (a *Audit) AuditWritten(records int) { a.written.Add(uint64(records)) }

// AuditLost counts records that were dropped or could not be written.
func (a *Audit) AuditLost(records int) { a.lost.Add(uint64(records)) }
