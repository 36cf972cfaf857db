package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The user of the image. It is a number in the configuration, because Kubernetes can't tell whether a name stands for root.
const (
	uid      = 65532
	userName = "pando"
)

// Where the program and its data are in the image.
const (
	programPath = "/usr/bin/pando"
	dataDir     = "/var/lib/pando"
)

// links are further names of the program. Under the first it serves, as in images of etcd; under the others it is the client.
var links = []string{"/usr/local/bin/etcd", "/usr/local/bin/etcdctl", "/usr/bin/pandoctl"}

// entry is one file of a layer. It is a directory if it has neither content nor a link.
type entry struct {
	name    string // absolute
	mode    int64
	owner   int // user and group
	content []byte
	link    string
}

// baseEntries returns the files that do not depend on the program.
func (r release) baseEntries() ([]entry, error) {
	license, err := os.ReadFile(r.license)
	if err != nil {
		return nil, err
	}
	certificates, err := rootCertificates()
	if err != nil {
		return nil, err
	}
	users := fmt.Sprintf("root:x:0:0:root:/root:/sbin/nologin\n%s:x:%d:%d:Pando:%s:/sbin/nologin\n", userName, uid, uid, dataDir)
	groups := fmt.Sprintf("root:x:0:\n%s:x:%d:\n", userName, uid)
	return []entry{
		{name: "/etc", mode: 0o755},
		{name: "/etc/group", mode: 0o644, content: []byte(groups)},
		{name: "/etc/nsswitch.conf", mode: 0o644, content: []byte("hosts: files dns\n")},
		{name: "/etc/passwd", mode: 0o644, content: []byte(users)},
		{name: "/etc/ssl", mode: 0o755},
		{name: "/etc/ssl/certs", mode: 0o755},
		{name: "/etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: certificates},
		{name: "/tmp", mode: 0o1777},
		{name: "/usr", mode: 0o755},
		{name: "/usr/share", mode: 0o755},
		{name: "/usr/share/doc", mode: 0o755},
		{name: "/usr/share/doc/pando", mode: 0o755},
		{name: "/usr/share/doc/pando/LICENSE", mode: 0o644, content: license},
		{name: "/var", mode: 0o755},
		{name: "/var/lib", mode: 0o755},
		{name: dataDir, mode: 0o700, owner: uid},
	}, nil
}

// programEntries returns the program and its links.
func programEntries(p program) ([]entry, error) {
	content, err := os.ReadFile(p.path)
	if err != nil {
		return nil, err
	}
	entries := []entry{
		{name: "/usr", mode: 0o755},
		{name: "/usr/bin", mode: 0o755},
		{name: programPath, mode: 0o755, content: content},
		{name: "/usr/local", mode: 0o755},
		{name: "/usr/local/bin", mode: 0o755},
	}
	for _, link := range links {
		entries = append(entries, entry{name: link, mode: 0o777, link: programPath})
	}
	return entries, nil
}

// rootCertificates returns the CAs that Mozilla trusts, in PEM. A member needs them for a discovery service with https. They come from
// a Go module, so that the image does not depend on the machine that builds it.
func rootCertificates() ([]byte, error) {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue // trusted for some certificates only, which a PEM file can't say
		}
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "# %s\n", certificate.Subject)
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// layer makes a compressed layer of files, all of the same time.
func layer(entries []entry, date time.Time) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		header := &tar.Header{
			Name: e.name[1:], Mode: e.mode, Uid: e.owner, Gid: e.owner, ModTime: date, Size: int64(len(e.content)), Linkname: e.link,
			Typeflag: tar.TypeReg, Format: tar.FormatPAX,
		}
		switch {
		case e.link != "":
			header.Typeflag = tar.TypeSymlink
		case e.content == nil:
			header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}
