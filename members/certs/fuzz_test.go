package certs

import (
	"bytes"
	"testing"
	"time"
)

// FuzzFiles parses files of any content. No parser may panic, and what a parser accepts must be complete.
func FuzzFiles(f *testing.F) {
	a, err := NewAuthority("test CA", time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	list, err := a.RevocationList(1, time.Hour, a.Certificate())
	if err != nil {
		f.Fatal(err)
	}
	encrypted := bytes.Replace(a.Pair().Key, []byte("PRIVATE"), []byte("ENCRYPTED PRIVATE"), 2)
	for _, seed := range [][]byte{a.Pair().Cert, a.Pair().Key, list, encrypted, {0x30}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if chain, err := ParseCertificates(content); err == nil {
			for _, c := range chain {
				isAuthority(c)
				NameOf(c)
			}
			if len(chain) == 0 {
				t.Error("no certificate and no error")
			}
		}
		if key, err := parseKey(content); err == nil && (key == nil || key.Public() == nil) {
			t.Error("no key and no error")
		}
		if lists, err := parseLists(content); err == nil {
			for _, list := range lists {
				_, _ = issuedBy(list, nil)
			}
		}
	})
}
