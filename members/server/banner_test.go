package server

import (
	"strings"
	"testing"

	"pando/members/config"
)

func TestBanner(t *testing.T) {
	cfg, _, err := config.Load(map[string]string{
		"listen-client-urls": "http://0.0.0.0:4001", "advertise-client-urls": "http://10.0.0.1:4001", "data-dir": "/var/lib/pando",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := banner(cfg, 0x8e9e05c52164694d, 0xcdf818194e3a8c32)
	for _, want := range []string{
		"member default (8e9e05c52164694d) of cluster cdf818194e3a8c32\n",
		"clients  http://0.0.0.0:4001\n",
		"peers    http://localhost:2380\n",
		"data     /var/lib/pando\n",
		"curl http://127.0.0.1:4001/v2/keys/message -XPUT -d value=\"Hello world\"\n",
		"curl http://127.0.0.1:4001/v2/keys/message\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}
