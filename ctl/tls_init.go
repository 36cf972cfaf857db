package ctl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pando/members/certs"
)

const (
	day = 24 * time.Hour
	// caDays is the validity of a new CA. Its certificates end earlier.
	caDays = 3650
	// defaultDays is the validity of the other certificates, unless --days is given.
	defaultDays = 365
	// administrator is the client whose certificate is made at the first run. Its name is that of the user who may do everything.
	administrator = "root"
)

// tlsInit holds the options of one run of tls init.
type tlsInit struct {
	dir     string
	hosts   nameList // each may be a list, separated by commas
	clients nameList
	days    int
	renew   bool
	stdout  io.Writer
	now     time.Time
}

func (p *program) tlsInitCommand() *cli.Command {
	o := &tlsInit{stdout: p.stdout}
	return p.command(&cli.Command{
		Name: "init", Usage: "make a CA and the certificates of a cluster", ArgsUsage: "<directory>",
		Flags: []cli.Flag{
			&cli.GenericFlag{Name: "hosts", Value: &o.hosts,
				Usage: "names and IP `addresses` of all members, separated by commas; localhost and 127.0.0.1 are added"},
			&cli.GenericFlag{Name: "client", Value: &o.clients,
				Usage: "`name` of a client whose certificate is made; give the option again for each further client (default: " + administrator + ")"},
			&cli.IntFlag{Name: "days", Destination: &o.days, Value: defaultDays, Usage: "how long the certificates are valid; a new CA: ten years"},
			boolFlag(&o.renew, "replace the certificates by new ones of the same CA", "renew"),
		},
		Description: `DESCRIPTION:
   Makes in <directory> a CA, a certificate for clients to connect to (server), one for the members among themselves (peer), and
   one for each client, and prints the commands that use them. Keep ca-key.pem offline: with it, anybody can make certificates.
   With auth enabled, a client certificate logs in as the user with its name: that of root may do everything.

   Files that exist are kept. Run it again to make what is missing, for example the certificate of another client, from the same
   CA. --renew makes the server and peer certificates anew, and those of the named clients. Running servers use new files within
   seconds.

` + p.examples(
			`tls init certs --hosts 10.0.0.1,10.0.0.2,10.0.0.3`, "for a cluster of three; then copy the directory, without ca-key.pem, to each",
			`tls init certs --client ann`, "another client, with the same CA",
			`tls init certs --renew`, "before they expire; for the same hosts",
			`tls check certs`, "when they expire, and what is wrong with them"),
		Action: p.inFormats(func(c *cli.Context) error {
			if c.NArg() != 1 || c.Args().First() == "" {
				return badArguments("tls init takes one directory: tls init certs --hosts 10.0.0.1,10.0.0.2")
			}
			o.dir, o.now = c.Args().First(), time.Now()
			if err := o.run(p.name); err != nil {
				return failWith(exitBadArguments, err)
			}
			return nil
		}, formatSimple),
	})
}

// run makes the files and prints the commands that use them. program is the name of this client in the commands.
func (o *tlsInit) run(program string) error {
	if err := o.check(); err != nil {
		return err
	}
	authority, isNew, err := o.openAuthority()
	if err != nil {
		return err
	}
	if len(o.clients) == 0 && isNew {
		o.clients = nameList{administrator}
	}
	hosts, err := o.memberHosts()
	if err != nil {
		return err
	}
	requests := []tlsRequest{
		{serverName, certs.Request{CommonName: serverName, Hosts: hosts, Server: true}, o.renew},
		{peerName, certs.Request{CommonName: peerName, Hosts: hosts, Server: true, Client: true}, o.renew},
	}
	for _, client := range o.clients {
		requests = append(requests, tlsRequest{clientPrefix + client, certs.Request{CommonName: client, Client: true}, true})
	}
	made := map[string]bool{}
	for _, r := range requests {
		if made[r.name], err = o.issue(authority, r); err != nil {
			return err
		}
	}
	return o.printNextSteps(program, hosts, made[serverName])
}

// tlsRequest is a certificate to make.
type tlsRequest struct {
	name    string // of its files
	request certs.Request
	isNamed bool // whether an option asks for this certificate
}

// check returns an error for invalid options. It splits the lists of hosts.
func (o *tlsInit) check() error {
	if o.days < 1 || o.days >= caDays {
		return fmt.Errorf("--days %d: give 1 to %d", o.days, caDays-1)
	}
	o.hosts = splitList(o.hosts)
	for _, host := range o.hosts {
		if net.ParseIP(host) == nil && strings.ContainsAny(host, ":/ @") {
			return fmt.Errorf("--hosts: %q is neither a name nor an IP address; leave out the scheme and the port", host)
		}
	}
	for _, client := range o.clients {
		if client == peerName {
			return fmt.Errorf("--client %s: members accept each other by this name; choose another", client)
		}
		if client == "" || strings.ContainsAny(client, "/\x00") || strings.TrimSpace(client) != client || len(client) > 64 {
			return fmt.Errorf("--client %q: give a name of 1 to 64 characters, without a slash", client)
		}
	}
	return nil
}

// openAuthority returns the CA in the directory. It makes the CA if there is none.
func (o *tlsInit) openAuthority() (authority *certs.Authority, isNew bool, err error) {
	files := certFilesIn(o.dir, caName)
	hasCert, hasKey, err := files.exist()
	switch {
	case err != nil:
		return nil, false, err
	case hasCert && hasKey:
		authority, err = certs.LoadAuthority(files.cert, files.key)
		return authority, false, err
	case hasCert:
		return nil, false, fmt.Errorf("%s is there, but its key %s is not: no certificate can be made without it; "+
			"copy the key back, or choose another directory for a new CA", files.cert, files.key)
	case hasKey:
		return nil, false, fmt.Errorf("%s is there, but its certificate %s is not: copy it back, or choose another directory",
			files.key, files.cert)
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, false, err
	}
	if authority, err = certs.NewAuthority("Pando CA", caDays*day); err != nil {
		return nil, false, err
	}
	if err := authority.Pair().Write(files.cert, files.key); err != nil {
		return nil, false, err
	}
	return authority, true, o.printFile("made", "CA", files.cert, authority.Certificate().NotAfter)
}

// memberHosts returns the hosts of the server and peer certificates: those of --hosts, or those of the existing certificate. It returns
// an error if the existing certificate is for other hosts and must be kept.
func (o *tlsInit) memberHosts() ([]string, error) {
	hosts := append(nameList(nil), o.hosts...)
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	file := certFilesIn(o.dir, serverName).cert
	isThere, err := exists(file)
	if err != nil || !isThere || o.renew && len(o.hosts) > 0 {
		return hosts, err
	}
	chain, err := certs.ReadCertificates(file)
	switch {
	case err != nil:
		return nil, err
	case len(o.hosts) == 0:
		return certs.HostsOf(chain[0]), nil
	}
	for _, host := range hosts {
		if chain[0].VerifyHostname(host) != nil {
			return nil, fmt.Errorf("%s is there and is not for %s: --renew replaces the server and peer certificates", file, host)
		}
	}
	return certs.HostsOf(chain[0]), nil
}

// issue makes a certificate and its key, and returns true. If the files exist, it keeps them and returns false, unless --renew is given
// and an option asks for the certificate.
func (o *tlsInit) issue(authority *certs.Authority, r tlsRequest) (isMade bool, err error) {
	files := certFilesIn(o.dir, r.name)
	hasCert, hasKey, err := files.exist()
	switch {
	case err != nil:
		return false, err
	case (hasCert || hasKey) && r.isNamed && !o.renew:
		return false, fmt.Errorf("%s is there already: --renew replaces it", files.cert)
	case (hasCert || hasKey) && !r.isNamed:
		return false, nil
	}
	r.request.ValidFor = time.Duration(o.days) * day
	if left := authority.Certificate().NotAfter.Sub(o.now); left < r.request.ValidFor {
		return false, fmt.Errorf("the CA %s ends in %d days, before the certificate: give --days %d or less, or make a CA in another directory",
			certFilesIn(o.dir, caName).cert, int(left/day), int(left/day))
	}
	pair, err := authority.Issue(r.request)
	if err != nil {
		return false, err
	}
	if err := pair.Write(files.cert, files.key); err != nil {
		return false, err
	}
	verb := "made"
	if hasCert {
		verb = "renewed"
	}
	return true, o.printFile(verb, r.name, files.cert, o.now.Add(r.request.ValidFor))
}

func (o *tlsInit) printFile(verb, name, file string, until time.Time) error {
	_, err := fmt.Fprintf(o.stdout, "%-8s %-16s %s  until %s\n", verb, name, file, until.UTC().Format(time.DateOnly))
	return err
}

// exist reports which of the files exist.
func (f certFiles) exist() (hasCert, hasKey bool, err error) {
	if hasCert, err = exists(f.cert); err != nil {
		return false, false, err
	}
	hasKey, err = exists(f.key)
	return hasCert, hasKey, err
}

func exists(file string) (bool, error) {
	_, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
