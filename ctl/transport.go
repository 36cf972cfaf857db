package ctl

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/urfave/cli/v2"
)

// newTransport makes the HTTP transport that the TLS flags ask for. HTTP_PROXY and its kin are honoured.
func newTransport(c *cli.Context) (*http.Transport, error) {
	config, err := tlsConfig(setting(c, certFlag), setting(c, keyFlag), setting(c, caFlag))
	if err != nil {
		return nil, err
	}
	// The command's own deadline should be the one that is reported; this one is for commands that have none.
	limit := max(c.Duration(totalTimeoutFlag), 0) + 100*time.Millisecond
	dialer := &net.Dialer{Timeout: limit, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     config,
	}, nil
}

// tlsConfig reads the files. Without any it returns nil: HTTPS with the system's CAs.
func tlsConfig(certFile, keyFile, caFile string) (*tls.Config, error) {
	if certFile == "" && keyFile == "" && caFile == "" {
		return nil, nil
	}
	if (certFile == "") != (keyFile == "") {
		return nil, fmt.Errorf("KeyFile and CertFile must both be present[key: %v, cert: %v]", keyFile, certFile)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if _, unread := errors.AsType[*os.PathError](err); err != nil && !unread { // that one names its file
			err = fmt.Errorf("--cert-file %s, --key-file %s: %w", certFile, keyFile, err)
		}
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if caFile != "" {
		pool, err := certPool(caFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	return config, nil
}

// certPool reads certificates. A file without any is refused, where the legacy client goes on and trusts nobody.
func certPool(file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for n := 0; ; n++ {
		block, rest := pem.Decode(data)
		switch {
		case block == nil && n == 0:
			return nil, fmt.Errorf("--ca-file %s: it holds no certificate in PEM form", file)
		case block == nil:
			return pool, nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("--ca-file %s: %w", file, err)
		}
		pool.AddCert(cert)
		data = rest
	}
}
