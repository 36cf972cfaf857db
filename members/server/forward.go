package server

import (
	"time"

	"go.uber.org/zap"

	"pando/httpapi/proxy"
	"pando/members/certs"
	"pando/members/config"
)

const (
	// sourceFailureWait is how long a member of the etcd that the cluster follows gets no requests after a failure, if there are others.
	sourceFailureWait = 2 * time.Second
	// sourceIOTimeout bounds the opening of a connection to it, and a single write on the connection.
	sourceIOTimeout = 5 * time.Second
	// sourceMaxIdle is the largest number of idle connections to it.
	sourceMaxIdle = 64
)

// newForwarder returns what forwards requests to the etcd that the cluster follows. Connections to https URLs use the certificate of the
// client side, and trust its CAs and those of the system.
func newForwarder(cfg *config.Config, certificates *certs.Source, log *zap.Logger) *proxy.Forwarder {
	f := proxy.NewForwarder(proxy.ForwarderConfig{
		NewTLSConfig: certificates.ExternalClientConfig,
		FailureWait:  sourceFailureWait,
		DialTimeout:  sourceIOTimeout, WriteTimeout: sourceIOTimeout, ReadTimeout: answerTimeout(cfg),
		MaxIdle: sourceMaxIdle,
		Logger:  log.Named("forward"),
	})
	certificates.OnChange(f.CloseIdleConnections)
	return f
}

// answerTimeout is how long one member of the etcd may take to answer. An etcd with the same election timeout answers earlier by itself,
// even if it has lost its quorum, and its answer says more than a timeout.
func answerTimeout(cfg *config.Config) time.Duration { return requestLimit(cfg) + time.Second }

// sourceTimeout is how long a forwarded request may take. It allows a read to be sent to a second member of the etcd.
func sourceTimeout(cfg *config.Config) time.Duration { return 2 * answerTimeout(cfg) }
