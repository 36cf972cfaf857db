package server

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"

	"pando/httpapi"
	"pando/members/certs"
	"pando/members/config"
)

// listeners are the open sockets of one member or proxy.
type listeners struct{ httpapi.Listeners }

// listen opens all sockets of the configuration. After an error none is open.
func listen(cfg *config.Config, certificates *sources) (*listeners, error) {
	l := &listeners{}
	for _, group := range []struct {
		flag      string
		urls      []url.URL
		into      *[]httpapi.Listener
		tls       *certs.Source
		plaintext bool // TLS listeners accept connections without TLS, too
	}{
		{"--listen-client-urls", cfg.ListenClientURLs, &l.Client, certificates.client, false},
		{"--listen-peer-urls", cfg.ListenPeerURLs, &l.Peer, certificates.peer, cfg.PeerTLS.AcceptPlaintext},
		{"--listen-metrics-urls", cfg.ListenMetricsURLs, &l.Metrics, certificates.client, false},
	} {
		for _, u := range group.urls {
			socket, err := openSocket(u)
			if err != nil {
				l.close()
				return nil, fmt.Errorf("%s %s: %w", group.flag, u.String(), err)
			}
			listener := httpapi.Listener{Listener: socket}
			if config.IsSecure(u) {
				listener.TLS, listener.Plaintext = group.tls, group.plaintext
			}
			*group.into = append(*group.into, listener)
		}
	}
	return l, nil
}

// openSocket opens the socket of a URL. Its errors say what to do about them.
func openSocket(u url.URL) (net.Listener, error) {
	if path := config.SocketPath(u); path != "" {
		return openUnixSocket(path)
	}
	socket, err := net.Listen("tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, listenAdvice(err, u.Port()))
	}
	return socket, nil
}

// openUnixSocket opens a unix socket. The file of a socket remains after its process was killed, so openUnixSocket removes a file on
// which no process accepts connections. Closing the listener removes the file.
func openUnixSocket(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() != os.ModeSocket {
		return nil, errors.New("the file exists and is not a socket; choose another path")
	}
	if err == nil {
		c, dialErr := net.Dial("unix", path)
		if dialErr == nil {
			_ = c.Close() // nothing was sent
			return nil, fmt.Errorf("%w; another server is running there: choose another path or stop it", syscall.EADDRINUSE)
		}
		if errors.Is(dialErr, syscall.ECONNREFUSED) {
			_ = os.Remove(path) // net.Listen reports a file that is still there
		}
	}
	socket, err := net.Listen("unix", path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w; make the directory first", err)
	case err != nil:
		return nil, fmt.Errorf("%w; choose a path in a directory that this user may write to", err)
	}
	return socket, nil
}

// listenAdvice returns what to do about an error of net.Listen.
func listenAdvice(err error, port string) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "is another server running there? Choose another address or stop it"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address: listen on one of its own, or on http://0.0.0.0:" + port +
			" for all of them, and leave this one to the --advertise flag"
	case errors.Is(err, syscall.EACCES):
		return "this user may not listen there: choose a port from 1024 on"
	}
	return "choose another address"
}

func (l *listeners) close() {
	for _, group := range [][]httpapi.Listener{l.Client, l.Peer, l.Metrics} {
		for _, socket := range group {
			_ = socket.Close() // an error does not matter
		}
	}
}

// bound returns cfg with the real ports in place of port 0.
func (l *listeners) bound(cfg *config.Config) *config.Config {
	c := *cfg
	c.ListenClientURLs = boundURLs(cfg.ListenClientURLs, l.Client)
	c.ListenPeerURLs = boundURLs(cfg.ListenPeerURLs, l.Peer)
	c.ListenMetricsURLs = boundURLs(cfg.ListenMetricsURLs, l.Metrics)
	return &c
}

func boundURLs(urls []url.URL, sockets []httpapi.Listener) []url.URL {
	bound := make([]url.URL, len(urls))
	for i, u := range urls {
		if u.Port() == "0" {
			u.Host = sockets[i].Addr().String()
		}
		bound[i] = u
	}
	return bound
}
