package check

import (
	"io"
	"net"
	"sync"
)

// Relay is a listener that passes its connections on to a server and checks their exchanges. It is for clients that are programs.
type Relay struct {
	listener    net.Listener
	description *Description
	server      string
	report      func(error)
	running     sync.WaitGroup
}

// Relay begins to pass connections on to the server at an address. It calls report, from any goroutine, with each exchange that the
// description does not allow. The caller must call Close.
func (d *Description) Relay(server string, report func(error)) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{listener: listener, description: d, server: server, report: report}
	r.running.Go(r.accept)
	return r, nil
}

// URL returns the URL of the relay.
func (r *Relay) URL() string { return "http://" + r.listener.Addr().String() }

// Close stops accepting connections, and waits until those that are open have ended.
func (r *Relay) Close() {
	_ = r.listener.Close()
	r.running.Wait()
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return // by Close
		}
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			r.report(err)
			_ = client.Close()
			continue
		}
		checked := r.description.Watch(server, r.report)
		r.running.Go(func() { pass(client, checked) })
	}
}

// pass copies both directions of a connection until one of them ends, and closes both ends.
func pass(client net.Conn, server *Conn) {
	var both sync.WaitGroup
	for _, d := range []struct{ to, from net.Conn }{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(d.to, d.from) // an error means that one end is closed
			_ = client.Close()
			_ = server.Conn.Close()
		})
	}
	both.Wait()
	_ = server.Close()
}
