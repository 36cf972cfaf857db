package config

import (
	"net/url"
	"testing"
)

// FuzzURLs parses lists of URLs. The printed form of an accepted URL must be accepted, and must be the same URL.
func FuzzURLs(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1:2379", "https://[::1]:1,http://localhost:0", "unix:///run/p.sock", "unixs://a:1", "unix://u:p@h/p?q#f", "http://a:1/",
		"://",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, rule := range []schemeRule{urlsToListen, peersToListen, urlsToAdvertise} {
			urls, err := parseURLs(text, rule)
			if err != nil {
				continue
			}
			for _, u := range urls {
				again, err := parseURL(u.String(), rule)
				if err != nil || again.String() != u.String() || SocketPath(again) != SocketPath(u) {
					t.Errorf("%q is printed as %q: %v, %v", text, u.String(), again, err)
				}
				_ = Dialable([]url.URL{u})
			}
		}
	})
}

// FuzzTLSValues parses cipher suites and versions. No text may cause a panic.
func FuzzTLSValues(f *testing.F) {
	f.Add("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256")
	f.Add("TLS1.3")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = parseCipherSuites(text)
		_, _ = parseTLSVersion(text, 0)
	})
}
