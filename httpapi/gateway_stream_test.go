package httpapi

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"pando/tree"
)

// jsonStream is a stream of the JSON gateway.
type jsonStream struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Reader
	end      context.CancelFunc // breaks the connection
}

// openStream sends a request and returns when the header of its response has come.
func openStream(t *testing.T, url string, body io.Reader) *jsonStream {
	t.Helper()
	return openStreamWith(t, http.DefaultClient, url, body)
}

func openStreamWith(t *testing.T, client *http.Client, url string, body io.Reader) *jsonStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return &jsonStream{t, response, bufio.NewReader(response.Body), cancel}
}

// expect compares the next lines of the response, without their headers.
func (s *jsonStream) expect(want ...string) {
	s.t.Helper()
	for _, line := range want {
		got, err := s.lines.ReadString('\n')
		if err != nil {
			s.t.Fatalf("got %q, %v; want %s", got, err, line)
		}
		head, rest, ok := strings.Cut(got, `"raft_term":"7"}`)
		if ok && strings.HasPrefix(head, `{"result":{"header":{"cluster_id":"193","member_id":"1",`) {
			got = rest
		}
		if got != line+"\n" {
			s.t.Errorf("got  %swant %s", got, line)
		}
	}
}

// expectEnd checks that the response is complete.
func (s *jsonStream) expectEnd() {
	s.t.Helper()
	if rest, err := io.ReadAll(s.lines); err != nil || len(rest) > 0 {
		s.t.Errorf("got %q, %v", rest, err)
	}
}

// TestGatewayStreams compares the streams of the JSON gateway with those of etcd 3.7.3.
func TestGatewayStreams(t *testing.T) {
	q := newQueueFixture(t)
	_, url := startServer(t, q.fixture, nil)
	url += "/v3"
	t.Run("Watch", func(t *testing.T) {
		s := openStream(t, url+"/watch", strings.NewReader(`{"create_request":{"key":"Zm9v"}}{"create_request":{"key":"YQ=="}} `))
		s.expect(`,"created":true}}`, `,"watch_id":"1","created":true}}`)
		if s.response.StatusCode != http.StatusOK || s.response.Header.Get("Content-Type") != "application/json" ||
			s.response.Header.Get("Grpc-Metadata-Content-Type") != "application/grpc" {
			t.Errorf("got %v", s.response)
		}
		q.apply(&tree.Command{Op: tree.OpPut, Path: "foo", Value: "bar"})
		s.expect(`,"events":[{"kv":{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy"}}]}}`)
		s.end() // the connection has sent its whole body before
		await(t, "the end of the watches", func() bool { return q.log.tree.KeyWatchers() == 0 })
	})
	t.Run("messages that the client sends later", func(t *testing.T) {
		body, messages := io.Pipe()
		send := func(text string) { _, _ = io.WriteString(messages, text) } // after an error no response comes
		go send(`{"ID":"7"}`)
		s := openStream(t, url+"/lease/keepalive", body)
		s.expect(`,"ID":"7","TTL":"60"}}`)
		send(`{"ID":"77"}`)
		s.expect(`,"ID":"77"}}`)
		send(`nonsense`)
		s.expect(`{"error":{"grpc_code":3,"http_code":400,"code":3,"message":"a message of the body is not valid JSON: ` +
			`invalid character 'o' in literal null (expecting 'u')","http_status":"Bad Request"}}`)
		s.expectEnd()
	})
	t.Run("over HTTP/2", func(t *testing.T) {
		body, messages := io.Pipe()
		go func() { _, _ = io.WriteString(messages, `{"create_request":{"key":"aDI="}}`) }()
		s := openStreamWith(t, priorKnowledge(t), url+"/watch", body)
		s.expect(`,"created":true}}`)
		_, _ = io.WriteString(messages, `{"cancel_request":{}}`)
		s.expect(`,"canceled":true}}`)
		_ = messages.Close()
		s.end()
	})
	t.Run("without messages", func(t *testing.T) {
		s := openStream(t, url+"/lease/keepalive", nil)
		s.expectEnd()
		if s.response.StatusCode != http.StatusOK {
			t.Errorf("got %v", s.response)
		}
	})
	t.Run("Observe", func(t *testing.T) {
		q.goCampaign(t.Context(), 9, "a")
		s := openStream(t, url+"/election/observe", strings.NewReader(`{"name":"ZQ=="}`))
		s.expect(`,"kv":{"key":"ZS85","create_revision":"3","mod_revision":"3","version":"1","value":"YQ==","lease":"9"}}}`)
		s.end()
		await(t, "the end of the watches", func() bool { return q.log.tree.KeyWatchers() == 0 })
	})
	t.Run("a Lock whose client goes away", func(t *testing.T) {
		q.goLock(t.Context(), "a", 1)
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/lock/lock", strings.NewReader(`{"name":"YQ==","lease":2}`))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if response, err := http.DefaultClient.Do(r); err == nil {
				_ = response.Body.Close()
			}
		}()
		q.awaitKey("a/2", true)
		cancel()
		q.awaitKey("a/2", false)
	})
}

// TestGatewayStreamErrors compares the errors of streams, before and after the first response, with those of etcd 3.7.3.
func TestGatewayStreamErrors(t *testing.T) {
	q := newQueueFixture(t)
	_, url := startServer(t, q.fixture, nil)
	url += "/v3"
	t.Run("an error after a response", func(t *testing.T) {
		s := openStream(t, url+"/watch", strings.NewReader(`{"create_request":{"key":"Zm9v"}}nonsense`))
		s.expect(`,"created":true}}`, `{"error":{"grpc_code":3,"http_code":400,"code":3,"message":"a message of the body is not valid JSON: `+
			`invalid character 'o' in literal null (expecting 'u')","http_status":"Bad Request"}}`)
		s.expectEnd()
	})
	t.Run("an error before the first response", func(t *testing.T) {
		s := openStream(t, url+"/watch", strings.NewReader(`x`))
		s.expect(`{"error":{"grpc_code":3,"http_code":400,"code":3,"message":"a message of the body is not valid JSON: ` +
			`invalid character 'x' looking for beginning of value","http_status":"Bad Request"}}`)
		if s.response.StatusCode != http.StatusBadRequest {
			t.Errorf("got %v", s.response)
		}
	})
}

// TestGatewayStreamAtShutdown ends a server while a stream is open whose client has not sent the end of its body.
func TestGatewayStreamAtShutdown(t *testing.T) {
	q := newQueueFixture(t)
	_, url := startServer(t, q.fixture, nil)
	body, messages := io.Pipe()
	defer func() { _ = messages.Close() }()
	go func() { _, _ = io.WriteString(messages, `{"create_request":{"key":"YQ=="}}`) }()
	s := openStream(t, url+"/v3/watch", body)
	s.expect(`,"created":true}}`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := q.grpc.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	s.expect(`{"error":{"grpc_code":14,"http_code":503,"code":14,"message":"etcdserver: server stopped","http_status":"Service Unavailable"}}`)
	s.expectEnd()
}
