package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"

	"pando/members/config"
)

// TestDiscoveryProxy checks that the requests to a discovery URL go through an HTTP proxy.
func TestDiscoveryProxy(t *testing.T) {
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Host != "discovery.example" { // a proxy is asked for whole URLs
			t.Errorf("asked for %s", r.URL)
		}
		if strings.HasSuffix(r.URL.Path, "/_config/size") {
			fmt.Fprint(w, `{"node":{"value":"1"}}`)
			return
		}
		fmt.Fprint(w, `{"node":{"nodes":[{"key":"/token/1","value":"a=http://10.0.0.1:2380","createdIndex":2}]}}`)
	}))
	defer proxy.Close()
	cfg, _, err := config.Load(map[string]string{"discovery": "http://discovery.example/v2/keys/token", "discovery-proxy": proxy.URL,
		"proxy": "on"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	urls, err := clusterPeerURLs(t.Context(), cfg, zap.NewNop())
	if err != nil || strings.Join(urls, " ") != "http://10.0.0.1:2380" || asked.Load() == 0 {
		t.Errorf("got %q, %v, after %d requests", urls, err, asked.Load())
	}
}
