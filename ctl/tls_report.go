package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"pando/members/certs"
)

// tlsReport is the output of tls check -o json.
type tlsReport struct {
	OK           bool             `json:"ok"` // whether there is no problem
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
	Severity string `json:"severity"` // "error": a server would not start; "warning": some connections may fail
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

// describe returns the certificates in a file. It returns none if the file can't be read: certs.Check reports that problem.
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
		where := problem.Setting
		if problem.File != "" {
			where += " " + problem.File
		}
		fmt.Fprintf(b, "%s: %s: %s\n", problem.Severity, where, problem.Reason)
	}
}
