package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pando/members/servertest"
)

// startServer starts a server with flags.
func startServer(t *testing.T, flags ...string) *servertest.Process {
	t.Helper()
	browserContext(t) // skips the test if there is no browser
	return servertest.Launch(t, t.TempDir(), flags...)
}

// page returns the URL of a fragment of the page: page(s, "#/keys/a").
func page(s *servertest.Process, fragment string) string { return s.Client + "/ui/" + fragment }

// send sends a request, and returns the status and the body of the response.
func send(t *testing.T, request *http.Request) (status int, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// newRequest returns a request for a path of the server.
func newRequest(t *testing.T, s *servertest.Process, method, path, body string) *http.Request {
	t.Helper()
	request, err := http.NewRequest(method, s.Client+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// sendAs sends a request of a user, whose name is its password, and returns the status and the body. Without a user it is one of a guest.
func sendAs(t *testing.T, s *servertest.Process, user, method, path, body string) (int, string) {
	t.Helper()
	request := newRequest(t, s, method, path, body)
	if user != "" {
		request.SetBasicAuth(user, user)
	}
	if strings.HasPrefix(path, "/v2/keys") {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return send(t, request)
}

// mustAs is sendAs for requests that must succeed. It returns the body.
func mustAs(t *testing.T, s *servertest.Process, user, method, path, body string) string {
	t.Helper()
	status, answer := sendAs(t, s, user, method, path, body)
	if status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

// rawPath returns the path of a request for the bytes of a file. key is not escaped.
func rawPath(key string) string {
	return "/v2/keys" + (&url.URL{Path: key}).EscapedPath() + "?raw=true"
}

// put writes a file. key is not escaped.
func put(t *testing.T, s *servertest.Process, key, value string) {
	t.Helper()
	request := newRequest(t, s, http.MethodPut, rawPath(key), value)
	request.Header.Set("Content-Type", "application/octet-stream")
	if status, answer := send(t, request); status >= 300 {
		t.Fatalf("PUT %s: %d %s", key, status, answer)
	}
}

// value returns the value of a file, or the status of the answer if there is none. key is not escaped.
func value(t *testing.T, s *servertest.Process, key string) string {
	t.Helper()
	status, body := send(t, newRequest(t, s, http.MethodGet, rawPath(key), ""))
	if status != http.StatusOK {
		return fmt.Sprint(status)
	}
	return body
}

// awaitValue waits until a file has a value.
func awaitValue(t *testing.T, s *servertest.Process, key, want string) {
	t.Helper()
	servertest.Await(t, fmt.Sprintf("%s to be %q", key, want), func() bool { return value(t, s, key) == want })
}
