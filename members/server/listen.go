package server

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"

	"pando/httpapi"
	"pando/members/config"
)

// listeners are the open sockets of one member or proxy.
type listeners struct{ httpapi.Listeners }

// listen opens all sockets of the configuration. After an error none is open.
func listen(cfg *config.Config) (*listeners, error) {
	l := &listeners{}
	for _, group := range []struct {
		flag string
		urls []url.URL
		into *[]net.Listener
	}{
		{"--listen-client-urls", cfg.ListenClientURLs, &l.Client},
		{"--listen-peer-urls", cfg.ListenPeerURLs, &l.Peer},
		{"--listen-metrics-urls", cfg.ListenMetricsURLs, &l.Metrics},
	} {
		for _, u := range group.urls {
			if config.IsSecure(u) || config.SocketPath(u) != "" {
				l.close()
				return nil, fmt.Errorf("%s %s: this build can't listen there", group.flag, u.String())
			}
			socket, err := net.Listen("tcp", u.Host)
			if err != nil {
				l.close()
				return nil, fmt.Errorf("%s %s: %w; %s", group.flag, u.String(), err, listenAdvice(err, u.Port()))
			}
			*group.into = append(*group.into, socket)
		}
	}
	return l, nil
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
	for _, group := range [][]net.Listener{l.Client, l.Peer, l.Metrics} {
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

func boundURLs(urls []url.URL, sockets []net.Listener) []url.URL {
	bound := make([]url.URL, len(urls))
	for i, u := range urls {
		if u.Port() == "0" {
			u.Host = sockets[i].Addr().String()
		}
		bound[i] = u
	}
	return bound
}
