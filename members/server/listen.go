package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"go.uber.org/zap"

	"pando/httpapi"
	"pando/members/config"
	"pando/stats"
)

// listeners are the open sockets of one member.
type listeners struct {
	client, peer, metrics []net.Listener
}

// listen opens all sockets of the configuration, or none.
func listen(cfg *config.Config) (*listeners, error) {
	l := &listeners{}
	for _, group := range []struct {
		flag string
		urls []url.URL
		into *[]net.Listener
	}{
		{"--listen-client-urls", cfg.ListenClientURLs, &l.client},
		{"--listen-peer-urls", cfg.ListenPeerURLs, &l.peer},
		{"--listen-metrics-urls", cfg.ListenMetricsURLs, &l.metrics},
	} {
		for _, u := range group.urls {
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

// listenAdvice says what to do about an address that can't be listened on.
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

func (l *listeners) all() [][]net.Listener { return [][]net.Listener{l.client, l.peer, l.metrics} }

// limit bounds the connections of each group of sockets.
func (l *listeners) limit(s shares, metrics *stats.Metrics, log *zap.Logger) {
	for _, group := range []struct {
		name    string
		sockets []net.Listener
		limit   int
	}{{"client", l.client, s.clients}, {"peer", l.peer, s.peers}, {"metrics", l.metrics, s.metrics}} {
		if len(group.sockets) == 0 {
			continue
		}
		admission := httpapi.NewAdmission(group.name, group.limit, metrics, log)
		for i, socket := range group.sockets {
			group.sockets[i] = admission.Listen(socket)
		}
	}
}

func (l *listeners) close() {
	for _, group := range l.all() {
		for _, socket := range group {
			_ = socket.Close() // a listener has nothing that could get lost
		}
	}
}

// bound is the configuration with the ports that the system chose in place of
// port 0.
func (l *listeners) bound(cfg *config.Config) *config.Config {
	c := *cfg
	c.ListenClientURLs = boundURLs(cfg.ListenClientURLs, l.client)
	c.ListenPeerURLs = boundURLs(cfg.ListenPeerURLs, l.peer)
	c.ListenMetricsURLs = boundURLs(cfg.ListenMetricsURLs, l.metrics)
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

// servers are the HTTP servers of one member.
type servers struct {
	client, peer, metrics *http.Server
}

// newServers makes the servers of what the gate opens to.
func newServers(gate *httpapi.Gate, log *zap.Logger) *servers {
	return &servers{
		client:  newHTTPServer(gate.Client(), log.Named("client")),
		peer:    newHTTPServer(gate.Peer(), log.Named("peer")),
		metrics: newHTTPServer(gate.Observation(), log.Named("metrics")),
	}
}

// serve answers on all sockets. The first failure of one comes by the channel.
func (l *listeners) serve(s *servers, stalls httpapi.Stalls) chan error {
	failed := make(chan error, 1)
	serveAll(s.client, forClients(l.client, stalls), failed)
	serveAll(s.peer, l.peer, failed)
	serveAll(s.metrics, forClients(l.metrics, stalls), failed)
	return failed
}

// forClients gives listeners whose connections know what clients do.
func forClients(sockets []net.Listener, stalls httpapi.Stalls) []net.Listener {
	var all []net.Listener
	for _, socket := range sockets {
		all = append(all, httpapi.Listen(socket, stalls))
	}
	return all
}

func serveAll(server *http.Server, sockets []net.Listener, failed chan<- error) {
	for _, socket := range sockets {
		go func() {
			err := server.Serve(socket)
			if errors.Is(err, http.ErrServerClosed) {
				return
			}
			select {
			case failed <- fmt.Errorf("listening on %s: %w", socket.Addr(), err):
			default:
			}
		}()
	}
}

// shutdown lets requests of clients end, and cuts off those that don't in time: what may
// wait for long has been told to end. The peers are served until the replica has stopped:
// it may have a leadership to hand over.
func (s *servers) shutdown(log *zap.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	start := time.Now()
	for _, server := range []*http.Server{s.client, s.metrics} {
		if err := server.Shutdown(ctx); err != nil {
			log.Warn("requests were cut off", zap.Duration("after", time.Since(start)), zap.Error(err))
			_ = server.Close() // its error would repeat Shutdown's
		}
	}
}

// close ends all connections.
func (s *servers) close() {
	for _, server := range []*http.Server{s.client, s.peer, s.metrics} {
		_ = server.Close() // it has nothing that could get lost
	}
}
