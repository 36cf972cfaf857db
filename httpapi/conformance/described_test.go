package conformance

import (
	"net"
	"sync"
	"testing"

	"pando/docs/openapi/check"
)

// describedDial returns a dial whose connections to the address of a client URL compare all requests and responses with the description of
// the API. The connections must be closed before the test ends.
func describedDial(t *testing.T, client string, dial func(addr string) (net.Conn, error)) func(addr string) (net.Conn, error) {
	description := check.Pando(t)
	var mu sync.Mutex
	reported := map[string]bool{}
	report := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if !reported[err.Error()] { // a step may be repeated
			reported[err.Error()] = true
			t.Error(err)
		}
	}
	return func(addr string) (net.Conn, error) {
		conn, err := dial(addr)
		if err != nil || addr != client {
			return conn, err
		}
		return description.Watch(conn, report), nil
	}
}
