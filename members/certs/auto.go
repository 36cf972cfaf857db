package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"
)

const (
	// autoValidity is how long a self-signed certificate is valid. It is renewed when less than autoRenewal is left.
	autoValidity = 365 * 24 * time.Hour
	autoRenewal  = 30 * 24 * time.Hour

	autoCertName, autoKeyName = "cert.pem", "key.pem"
	autoName                  = "pando self-signed"
)

// isAuto reports whether the own certificate is self-signed and made by this package.
func (s *Source) isAuto() bool {
	return s.options.AutoDir != "" && s.options.Cert == filepath.Join(s.options.AutoDir, autoCertName)
}

// prepareAuto sets the paths of the self-signed certificate, if the options ask for one. It makes or renews the certificate if
// renewalReason returns a reason.
func (s *Source) prepareAuto() error {
	o := &s.options
	if o.AutoDir == "" || o.Cert != "" && !s.isAuto() {
		return nil
	}
	o.Cert, o.Key = filepath.Join(o.AutoDir, autoCertName), filepath.Join(o.AutoDir, autoKeyName)
	why := s.renewalReason()
	if why == "" {
		return nil
	}
	fail := func(err error) error {
		return &FileError{o.Names.Auto, o.AutoDir, fmt.Errorf("the self-signed certificate can't be made: %w", readError(err))}
	}
	if err := os.MkdirAll(o.AutoDir, 0o700); err != nil {
		return fail(err)
	}
	p, err := SelfSigned(Request{
		CommonName: autoName, Hosts: o.AutoHosts, Server: true, Client: true, From: s.now().Add(-clockSkew), ValidFor: autoValidity + clockSkew,
	})
	if err == nil {
		err = writeFile(o.Key, p.Key, 0o600)
	}
	if err == nil {
		err = writeFile(o.Cert, p.Cert, 0o600)
	}
	if err != nil {
		return fail(err)
	}
	s.log.Info("a self-signed certificate was made", zap.String("file", o.Cert), zap.String("reason", why), zap.Strings("hosts", o.AutoHosts))
	return nil
}

// renewalReason returns the reason for making a self-signed certificate, or an empty text if the present one can be used.
func (s *Source) renewalReason() string {
	chain, err := read(s.options.Cert, ParseCertificates)
	if err != nil {
		if _, statErr := os.Stat(s.options.Cert); errors.Is(statErr, fs.ErrNotExist) {
			return "there is none"
		}
		return err.Error()
	}
	key, err := read(s.options.Key, parseKey)
	if err != nil {
		return "its key: " + err.Error()
	}
	if _, err := pair(chain, key); err != nil {
		return err.Error()
	}
	switch left := chain[0].NotAfter.Sub(s.now()); {
	case left < autoRenewal:
		return "the present one expires at " + chain[0].NotAfter.UTC().Format(timeLayout)
	case !coversHosts(chain[0], s.options.AutoHosts):
		return "the present one is for other hosts"
	}
	return ""
}

func coversHosts(c *x509.Certificate, hosts []string) bool {
	return !slices.ContainsFunc(hosts, func(host string) bool { return c.VerifyHostname(host) != nil })
}
