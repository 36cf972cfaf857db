package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"pando/members/certs"
)

// TLSFiles are the paths of the PEM files of a TLS configuration, and the name of the servers. Each may be empty.
type TLSFiles struct {
	Cert, Key  string // the client's certificate and its key
	CA         string // the trusted certificate authorities; empty: those of the system
	ServerName string // a name that the certificates of the servers must have; empty: the host of the endpoint
}

// Config reads the files and returns the TLS configuration of a client, or nil if all fields are empty. It checks no more than the legacy
// client, and errors about a missing file have the texts of the legacy client: so it does not use certs.Open.
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

// certPool reads the certificates of CAs. It returns an error if the file contains none: the legacy client accepts such a file, and
// then trusts no server.
func certPool(file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	authorities, err := certs.ParseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities %s: %w", file, err)
	}
	pool := x509.NewCertPool()
	for _, c := range authorities {
		pool.AddCert(c)
	}
	return pool, nil
}
