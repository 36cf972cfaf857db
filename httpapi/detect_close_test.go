package httpapi

import (
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/stats"
)

// TestDetectClose checks a server that detects closed connections, as a proxy does: the context of a request ends when its client goes
// away, and a client that reads nothing is cut off.
func TestDetectClose(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	s := NewServer(Config{
		StartTimeout: time.Minute, Metrics: stats.NewMetrics(stats.Build{}), BodyTimeout: time.Minute,
		StallTimeout: 200 * time.Millisecond, DetectClose: true,
		Connections: ConnectionLimits{Client: 10, Peer: 10, Metrics: 10}, Logger: zap.NewNop(),
	})
	defer s.Close()
	l := listenLocal(t)
	s.Serve(l)
	nothing := http.NotFoundHandler()
	s.Open(Handlers{Peer: nothing, Metrics: nothing, Client: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			began <- struct{}{}
			<-r.Context().Done()
			ended <- r.Context().Err()
			return
		}
		for block := make([]byte, 1<<20); ; {
			if _, err := w.Write(block); err != nil {
				ended <- err
				return
			}
		}
	})})
	send := func(path string) net.Conn {
		c, err := net.Dial("tcp", l.Client[0].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		mustSend(t, c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		return c
	}
	await := func() {
		t.Helper()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("the handler runs on")
		}
	}
	t.Run("a client that goes away", func(t *testing.T) {
		c := send("/wait")
		<-began
		_ = c.Close()
		await()
	})
	t.Run("a client that reads nothing", func(t *testing.T) {
		c := send("/endless")
		defer c.Close()
		await()
	})
}
