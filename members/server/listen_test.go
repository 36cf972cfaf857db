package server

import (
	"net/url"
	"strings"
	"testing"

	"pando/members/config"
)

// TestListenAdvice checks that the advice about an address of another machine does not suspect another server.
func TestListenAdvice(t *testing.T) {
	sockets, err := listen(&config.Config{ListenPeerURLs: []url.URL{{Scheme: "http", Host: "192.0.2.1:2380"}}}, &sources{})
	if err == nil {
		sockets.close()
		t.Skip("this machine listens on any address")
	}
	for _, want := range []string{"--listen-peer-urls http://192.0.2.1:2380", "has no such address", "http://0.0.0.0:2380"} {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "another server") {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
