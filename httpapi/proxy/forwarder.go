package proxy

import (
	"crypto/tls"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// ForwarderConfig contains the parameters of a Forwarder. Its fields have the meaning of those of Config.
type ForwarderConfig struct {
	NewTLSConfig                           func() *tls.Config
	FailureWait                            time.Duration
	DialTimeout, WriteTimeout, ReadTimeout time.Duration
	MaxIdle                                int
	Logger                                 *zap.Logger
}

// Forwarder sends single requests to the members of another cluster, whose client URLs its caller has. It chooses the member and
// handles failures as a Proxy does, but if all members have failed lately, it tries them again. Its methods may be called from any
// goroutine.
type Forwarder struct {
	endpoints *endpoints
	transport *http.Transport
	failover  *failover
}

// NewForwarder makes a Forwarder.
func NewForwarder(cfg ForwarderConfig) *Forwarder {
	f := &Forwarder{
		endpoints: newEndpoints(cfg.FailureWait, time.Now),
		transport: newTransport(Config{
			NewTLSConfig: cfg.NewTLSConfig, DialTimeout: cfg.DialTimeout, WriteTimeout: cfg.WriteTimeout, ReadTimeout: cfg.ReadTimeout,
			MaxIdle: cfg.MaxIdle,
		}),
	}
	f.endpoints.useExcluded = true
	f.failover = &failover{next: f.transport, endpoints: f.endpoints, onFailure: func() {}, log: cfg.Logger}
	return f
}

// Send sends a request to one of the client URLs, and returns its response when the header has arrived. The caller must close the body of
// the response. Send replaces the scheme and the host of the request. client is the host of the client that has sent the request: all
// requests of one host go to the same member as long as that member responds. Send repeats a read on the next member after a failure, and
// a write only if no byte of it was sent. After an error, inDoubt says that the request is a write that may be applied.
func (f *Forwarder) Send(r *http.Request, client string, urls []string) (resp *http.Response, inDoubt bool, err error) {
	f.endpoints.set(urls)
	return f.failover.send(r, client)
}

// CloseIdleConnections closes the idle connections. It must be called after certificates, CAs or CRLs have been read again.
func (f *Forwarder) CloseIdleConnections() { f.transport.CloseIdleConnections() }
