package server

import (
	"net/netip"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"pando/members/config"
)

// exposedURL is a URL that other machines can reach and that is not fully protected.
type exposedURL struct {
	url     string
	dangers []string // what everyone who can reach the URL may do, and the flags that prevent it
}

// The texts of exposedURL.dangers.
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

// anonymousAccess returns the text for exposedURL.dangers about clients without credentials; "" if they are no danger.
func anonymousAccess(authEnabled, openToGuests bool) string {
	switch {
	case !authEnabled:
		return clientsAnonymous
	case openToGuests:
		return guestsUnrestricted
	}
	return ""
}

// warnExposed logs one warning about all URLs that other machines can reach and that are not fully protected. anonymous is the result of
// anonymousAccess.
func warnExposed(cfg *config.Config, anonymous string, log *zap.Logger) {
	found := append(exposedClientURLs(cfg, anonymous), exposedPeerURLs(cfg)...)
	if len(found) == 0 {
		return
	}
	texts := make([]string, len(found))
	for i, u := range found {
		texts[i] = u.url + ": " + strings.Join(u.dangers, ", and ")
	}
	log.Warn("this server can be reached from the network and is not protected; see docs/security.md. " + strings.Join(texts, "; "))
}

func exposedClientURLs(cfg *config.Config, anonymous string) []exposedURL {
	var found []exposedURL
	for _, u := range cfg.ListenClientURLs {
		var dangers []string
		if !config.IsSecure(u) {
			dangers = append(dangers, clientsUnencrypted)
		}
		if anonymous != "" && !(config.IsSecure(u) && cfg.ClientTLS.RequiresClientCerts()) {
			dangers = append(dangers, anonymous)
		}
		found = appendExposed(found, u, dangers)
	}
	return found
}

func exposedPeerURLs(cfg *config.Config) []exposedURL {
	var found []exposedURL
	for _, u := range cfg.ListenPeerURLs {
		var dangers []string
		switch {
		case !config.IsSecure(u) || cfg.PeerTLS.AcceptPlaintext:
			dangers = append(dangers, peersUnencrypted)
		case !cfg.PeerTLS.RequiresClientCerts():
			dangers = append(dangers, peersAnonymous)
		}
		found = appendExposed(found, u, dangers)
	}
	return found
}

// appendExposed appends a URL to the list, if it has dangers and other machines can reach it.
func appendExposed(found []exposedURL, u url.URL, dangers []string) []exposedURL {
	if len(dangers) == 0 || config.SocketPath(u) != "" || isLoopback(u.Hostname()) {
		return found
	}
	return append(found, exposedURL{u.String(), dangers})
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
