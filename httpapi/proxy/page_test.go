package proxy

import (
	"io"
	"net/http"
	"testing"
)

// TestPage checks that a proxy serves the page for people itself, or not at all, and asks no member for it.
func TestPage(t *testing.T) {
	member := newRecorder(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "of the member") })
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "of the proxy") })
	for _, test := range []struct {
		name   string
		change func(*Config)
		path   string
		status int
		body   string
	}{
		{"on", func(c *Config) { c.UI = page }, "/ui/app.js", http.StatusOK, "of the proxy"},
		{"on, without a slash", func(c *Config) { c.UI = page }, "/ui", http.StatusOK, "of the proxy"},
		{"on, another path", func(c *Config) { c.UI = page }, "/uix", http.StatusOK, "of the member"},
		{"on, a proxy for reading", func(c *Config) { c.UI, c.Mode = page, ReadOnly }, "/ui/", http.StatusOK, "of the proxy"},
		{"off", nil, "/ui/", http.StatusNotFound, "404 page not found\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := startProxy(t, newCluster(t, member.URL), test.change)
			response, err := http.Get(p.URL + test.path)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.status || string(body) != test.body {
				t.Errorf("%v: %s %q", err, response.Status, body)
			}
		})
	}
}
