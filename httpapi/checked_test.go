package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"pando/docs/openapi/check"
)

// checked returns a handler that compares the requests of a test and the responses with the description of the API. It does not do so
// in benchmarks and on real connections.
func checked(t testing.TB, next http.Handler) http.Handler {
	if _, isTest := t.(*testing.T); !isTest {
		return next
	}
	description := check.Pando(t)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder, ok := w.(*httptest.ResponseRecorder)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		target := *r.URL // the handler changes that of the request
		body := &recordedBody{ReadCloser: r.Body}
		if r.Body != nil {
			r.Body = body
		}
		next.ServeHTTP(w, r)
		result := recorder.Result()
		err := description.Check(&check.Exchange{
			Method: r.Method, URL: &target, Header: r.Header, RequestBody: body.read.Bytes(),
			Status: result.StatusCode, Response: result.Header, Body: recorder.Body.Bytes(),
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// recordedBody is the body of a request, and records what is read of it.
type recordedBody struct {
	io.ReadCloser
	read bytes.Buffer
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Write(p[:n])
	return n, err
}

// unchecked makes the fixture serve requests without the comparison, for tests in which a fake source or a fake cluster responds as a real
// one does not.
func (f *fixture) unchecked() *fixture {
	f.handler = f.clientHandler()
	return f
}
