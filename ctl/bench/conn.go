package bench

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Read buffer sizes, in bytes. There may be thousands of watchers, and each reads little at a time.
const (
	requestBuffer = 16 << 10
	watchBuffer   = 2 << 10
)

// errInterrupted is the error of a connection after interrupt.
var errInterrupted = errors.New("interrupted")

// A response is one answer. Its body belongs to the connection and is valid until the connection's next request.
type response struct {
	status int
	body   []byte
}

// A conn is one HTTP/1.1 connection to one endpoint, with at most one request in flight. It dials at the first request, and at the
// next request after an error or a "Connection: close". It must be used by one goroutine at a time, except for interrupt, which
// may be called from any goroutine.
type conn struct {
	endpoint *endpoint
	timeout  time.Duration // of one request; 0 means none
	br       *bufio.Reader
	body     []byte    // the last response's body, reused
	armed    time.Time // when the deadline was set

	mu          sync.Mutex // guards nc against interrupt
	nc          net.Conn   // nil while not connected
	interrupted bool
}

func newConn(ep *endpoint, timeout time.Duration, bufferSize int) *conn {
	return &conn{endpoint: ep, timeout: timeout, br: bufio.NewReaderSize(nil, bufferSize)}
}

// connect dials, unless the connection is open.
func (c *conn) connect(ctx context.Context) error {
	if c.nc != nil {
		return nil
	}
	nc, err := c.endpoint.dial(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted {
		nc.Close()
		return errInterrupted
	}
	c.nc = nc
	c.armed = time.Time{}
	c.br.Reset(nc)
	return nil
}

// roundTrip sends req, a whole request, and reads the whole response. It allocates nothing after its buffers have grown.
// After an error the connection is closed, and the next call dials again.
func (c *conn) roundTrip(req []byte) (response, error) {
	h, err := c.begin(req)
	if err != nil {
		return response{}, err
	}
	c.body, err = appendBody(c.br, h, c.body[:0])
	if err != nil {
		c.close()
		return response{}, err
	}
	if h.closing {
		c.close()
	}
	return response{status: h.status, body: c.body}, nil
}

// begin sends req and reads the head of the response. The caller must read the body.
func (c *conn) begin(req []byte) (head, error) {
	if err := c.connect(context.Background()); err != nil {
		return head{}, err
	}
	if err := c.arm(); err != nil {
		return head{}, err
	}
	if _, err := c.nc.Write(req); err != nil {
		c.close()
		return head{}, err
	}
	h, err := readHead(c.br)
	if err != nil {
		c.close()
		return head{}, c.endpoint.explain(err)
	}
	return h, nil
}

// arm sets the deadline of the next request, unless it has set one less than a quarter of the timeout ago. So a request may time
// out a quarter of the timeout too early, but most requests need no system call for a deadline.
func (c *conn) arm() error {
	now := time.Now()
	if c.timeout == 0 || now.Sub(c.armed) < c.timeout/4 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted {
		return errInterrupted
	}
	c.armed = now
	return c.nc.SetDeadline(now.Add(c.timeout))
}

// interrupt ends the request in flight. The connection does not dial again.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	if c.nc != nil {
		c.nc.Close()
	}
}

// close closes the connection. The next request dials again, unless the connection was interrupted.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nc != nil {
		c.nc.Close()
		c.nc = nil
	}
}
