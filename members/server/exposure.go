package server

import (
	"net/netip"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"pando/members/config"
)

// openURL is a URL that others can reach, and what it lacks.
type openURL struct {
	url  string
	open []string // what everyone who reaches the URL can do, and which flags prevent it
}

// The texts of openURL.open.
const (
	clientsUnencrypted = "keys and passwords are sent without encryption (serve https, with --cert-file and --key-file)"
	clientsAnonymous   = "everyone may read and change all keys (enable auth: pando ctl role add guest, pando ctl user add root, " +
		"pando ctl auth enable; or require certificates: --client-cert-auth and --trusted-ca-file)"
	guestsUnrestricted = "auth is enabled, but the role guest lets everyone read or change all keys " +
		"(pando ctl role revoke guest --path '/*' --readwrite)"
	peersUnencrypted = "keys and the hashes of passwords are sent to members without encryption, and everyone may send messages of a member " +
		"(serve https, with --peer-cert-file, --peer-key-file, --peer-client-cert-auth and --peer-trusted-ca-file)"
	peersAnonymous = "everyone may send messages of a member (--peer-client-cert-auth and --peer-trusted-ca-file)"
)

// anonymousAccess returns the text for openURL.open about clients without credentials; empty if they may do nothing of importance.
func anonymousAccess(authEnabled, openToGuests bool) string {
	switch {
	case !authEnabled:
		return clientsAnonymous
	case openToGuests:
		return guestsUnrestricted
	}
	return ""
}

// warnExposed logs one warning about all URLs that are open to others than the processes of this machine. anonymous is the result of
// anonymousAccess: callers must know whether auth is enabled.
func warnExposed(cfg *config.Config, anonymous string, log *zap.Logger) {
	found := append(openClientURLs(cfg, anonymous), openPeerURLs(cfg)...)
	if len(found) == 0 {
		return
	}
	texts := make([]string, len(found))
	for i, u := range found {
		texts[i] = u.url + ": " + strings.Join(u.open, ", and ")
	}
	log.Warn("this server can be reached from the network and is not protected; see docs/security.md. " + strings.Join(texts, "; "))
}

func openClientURLs(cfg *config.Config, anonymous string) []openURL {
	requiresCertificates := cfg.ClientTLS.ClientCertAuth || cfg.ClientTLS.TrustedCAFile != ""
	var found []openURL
	for _, u := range cfg.ListenClientURLs {
		var open []string
		if !config.IsSecure(u) {
			open = append(open, clientsUnencrypted)
		}
		if anonymous != "" && !(config.IsSecure(u) && requiresCertificates) {
			open = append(open, anonymous)
		}
		found = addOpen(found, u, open)
	}
	return found
}

func openPeerURLs(cfg *config.Config) []openURL {
	requiresCertificates := cfg.PeerTLS.ClientCertAuth || cfg.PeerTLS.TrustedCAFile != ""
	var found []openURL
	for _, u := range cfg.ListenPeerURLs {
		var open []string
		switch {
		case !config.IsSecure(u) || cfg.PeerTLS.AcceptPlaintext:
			open = append(open, peersUnencrypted)
		case !requiresCertificates:
			open = append(open, peersAnonymous)
		}
		found = addOpen(found, u, open)
	}
	return found
}

// addOpen adds a URL to the list, if it lacks something and others than this machine can reach it.
func addOpen(found []openURL, u url.URL, open []string) []openURL {
	if len(open) == 0 || config.SocketPath(u) != "" || isLoopback(u.Hostname()) {
		return found
	}
	return append(found, openURL{u.String(), open})
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
