package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"pando/httpapi/stream"
	"pando/members/servertest"
	"pando/stats"
)

// admissionTimeout is how long a test waits for something that must happen soon.
const admissionTimeout = 10 * time.Second

// newTestAdmission returns an admission with its log and its metrics.
func newTestAdmission(limit int) (*admission, *observer.ObservedLogs, *stats.Metrics) {
	core, logs := observer.New(zapcore.DebugLevel)
	metrics := stats.NewMetrics(stats.Build{})
	return newAdmission("client", limit, metrics, zap.New(core)), logs, metrics
}

// metricsText returns the text of the metrics.
func metricsText(m *stats.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// awaitMetric waits for a line of the metrics.
func awaitMetric(t *testing.T, m *stats.Metrics, line string) {
	t.Helper()
	for deadline := time.Now().Add(admissionTimeout); !strings.Contains(metricsText(m), line+"\n"); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q is not in\n%s", line, metricsText(m))
		}
	}
}

// awaitAcceptErrors waits until at least n errors of Accept are counted.
func awaitAcceptErrors(t *testing.T, m *stats.Metrics, n int) {
	t.Helper()
	counter := regexp.MustCompile(`pando_accept_errors_total\{listener="client"\} (\d+)`)
	await(t, "errors of Accept", func() bool {
		found := counter.FindStringSubmatch(metricsText(m))
		return found != nil && servertest.Atoi(t, found[1]) >= int64(n)
	})
}

func TestAdmission(t *testing.T) {
	a, logs, metrics := newTestAdmission(2)
	server := httptest.NewUnstartedServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }),
	)
	server.Listener = stream.Listen(
		a.Listen(server.Listener, nil, nil),
		stream.StallPolicy{Timeout: time.Minute, Metrics: metrics, Logger: zap.NewNop()},
	)
	server.Start()
	defer server.Close()
	address := server.Listener.Addr().String()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(admissionTimeout))
		return c
	}
	awaitMetric(t, metrics, `pando_connections_refused_total{listener="client"} 0`)
	first, second := dial(), dial()
	awaitMetric(t, metrics, `pando_connections{listener="client"} 2`)

	t.Run("a connection over the limit gets a 503", func(t *testing.T) {
		c := dial()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 503 ")) || !bytes.HasSuffix(got, errTooManyConnections.AppendJSON(nil)) {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("many connections over the limit are one log line", func(t *testing.T) {
		for range 50 {
			dial()
		}
		awaitMetric(t, metrics, `pando_connections_refused_total{listener="client"} 51`)
		if all := logs.All(); len(all) != 1 || !strings.Contains(all[0].Message, "--max-connections") {
			t.Errorf("the log has %d lines: %v", len(all), all)
		}
	})
	t.Run("connections within the limit are served", func(t *testing.T) {
		if _, err := io.WriteString(first, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(first); err != nil || !bytes.HasSuffix(got, []byte("served")) {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("a closed connection allows another one", func(t *testing.T) {
		_ = second.Close()
		awaitMetric(t, metrics, `pando_connections{listener="client"} 0`)
		resp, err := http.Get("http://" + address)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("got %v, %v", resp, err)
		}
		resp.Body.Close()
	})
}

// failingListener is a listener whose Accept first fails with each of its errors.
type failingListener struct {
	net.Listener
	mu   sync.Mutex
	errs []error
}

func (b *failingListener) Accept() (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errs) > 0 {
		err := b.errs[0]
		b.errs = b.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	return b.Listener.Accept()
}

func TestAcceptErrors(t *testing.T) {
	open := func(t *testing.T, errs ...error) (net.Listener, *admission, *stats.Metrics) {
		t.Helper()
		socket, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		a, _, metrics := newTestAdmission(10)
		l := a.Listen(&failingListener{Listener: socket, errs: errs}, nil, nil)
		t.Cleanup(func() { _ = l.Close() })
		return l, a, metrics
	}
	t.Run("an error does not end Accept", func(t *testing.T) {
		l, _, metrics := open(
			t,
			syscall.EMFILE,
			syscall.ENFILE,
			syscall.ENOBUFS,
			syscall.ENOMEM,
			syscall.ECONNABORTED,
			errors.New("anything"),
		)
		go func() {
			if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			}
		}()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		awaitMetric(t, metrics, `pando_accept_errors_total{listener="client"} 6`)
	})
	t.Run("Close ends Accept", func(t *testing.T) {
		endless := make([]error, 1000)
		for i := range endless {
			endless[i] = syscall.EMFILE
		}
		l, _, metrics := open(t, endless...)
		ended := make(chan error)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		awaitAcceptErrors(t, metrics, 5)
		_ = l.Close()
		select {
		case err := <-ended:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		case <-time.After(admissionTimeout):
			t.Error("Accept did not return")
		}
	})
}
