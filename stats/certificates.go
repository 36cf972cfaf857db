package stats

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Certificate is a certificate or a revocation list in use.
type Certificate struct {
	Setting string // the flag that names its file
	File    string
	Subject string
	Expires time.Time
}

// CertificateSource returns the certificates of one side and the number of failed reloads. Its functions are called at each scrape, from
// any goroutine.
type CertificateSource struct {
	Certificates   func() []Certificate
	ReloadFailures func() uint64
}

// RegisterCertificates registers the metrics of the certificates of a side, such as "client". It panics when it is called twice for a
// side.
func (m *Metrics) RegisterCertificates(side string, source CertificateSource) {
	labels := prometheus.Labels{"side": side}
	expiry := prometheus.NewDesc("pando_tls_certificate_expiry_seconds",
		"Time at which a certificate, a CA or a revocation list in use expires, in seconds since 1970.",
		[]string{"flag", "file", "subject"}, labels)
	m.registry.MustRegister(&certificateCollector{source.Certificates, expiry})
	prometheus.WrapRegistererWith(labels, m.registry).MustRegister(
		counter("pando_tls_reload_failures_total", "Changes of files for TLS that were not accepted; the old content stayed in use.",
			func() float64 { return float64(source.ReloadFailures()) }))
}

// certificateCollector makes a gauge for each certificate. It is a collector because the certificates change while the process runs.
type certificateCollector struct {
	certificates func() []Certificate
	desc         *prometheus.Desc
}

// Describe sends the description of the gauges.
func (c *certificateCollector) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect sends the gauges. Of several certificates with the same labels it sends one.
func (c *certificateCollector) Collect(to chan<- prometheus.Metric) {
	seen := map[[3]string]bool{}
	for _, each := range c.certificates() {
		labels := [3]string{each.Setting, each.File, each.Subject}
		if !seen[labels] {
			seen[labels] = true
			to <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(each.Expires.Unix()), labels[:]...)
		}
	}
}

// Handshakes counts the TLS handshakes of a group of listeners.
type Handshakes struct{ failed atomic.Uint64 }

// Failed counts a handshake that failed.
func (h *Handshakes) Failed() { h.failed.Add(1) }

// Handshakes registers the metrics of the TLS handshakes of a group of listeners. It panics when it is called twice for a group.
func (m *Metrics) Handshakes(group string) *Handshakes {
	h := &Handshakes{}
	prometheus.WrapRegistererWith(prometheus.Labels{"listener": group}, m.registry).MustRegister(
		counter("pando_tls_handshake_failures_total", "TLS handshakes that failed, plain HTTP requests included.",
			func() float64 { return float64(h.failed.Load()) }))
	return h
}
