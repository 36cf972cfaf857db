package ctl

import (
	"fmt"
	"net"
	"strings"
)

// tlsMember is a member in the commands that tls init prints.
type tlsMember struct{ name, host string }

// printNextSteps prints the commands that start the members, if the certificate of the server is new, and those that use the certificate
// of a client. program is the name of this client in the commands.
func (o *tlsInit) printNextSteps(program string, hosts []string, isServerNew bool) error {
	members := tlsMembers(hosts)
	var b strings.Builder
	if isServerNew && !o.renew {
		if len(members) == 1 {
			b.WriteString("\nStart a member:\n")
		} else {
			fmt.Fprintf(&b, "\nStart the members, each on its own machine with a copy of %s without ca-key.pem:\n", o.dir)
		}
		for _, m := range members {
			b.WriteString(o.startCommand(serverProgram(program), m, members))
		}
	}
	if o.renew {
		b.WriteString("\nCopy the new files to the members. They use them within seconds, without a restart.\n")
	}
	if len(o.clients) > 0 {
		client := o.clients[0]
		files, ca, url := certFilesIn(o.dir, clientPrefix+client), certFilesIn(o.dir, caName).cert, clientURL(members[0].host)
		fmt.Fprintf(&b, "\nConnect as %s:\n  %s --endpoints %s \\\n    --ca-file %s --cert-file %s --key-file %s \\\n    set /message hello\n",
			client, program, url, shellWord(ca), shellWord(files.cert), shellWord(files.key))
		fmt.Fprintf(&b, "  curl --cacert %s --cert %s --key %s \\\n    %s/v2/keys/message\n", shellWord(ca), shellWord(files.cert),
			shellWord(files.key), url)
	}
	_, err := fmt.Fprint(o.stdout, b.String())
	return err
}

// serverProgram returns the name of the server for the name of a client: NAME for "NAME ctl", and pando for a link to the client.
func serverProgram(client string) string {
	if server, _, isVerb := strings.Cut(client, " "); isVerb {
		return server
	}
	return "pando"
}

// tlsMembers returns a member for each IP address that is not one of this machine alone. Without such an address it returns a member for
// each name, and without names one member on this machine.
func tlsMembers(hosts []string) []tlsMember {
	var addresses, names []string
	for _, host := range hosts {
		switch ip := net.ParseIP(host); {
		case ip == nil && host != "localhost":
			names = append(names, host)
		case ip != nil && !ip.IsLoopback() && !ip.IsUnspecified():
			addresses = append(addresses, host)
		}
	}
	if len(addresses) == 0 {
		addresses = names
	}
	if len(addresses) == 0 {
		addresses = []string{"localhost"}
	}
	var members []tlsMember
	for i, host := range addresses {
		members = append(members, tlsMember{fmt.Sprintf("m%d", i+1), host})
	}
	return members
}

// startCommand returns the command that starts one of the members.
func (o *tlsInit) startCommand(server string, m tlsMember, all []tlsMember) string {
	file := func(name string) certFiles {
		f := certFilesIn(o.dir, name)
		return certFiles{shellWord(f.cert), shellWord(f.key)}
	}
	serverFiles, peerFiles, ca := file(serverName), file(peerName), file(caName).cert
	var cluster []string
	for _, other := range all {
		cluster = append(cluster, other.name+"="+peerURL(other.host))
	}
	listen := m.host
	if net.ParseIP(listen) == nil && listen != "localhost" {
		listen = "0.0.0.0"
	}
	lines := []string{
		fmt.Sprintf("--name %s --initial-cluster %s", m.name, strings.Join(cluster, ",")),
		fmt.Sprintf("--listen-client-urls %s --advertise-client-urls %s", clientURL(listen), clientURL(m.host)),
		fmt.Sprintf("--listen-peer-urls %s --initial-advertise-peer-urls %s", peerURL(listen), peerURL(m.host)),
		fmt.Sprintf("--cert-file %s --key-file %s --client-cert-auth --trusted-ca-file %s", serverFiles.cert, serverFiles.key, ca),
		fmt.Sprintf("--peer-cert-file %s --peer-key-file %s --peer-client-cert-auth --peer-trusted-ca-file %s", peerFiles.cert,
			peerFiles.key, ca),
		"--peer-cert-allowed-cn " + peerName, // otherwise a client could connect to the members' port
	}
	return "  " + server + " " + strings.Join(lines, " \\\n    ") + "\n"
}

func clientURL(host string) string { return "https://" + net.JoinHostPort(host, "2379") }
func peerURL(host string) string   { return "https://" + net.JoinHostPort(host, "2380") }

// shellWord quotes a word for a shell, if that is necessary.
func shellWord(word string) string {
	isPlain := word != "" && strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+", r)
	}) < 0
	if isPlain {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
