package bench

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Read buffer sizes, in bytes. Watchers come by the thousand and read little at a time.
const (
	requestBuffer = 16 << 10
	watchBuffer   = 2 << 10
)

// errInterrupted is returned by a connection that was told to stop.
var errInterrupted = errors.New("interrupted")

// A response is one answer. Its body belongs to the connection and is valid until the connection's next request.
type response struct {
	status int
	body   []byte
}

// A conn is one HTTP/1.1 connection to one endpoint, with at most one request under way. It dials when it has to:
// at the first request, and after an error or a "Connection: close". One goroutine uses it at a time;
// interrupt alone may be called from another.
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

// connect dials unless the connection stands.
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

// roundTrip sends req, a whole request, and reads the whole response, allocating nothing once its buffers have grown.
// After an error the connection is closed and the next call dials anew.
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

// begin sends req and reads the head of the response; the body is the caller's to read.
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
		return head{}, err
	}
	return h, nil
}

// arm moves the deadline on. It does so only when a quarter of the timeout has gone by since it last did: a
// timeout that is up to a quarter early costs no call a request.
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

// interrupt ends the request under way and keeps the connection from dialing again.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	if c.nc != nil {
		c.nc.Close()
	}
}

// close drops the connection; the next request dials anew unless it was interrupted.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nc != nil {
		c.nc.Close()
		c.nc = nil
	}
}
