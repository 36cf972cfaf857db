package client

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// TLSFiles holds the names of the PEM files of a TLS configuration, and the name of the servers. Each may be empty.
type TLSFiles struct {
	Cert, Key  string // the client's certificate and its key
	CA         string // the trusted certificate authorities; empty: those of the system
	ServerName string // a name that the certificates of the servers must have; empty: the host of the endpoint
}

// Config reads the files. It returns nil if all fields are empty.
func (f TLSFiles) Config() (*tls.Config, error) {
	if f == (TLSFiles{}) {
		return nil, nil
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, fmt.Errorf("KeyFile and CertFile must both be present[key: %v, cert: %v]", f.Key, f.Cert)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if _, unread := errors.AsType[*os.PathError](err); err != nil && !unread { // a PathError names its file
			err = fmt.Errorf("certificate %s, key %s: %w", f.Cert, f.Key, err)
		}
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if f.CA != "" {
		pool, err := certPool(f.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	return config, nil
}

// certPool reads certificates. It returns an error if the file holds none: the legacy client accepts such a file, and then
// trusts no server.
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
			return nil, fmt.Errorf("certificate authorities %s: the file holds no certificate in PEM form", file)
		case block == nil:
			return pool, nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities %s: %w", file, err)
		}
		pool.AddCert(cert)
		data = rest
	}
}
