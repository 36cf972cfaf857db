package browser

import (
	"fmt"
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

// put writes a file. key is not escaped.
func put(t *testing.T, s *servertest.Process, key, value string) {
	t.Helper()
	target := s.Client + "/v2/keys" + (&url.URL{Path: key}).EscapedPath() + "?raw=true"
	request, err := http.NewRequest(http.MethodPut, target, strings.NewReader(value))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode >= 300 {
		t.Fatalf("PUT %s: %s", key, response.Status)
	}
}

// value returns the value of a file, or the status of the answer if there is none.
func value(t *testing.T, s *servertest.Process, key string) string {
	t.Helper()
	target := s.Client + "/v2/keys" + (&url.URL{Path: key}).EscapedPath() + "?raw=true"
	response, err := http.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Sprint(response.StatusCode)
	}
	var text strings.Builder
	if err := response.Write(&text); err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(text.String(), "\r\n\r\n")
	return body
}

// awaitValue waits until a file has a value.
func awaitValue(t *testing.T, s *servertest.Process, key, want string) {
	t.Helper()
	servertest.Await(t, fmt.Sprintf("%s to be %q", key, want), func() bool { return value(t, s, key) == want })
}
