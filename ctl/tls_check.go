package ctl

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pando/members/certs"
)

// tlsCheck holds the options of one run of tls check.
type tlsCheck struct {
	client, peer certs.Files // the files of a member for its clients, and for other members
	hosts        nameList    // each may be a list, separated by commas
	use          string      // the value of --for; may be empty
	now          time.Time
}

// The uses of a certificate: the values of --for.
const (
	useServer = "server"
	useClient = "client"
	usePeer   = "peer"
)

var certUses = map[string]certs.Use{useServer: certs.ForServer, useClient: certs.ForClient, usePeer: certs.ForPeer}

func (p *program) tlsCheckCommand() *cli.Command {
	o := &tlsCheck{}
	pathFlag := func(destination *string, usage string, names ...string) cli.Flag {
		return &cli.StringFlag{Name: names[0], Aliases: names[1:], Destination: destination, Usage: usage}
	}
	return p.command(&cli.Command{
		Name: "check", Usage: "say what is wrong with certificates, keys, CAs and revocation lists", ArgsUsage: "[file or directory...]",
		Flags: []cli.Flag{
			pathFlag(&o.client.Cert, "the certificate `file` of a server, or with --for that of a client or peer", "cert-file"),
			pathFlag(&o.client.Key, "the `file` of its key", "key-file"),
			pathFlag(&o.client.CA, "the `file` of the trusted CAs", "trusted-ca-file", "ca-file"),
			pathFlag(&o.client.CRL, "the `file` of revocation lists", "client-crl-file", "crl-file"),
			pathFlag(&o.peer.Cert, "the certificate `file` of a member for other members", "peer-cert-file"),
			pathFlag(&o.peer.Key, "the `file` of its key", "peer-key-file"),
			pathFlag(&o.peer.CA, "the `file` of the CAs that are trusted by members", "peer-trusted-ca-file"),
			pathFlag(&o.peer.CRL, "the `file` of revocation lists for members", "peer-crl-file"),
			&cli.GenericFlag{Name: "hosts", Value: &o.hosts,
				Usage: "names and IP `addresses`, separated by commas, that the certificates of servers and peers must have"},
			&cli.StringFlag{Name: "for", Destination: &o.use, Usage: "the `use` of --cert-file: server, client or peer (default: server)"},
		},
		Description: `DESCRIPTION:
   Checks files as a server does at its start, with the flags of the server, or those in a directory that tls init has made, or
   a single certificate: can they be read, does the key belong to the certificate, is it signed by the CA, is it for its use and
   its hosts, has it been revoked, and when does it end. NAME-key.pem and ca.pem beside a certificate NAME.pem are its key and
   its CA, unless options name them. The exit code is 1 if anything is wrong, and if a certificate ends within 30 days.

` + p.examples(
			`tls check certs`, "everything in a directory",
			`tls check --hosts 10.0.0.1 --cert-file s.pem --key-file s-key.pem --trusted-ca-file ca.pem`, "the flags of a server",
			`-o json tls check certs`, "for programs",
			`tls check --for client --cert-file ann.pem --key-file ann-key.pem --ca-file ca.pem`, "the files of a client"),
		Action: p.inFormats(func(c *cli.Context) error {
			o.now = time.Now()
			sets, err := o.sets(c.Args().Slice(), p.globals)
			if err != nil {
				return failWith(exitBadArguments, err)
			}
			return p.printTLSReport(o.report(sets))
		}, formatSimple, formatJSON),
	})
}

// tlsSet is a set of files that are used together.
type tlsSet struct {
	files certs.Files
	names certs.Names // of the settings, for problems
	use   string      // of the certificate
}

// sets returns the sets of files that the options and the arguments name, or those of the global options if there are none.
func (o *tlsCheck) sets(args []string, g globals) ([]tlsSet, error) {
	if _, known := certUses[o.use]; o.use != "" && !known {
		return nil, fmt.Errorf("--for %q: it takes server, client or peer", o.use)
	}
	clientNames := certs.Names{Cert: "--cert-file", Key: "--key-file", CA: "--ca-file", CRL: "--crl-file"}
	var sets []tlsSet
	if o.client.Cert != "" || o.client.Key != "" || len(args) == 0 && (o.client.CA != "" || o.client.CRL != "") {
		set := tlsSet{o.client, certs.ClientFlags, useServer}
		if o.use != "" {
			set.use = o.use
		}
		if set.use == useClient {
			set.names = clientNames
		}
		sets = append(sets, set)
	}
	if o.peer != (certs.Files{}) {
		sets = append(sets, tlsSet{o.peer, certs.PeerFlags, usePeer})
	}
	for _, arg := range args {
		found, err := o.setsAt(arg)
		if err != nil {
			return nil, err
		}
		sets = append(sets, found...)
	}
	if global := (certs.Files{Cert: g.tls.Cert, Key: g.tls.Key, CA: g.tls.CA}); len(sets) == 0 && global != (certs.Files{}) {
		sets = append(sets, tlsSet{global, clientNames, useClient})
	}
	if len(sets) == 0 {
		return nil, errors.New("tls check needs a directory, a file, or the flags of a server: see help tls check")
	}
	return sets, nil
}

// setsAt returns the sets of an argument: of a certificate, or of all certificates in a directory.
func (o *tlsCheck) setsAt(path string) ([]tlsSet, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		set, err := o.setOf(path)
		return []tlsSet{set}, err
	}
	files, err := filepath.Glob(filepath.Join(path, "*.pem"))
	if err != nil {
		return nil, err
	}
	var sets []tlsSet
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pem")
		if name == caName || strings.HasSuffix(name, "-key") {
			continue
		}
		set, err := o.setOf(file)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("%s holds no certificate with a name that ends in .pem", path)
	}
	return sets, nil
}

// setOf returns the set of one certificate, with the key and the CA beside it.
func (o *tlsCheck) setOf(file string) (tlsSet, error) {
	base, dir := strings.TrimSuffix(file, ".pem"), filepath.Dir(file)
	set := tlsSet{names: certs.Names{Cert: "certificate", Key: "key", CA: "CA", CRL: "CRL"}, use: o.use}
	set.files = certs.Files{Cert: file, Key: base + "-key.pem", CA: o.client.CA, CRL: o.client.CRL}
	if set.files.CA == "" {
		ca := certFilesIn(dir, caName).cert
		isThere, err := exists(ca)
		if err != nil {
			return tlsSet{}, err
		}
		if isThere && ca != file {
			set.files.CA = ca
		}
	}
	if set.use == "" {
		set.use = useOf(file)
	}
	return set, nil
}

// useOf returns the use that the extended key usages of a certificate allow. It returns useServer for a file that can't be read, and for
// a certificate without extended key usages.
func useOf(file string) string {
	chain, err := certs.ReadCertificates(file)
	if err != nil {
		return useServer
	}
	var isServer, isClient bool
	for _, usage := range chain[0].ExtKeyUsage {
		isServer = isServer || usage == x509.ExtKeyUsageServerAuth
		isClient = isClient || usage == x509.ExtKeyUsageClientAuth
	}
	switch {
	case isServer && isClient:
		return usePeer
	case isClient:
		return useClient
	}
	return useServer
}
