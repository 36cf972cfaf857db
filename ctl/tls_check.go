package ctl

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"pando/members/certs"
)

// tlsCheck holds the options of one run of tls check.
type tlsCheck struct {
	client, peer certs.Files // the files of a member for its clients, and for other members
	hosts        nameList    // each may hold several, separated by commas
	use          string
	now          time.Time
}

// The values of --for.
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

// tlsSet is a set of files that belong together, and what they are for.
type tlsSet struct {
	files certs.Files
	names certs.Names // of the flags in problems
	use   string
}

// sets returns the sets of files that the options and the arguments name.
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
	if own := (certs.Files{Cert: g.tls.Cert, Key: g.tls.Key, CA: g.tls.CA}); len(sets) == 0 && own != (certs.Files{}) {
		sets = append(sets, tlsSet{own, clientNames, useClient}) // the global options
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

// useOf returns what a certificate is for: the use that its extended key usages allow. For a file that can't be read, and for a
// certificate for everything, it returns the use by a server.
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

// tlsReport is the output of tls check -o json.
type tlsReport struct {
	OK           bool             `json:"ok"` // there is no problem
	Certificates []tlsCertificate `json:"certificates"`
	Problems     []tlsProblem     `json:"problems"`
}

// tlsCertificate is a certificate in a tlsReport.
type tlsCertificate struct {
	File    string    `json:"file"`
	Use     string    `json:"use"` // server, client, peer or ca
	Subject string    `json:"subject"`
	Issuer  string    `json:"issuer"`
	Hosts   []string  `json:"hosts"`
	From    time.Time `json:"notBefore"`
	Until   time.Time `json:"notAfter"`
}

// tlsProblem is something that is wrong with a file.
type tlsProblem struct {
	Severity string `json:"severity"` // error: a server would not start; warning: some connections may fail
	Setting  string `json:"setting"`
	File     string `json:"file"`
	Reason   string `json:"reason"`
}

// report checks all sets.
func (o *tlsCheck) report(sets []tlsSet) *tlsReport {
	report := &tlsReport{Certificates: []tlsCertificate{}, Problems: []tlsProblem{}}
	listed, reported := map[string]bool{}, map[tlsProblem]bool{}
	for _, set := range sets {
		for _, file := range []struct{ path, use string }{{set.files.Cert, set.use}, {set.files.CA, caName}} {
			if file.path != "" && !listed[file.path] {
				listed[file.path] = true
				report.Certificates = append(report.Certificates, describe(file.path, file.use)...)
			}
		}
		hosts := splitList(o.hosts)
		if set.use == useClient {
			hosts = nil
		}
		for _, found := range certs.Check(certs.Options{Files: set.files, Names: set.names}, certUses[set.use], hosts, o.now) {
			problem := tlsProblem{"warning", found.Err.Setting, found.Err.File, found.Err.Reason.Error()}
			if found.Severity == certs.Fatal {
				problem.Severity = "error"
			}
			if !reported[problem] {
				reported[problem] = true
				report.Problems = append(report.Problems, problem)
			}
		}
	}
	report.OK = len(report.Problems) == 0
	return report
}

// describe returns the certificates in a file; none if it can't be read, which is a problem of its own.
func describe(file, use string) []tlsCertificate {
	chain, err := certs.ReadCertificates(file)
	if err != nil {
		return nil
	}
	var all []tlsCertificate
	for _, c := range chain {
		all = append(all, tlsCertificate{
			File: file, Use: use, Subject: certs.NameOf(c), Issuer: c.Issuer.String(), Hosts: certs.HostsOf(c), From: c.NotBefore, Until: c.NotAfter,
		})
	}
	return all
}

// printTLSReport prints a report. It returns a failure without a text if there is a problem.
func (p *program) printTLSReport(r *tlsReport) error {
	var b bytes.Buffer
	if p.globals.output == formatJSON {
		data, _ := json.MarshalIndent(r, "", "  ") // a report can always be encoded
		fmt.Fprintf(&b, "%s\n", data)
	} else {
		r.writeTable(&b)
	}
	if _, err := p.stdout.Write(b.Bytes()); err != nil {
		return err
	}
	if !r.OK {
		return &failure{code: exitProblem}
	}
	return nil
}

// writeTable writes the certificates as a table, and the problems after it.
func (r *tlsReport) writeTable(b *bytes.Buffer) {
	var table bytes.Buffer
	aligned := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(aligned, "FILE\tUSE\tSUBJECT\tUNTIL\tHOSTS")
	for _, c := range r.Certificates {
		fmt.Fprintf(aligned, "%s\t%s\t%s\t%s\t%s\n", c.File, c.Use, c.Subject, c.Until.UTC().Format(time.DateOnly), strings.Join(c.Hosts, ","))
	}
	_ = aligned.Flush() // a buffer takes everything
	b.Write(trimLines(table.Bytes()))
	if r.OK {
		b.WriteString("nothing is wrong\n")
		return
	}
	b.WriteString("\n")
	for _, problem := range r.Problems {
		fmt.Fprintf(b, "%s: %s %s: %s\n", problem.Severity, problem.Setting, problem.File, problem.Reason)
	}
}
