package config

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// TLS contains the settings of TLS for connections with clients, or for connections with peers.
type TLS struct {
	// CertFile and KeyFile are the paths of the own certificate and its key. Either both are set or neither.
	CertFile, KeyFile string
	// TrustedCAFile contains the CAs whose certificates are accepted; those of the system if empty. If it is set, the other end of a
	// connection must have a certificate.
	TrustedCAFile string
	// CRLFile contains revocation lists of the CAs in TrustedCAFile; may be empty.
	CRLFile string
	// ClientCertAuth requires a certificate of each client. For the client URLs it also makes the common name of the
	// certificate the name of the user, unless the request has another one.
	ClientCertAuth bool
	// AutoTLS uses a self-signed certificate if there is no CertFile.
	AutoTLS bool
	// AllowedCN and AllowedHostname are lists of names: the certificate of the other end must have one of them. An empty list allows
	// all names. At most one of the two is set.
	AllowedCN, AllowedHostname []string
	// AnyHost accepts the certificate of a peer that is valid for no host of the peer's URLs. It is set for peers only.
	AnyHost bool
	// AcceptPlaintext also accepts connections without TLS at https URLs to listen on. It is set for peers only.
	AcceptPlaintext bool
}

// HasCertificate reports whether the settings give a certificate, or ask for a self-signed one.
func (t *TLS) HasCertificate() bool { return t.CertFile != "" || t.AutoTLS }

// RequiresClientCerts reports whether clients of https URLs must have a certificate.
func (t *TLS) RequiresClientCerts() bool { return t.ClientCertAuth || t.TrustedCAFile != "" }

// isSet reports whether a setting is given that has an effect only on https URLs.
func (t *TLS) isSet() bool {
	return t.HasCertificate() || t.KeyFile != "" || t.TrustedCAFile != "" || t.CRLFile != "" || t.ClientCertAuth ||
		len(t.AllowedCN) > 0 || len(t.AllowedHostname) > 0
}

// tlsVersions are the versions of TLS by the name that the flags use.
var tlsVersions = map[string]uint16{"TLS1.2": tls.VersionTLS12, "TLS1.3": tls.VersionTLS13}

// parseTLSVersion parses a version of TLS. An empty text stands for standard.
func parseTLSVersion(text string, standard uint16) (uint16, error) {
	if text == "" {
		return standard, nil
	}
	name := strings.ReplaceAll(strings.ToUpper(text), "V", "")
	if version, ok := tlsVersions[name]; ok {
		return version, nil
	}
	if name == "TLS1.0" || name == "TLS1.1" {
		return 0, &valueError{fmt.Sprintf("%q is too old to be safe", text), "use TLS1.2 or TLS1.3"}
	}
	return 0, &valueError{fmt.Sprintf("%q is not a version of TLS", text), "use TLS1.2 or TLS1.3"}
}

// parseCipherSuites parses a list of names of cipher suites, as package tls writes them.
func parseCipherSuites(text string) ([]uint16, error) {
	var ids []uint16
	known := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, name := range splitList(text) {
		at := slices.IndexFunc(known, func(s *tls.CipherSuite) bool { return s.Name == fullSuiteName(name) })
		if at < 0 {
			return nil, unknownCipherSuite(name, known)
		}
		if id := known[at].ID; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// fullSuiteName returns the name that package tls has for a cipher suite. etcd also takes the older names of the suites with ChaCha20,
// which have no hash.
func fullSuiteName(name string) string {
	if strings.HasSuffix(name, "_WITH_CHACHA20_POLY1305") {
		return name + "_SHA256"
	}
	return name
}

func unknownCipherSuite(name string, known []*tls.CipherSuite) error {
	names := make([]string, len(known))
	for i, s := range known {
		names[i] = s.Name
	}
	fix := "use names such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, separated by commas"
	upper := strings.ToUpper(name)
	for _, n := range names {
		if strings.Contains(n, upper) || strings.ReplaceAll(n, "_WITH_", "_") == "TLS_"+strings.ReplaceAll(upper, "-", "_") {
			fix = "did you mean " + n + "?"
			break
		}
	}
	return &valueError{fmt.Sprintf("%q is not a cipher suite", name), fix}
}

// weakCipherSuites returns the names of suites that have known weaknesses.
func weakCipherSuites(ids []uint16) []string {
	var weak []string
	for _, s := range tls.InsecureCipherSuites() {
		if slices.Contains(ids, s.ID) {
			weak = append(weak, s.Name)
		}
	}
	return weak
}
