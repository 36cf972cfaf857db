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
	got := banner(cfg, 0x8e9e05c52164694d, 0xcdf818194e3a8c32, false)
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
	got = banner(cfg, 0x8e9e05c52164694d, 0xcdf818194e3a8c32, true)
	if !strings.Contains(got, "pando migrate") || strings.Contains(got, "PUT") {
		t.Errorf("a cluster that follows an etcd shows:\n%s", got)
	}
}

// TestCurlCommand checks the commands that the banner shows for each kind of URL.
func TestCurlCommand(t *testing.T) {
	const pair = " cert-file=c.pem key-file=k.pem"
	for _, test := range []struct{ flags, want string }{
		{"listen-client-urls=https://0.0.0.0:1,http://127.0.0.1:2" + pair, "curl http://127.0.0.1:2"},
		{"listen-client-urls=https://127.0.0.1:1" + pair, "curl https://127.0.0.1:1"},
		{"listen-client-urls=https://127.0.0.1:1 auto-tls=true data-dir=/d", "curl --cacert /d/tls/client/cert.pem https://127.0.0.1:1"},
		{"listen-client-urls=https://127.0.0.1:1 trusted-ca-file=ca.pem" + pair,
			"curl --cacert ca.pem --cert CLIENT.pem --key CLIENT-key.pem https://127.0.0.1:1"},
		{"listen-client-urls=unix:///run/p.sock", "curl --unix-socket /run/p.sock http://localhost"},
		{"listen-client-urls=unixs:///run/p.sock" + pair, "curl --unix-socket /run/p.sock https://localhost"},
	} {
		t.Run(test.flags, func(t *testing.T) {
			flags := map[string]string{"advertise-client-urls": "https://a:1"}
			for assignment := range strings.FieldsSeq(test.flags) {
				name, value, _ := strings.Cut(assignment, "=")
				flags[name] = value
			}
			cfg, _, err := config.Load(flags, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := curlCommand(cfg); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
