package check

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
)

// Conn is the connection of a client. Close checks all exchanges of the connection.
type Conn struct {
	net.Conn
	description *Description
	report      func(error)

	mu             sync.Mutex
	sent, received bytes.Buffer
	once           sync.Once
}

// Watch returns a connection that passes everything on to c. Its Close calls report with each exchange that the description does not
// allow. report must not be nil.
func (d *Description) Watch(c net.Conn, report func(error)) *Conn {
	return &Conn{Conn: c, description: d, report: report}
}

// Write writes to the connection.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.sent.Write(p)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// Read reads from the connection.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.received.Write(p[:n])
	c.mu.Unlock()
	return n, err
}

// Close closes the connection. The first call checks the exchanges.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.description.checkAll(c.sent.Bytes(), c.received.Bytes(), c.report)
	})
	return err
}

// checkAll checks the exchanges in the bytes that a client has sent and received.
func (d *Description) checkAll(sent, received []byte, report func(error)) {
	requests, responses := bufio.NewReader(bytes.NewReader(sent)), bufio.NewReader(bytes.NewReader(received))
	for {
		request, requestErr := http.ReadRequest(requests)
		e := &Exchange{}
		if requestErr == nil {
			e.Method, e.URL, e.Header = request.Method, request.URL, request.Header
			e.RequestBody, requestErr = io.ReadAll(request.Body)
		}
		if e.URL == nil {
			request = nil
		}
		response, err := readFinal(responses, request)
		if err != nil {
			return // the server has closed the connection, or the client did not wait
		}
		e.Status, e.Response = response.StatusCode, response.Header
		e.Body, err = io.ReadAll(response.Body)
		e.Incomplete = err != nil || response.ContentLength < 0 && response.TransferEncoding == nil
		restoreFraming(e, response)
		if request == nil {
			err = d.CheckUnread(e.Status, e.Response, e.Body)
		} else {
			err = d.Check(e)
		}
		if err != nil {
			report(err)
		}
		if requestErr != nil || e.Incomplete {
			return
		}
	}
}

// readFinal reads the head of the next response that is not interim.
func readFinal(from *bufio.Reader, request *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(from, request)
		if err != nil || response.StatusCode >= http.StatusOK {
			return response, err
		}
	}
}

// restoreFraming adds the headers that http.ReadResponse has removed.
func restoreFraming(e *Exchange, response *http.Response) {
	if len(response.TransferEncoding) > 0 {
		e.Response["Transfer-Encoding"] = response.TransferEncoding
	}
	if response.Close {
		e.Response["Connection"] = []string{"close"}
	}
}
