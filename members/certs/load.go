package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// contents are the parsed and checked contents of all files of a Source. They are never changed.
type contents struct {
	certificate *tls.Certificate    // the own one; nil if none is given
	chain       []*x509.Certificate // of certificate
	roots       []*x509.Certificate // nil for those of the system
	pool        *x509.CertPool      // of roots
	lists       []*revocations
}

// loader loads the files of a Source and collects their problems.
type loader struct {
	options  *Options
	now      time.Time
	problems []Problem
	result   contents
}

// load loads all files. In place of files with a Fatal problem, the contents are those of previous: the certificate with its key, the CAs
// and the revocation lists are replaced independently of each other. If previous is nil, the contents are complete only if no problem is
// Fatal.
func load(o *Options, now time.Time, previous *contents) (*contents, []Problem) {
	l := &loader{options: o, now: now}
	if l.loadCertificate(); previous != nil && l.hasFatal() {
		l.result.certificate, l.result.chain = previous.certificate, previous.chain
	}
	all := l.problems
	l.problems = nil
	if l.loadRoots(); previous != nil && l.hasFatal() {
		l.result.roots, l.result.pool = previous.roots, previous.pool
	}
	all = append(all, l.problems...)
	l.problems = nil
	if l.loadLists(); previous != nil && l.hasFatal() { // they are checked with the CAs in use
		l.result.lists = previous.lists
	}
	return &l.result, append(all, l.problems...)
}

func (l *loader) hasFatal() bool { return fatalOf(l.problems) != nil }

// fatalOf returns the first Fatal problem as an error, or nil.
func fatalOf(problems []Problem) error {
	for _, p := range problems {
		if p.Severity == Fatal {
			return p.Err
		}
	}
	return nil
}

func (l *loader) add(severity Severity, setting, file string, reason error) {
	l.problems = append(l.problems, Problem{severity, &FileError{Setting: setting, File: file, Reason: reason}})
}

// loadCertificate loads the certificate and its key.
func (l *loader) loadCertificate() {
	files, names := l.options.Files, l.options.Names
	switch {
	case files.Cert == "" && files.Key == "":
		return
	case files.Cert == "":
		l.add(Fatal, names.Cert, "", fmt.Errorf("%w, and %s is %s", errPair, names.Key, files.Key))
		return
	case files.Key == "":
		l.add(Fatal, names.Key, "", fmt.Errorf("%w, and %s is %s", errPair, names.Cert, files.Cert))
		return
	}
	chain, err := read(files.Cert, ParseCertificates)
	if err != nil {
		l.add(Fatal, names.Cert, files.Cert, err)
	} else {
		l.result.chain = chain
		l.checkChain(chain)
	}
	key, keyErr := read(files.Key, parseKey)
	if keyErr != nil {
		l.add(Fatal, names.Key, files.Key, keyErr)
	}
	l.checkKeyMode()
	if err != nil || keyErr != nil {
		return
	}
	if l.result.certificate, err = pair(chain, key); err != nil {
		l.add(Fatal, names.Key, files.Key, fmt.Errorf("%w in %s", err, files.Cert))
	}
}

// checkChain checks the validity of the certificates in the file of the own certificate.
func (l *loader) checkChain(chain []*x509.Certificate) {
	for i, c := range chain {
		severity := Fatal
		if i > 0 {
			severity = Warning // the other ends may have a newer certificate of the intermediate CA
		}
		if err := validity(c.NotBefore, c.NotAfter, l.now); err != nil {
			l.add(severity, l.options.Names.Cert, l.options.Cert, fmt.Errorf("the certificate of %s %w", NameOf(c), err))
		}
	}
}

// checkKeyMode adds a warning if every user of the machine can read the key.
func (l *loader) checkKeyMode() {
	info, err := os.Stat(l.options.Key)
	if err == nil && info.Mode().Perm()&0o004 != 0 {
		l.add(Warning, l.options.Names.Key, l.options.Key,
			fmt.Errorf("every user of this machine can read the private key; run chmod 600 %s", l.options.Key))
	}
}

// loadRoots loads the trusted CAs.
func (l *loader) loadRoots() {
	file, name := l.options.CA, l.options.Names.CA
	if file == "" {
		return
	}
	roots, err := read(file, ParseCertificates)
	if err != nil {
		l.add(Fatal, name, file, err)
		return
	}
	var expired error
	l.result.pool = x509.NewCertPool()
	for _, c := range roots {
		if !isAuthority(c) {
			l.add(Fatal, name, file, fmt.Errorf("the certificate of %s is not that of a CA; give the certificate of its issuer, %s",
				NameOf(c), c.Issuer))
			continue
		}
		if err := validity(c.NotBefore, c.NotAfter, l.now); err != nil {
			expired = fmt.Errorf("the certificate of %s %w", NameOf(c), err)
			l.add(Warning, name, file, expired)
			continue
		}
		l.result.roots = append(l.result.roots, c)
		l.result.pool.AddCert(c)
	}
	if len(l.result.roots) == 0 && expired != nil {
		l.add(Fatal, name, file, expired)
	}
}

// loadLists loads the revocation lists. The roots must be loaded.
func (l *loader) loadLists() {
	file, name := l.options.CRL, l.options.Names.CRL
	if file == "" {
		return
	}
	lists, err := read(file, parseLists)
	if err != nil {
		l.add(Fatal, name, file, err)
		return
	}
	if l.options.CA == "" {
		l.add(Fatal, name, file, errors.New("a revocation list needs the certificate of its issuer in "+l.options.Names.CA))
		return
	}
	for _, list := range lists {
		r, err := issuedBy(list, l.result.roots)
		if err != nil {
			l.add(Fatal, name, file, err)
			continue
		}
		if err := listValidity(list, l.now); err != nil {
			l.add(Fatal, name, file, fmt.Errorf("the revocation list of %s %w", list.Issuer, err))
		}
		l.result.lists = append(l.result.lists, r)
	}
}

// read reads and parses a file.
func read[T any](file string, parse func([]byte) (T, error)) (T, error) {
	content, err := readFile(file)
	if err != nil {
		var none T
		return none, err
	}
	return parse(content)
}

const timeLayout = "2006-01-02 15:04:05 MST"

// validity returns an error if now is not between the times.
func validity(from, to, now time.Time) error {
	switch {
	case now.After(to):
		return fmt.Errorf("has expired at %s", to.UTC().Format(timeLayout))
	case now.Before(from):
		return fmt.Errorf("is not valid before %s; is the clock of this machine right?", from.UTC().Format(timeLayout))
	}
	return nil
}

// listValidity returns an error if the next list should be there already. A list may have no end.
func listValidity(list *x509.RevocationList, now time.Time) error {
	to := list.NextUpdate
	if to.IsZero() {
		return nil
	}
	return validity(time.Time{}, to, now)
}
