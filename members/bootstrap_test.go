package members

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseURLs(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []string
		want []string
	}{
		{"sorted", []string{"http://b:2", "http://a:1"}, []string{"http://a:1", "http://b:2"}},
		{"canonical", []string{" HTTP://A:1 "}, []string{"http://A:1"}},
		{"twice the same", []string{"http://b:2", "http://b:2"}, []string{"http://b:2", "http://b:2"}},
		{"no host", []string{"http://:2380"}, []string{"http://:2380"}},
		{"an empty port", []string{"http://1.1.1.1:"}, []string{"http://1.1.1.1:"}},
		{"a port out of range", []string{"http://1.1.1.1:99999"}, []string{"http://1.1.1.1:99999"}},
		{"IPv6", []string{"https://[::1]:99"}, []string{"https://[::1]:99"}},
		{"unix", []string{"unix://localhost:22", "unixs://a:1"}, []string{"unix://localhost:22", "unixs://a:1"}},
		{"a user", []string{"http://u:p@1.1.1.1:1"}, []string{"http://u:p@1.1.1.1:1"}},
		{"a query and a fragment", []string{"http://1.1.1.1:1?x", "http://1.1.1.1:1#f"}, []string{"http://1.1.1.1:1#f", "http://1.1.1.1:1?x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseURLs(c.in)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// TestParseURLsErrors compares the texts with those of etcd 3.4.23.
func TestParseURLsErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "URL scheme must be http, https, unix, or unixs: ",
		"ftp://1:1":               "URL scheme must be http, https, unix, or unixs: ftp://1:1",
		"http://127.0.0.1":        `URL address does not have the form "host:port": http://127.0.0.1`,
		"http:1.1.1.1:1":          `URL address does not have the form "host:port": http:1.1.1.1:1`,
		"unix://a":                `URL address does not have the form "host:port": unix://a`,
		"unixs:///tmp/x":          `URL address does not have the form "host:port": unixs:///tmp/x`,
		"unix:/tmp/x":             `URL address does not have the form "host:port": unix:/tmp/x`,
		"unix://":                 `URL address does not have the form "host:port": unix://`,
		"http://127.0.0.1:2380/":  "URL must not contain a path: http://127.0.0.1:2380/",
		"http://127.0.0.1:2380/x": "URL must not contain a path: http://127.0.0.1:2380/x",
		"unix://a:1/p":            "URL must not contain a path: unix://a:1/p",
		"127.0.0.1:2380":          `parse "127.0.0.1:2380": first path segment in URL cannot contain colon`,
		"http://a:b":              `parse "http://a:b": invalid port ":b" after host`,
		"http://x%20y:1":          `parse "http://x%20y:1": invalid URL escape "%20"`,
	} {
		t.Run(in, func(t *testing.T) {
			got, err := ParseURLs([]string{in})
			if err == nil {
				t.Fatalf("got %v, want an error", got)
			}
			if err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if _, err := ParseURLs(nil); !errors.Is(err, ErrNoURLs) {
			t.Errorf("got %v, want %v", err, ErrNoURLs)
		}
	})
}

func TestStaticClusterErrors(t *testing.T) {
	const own = "http://127.0.0.1:47201"
	for _, c := range []struct {
		name, cluster string
		advertised    []string
		want          []string // in the error's text
	}{
		{"no cluster", "", []string{own}, []string{"--initial-cluster", `"a"`, "none", "add a=" + own}},
		{"own name missing", "b=http://1.1.1.1:1,c=http://1.1.1.2:1", []string{own},
			[]string{"--initial-cluster", `"a"`, "b, c", "add a=" + own, "--name"}},
		{"other URL", "a=http://127.0.0.1:5", []string{own},
			[]string{"--initial-cluster", "--initial-advertise-peer-urls", own, "a=http://127.0.0.1:5"}},
		{"a name for the address", "a=http://localhost:47201", []string{own},
			[]string{"--initial-cluster", "--initial-advertise-peer-urls", "use the same URLs in both"}},
		{"fewer URLs", "a=" + own, []string{own, "http://127.0.0.1:9"},
			[]string{"--initial-advertise-peer-urls", own + "," + "http://127.0.0.1:9"}},
		{"one URL twice", "a=" + own + ",a=" + own, []string{own}, []string{"--initial-cluster", "twice", "member a", own}},
		{"one URL for two", "a=" + own + ",b=HTTP://127.0.0.1:47201", []string{own},
			[]string{"--initial-cluster", "a and b", own}},
		{"a path", "a=" + own + ",b=http://1.1.1.1:1/", []string{own},
			[]string{"--initial-cluster", "member b", "path", "http://1.1.1.1:1/"}},
		{"no port", "a=" + own + ",b=http://1.1.1.1", []string{own}, []string{"--initial-cluster", "member b", "host:port"}},
		{"a scheme", "a=" + own + ",b=ftp://1:1", []string{own}, []string{"--initial-cluster", "member b", "scheme"}},
		{"no URL", "a=" + own + ",b", []string{own}, []string{"--initial-cluster", `"b"`, "NAME=URL"}},
		{"an empty URL", "a=" + own + ",b=", []string{own}, []string{"--initial-cluster", `"b="`, "NAME=URL"}},
		{"no name", "a=" + own + ",=http://1.1.1.1:1", []string{own}, []string{"--initial-cluster", "NAME=URL"}},
		{"a semicolon", "a=" + own + ",b=http://1.1.1.1:1;c=http://1.1.1.1:1", []string{own}, []string{"--initial-cluster", "member b"}},
		{"advertised path", "a=" + own, []string{own + "/"}, []string{"--initial-advertise-peer-urls", "path"}},
		{"nothing advertised", "a=" + own, nil, []string{"--initial-advertise-peer-urls", "no valid URLs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Static{Name: "a", PeerURLs: c.advertised, InitialCluster: c.cluster}.Cluster()
			if err == nil {
				t.Fatalf("got %+v, want an error", got)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
		})
	}
}

func TestStaticCluster(t *testing.T) {
	urls := []string{"http://127.0.0.1:2", "http://127.0.0.1:1"}
	c, err := Static{Name: "a", PeerURLs: urls, InitialCluster: InitialCluster("a", urls), Token: "t"}.Cluster()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Members) != 1 || c.Members[0].ID != c.Self || c.Members[0].Name != "a" {
		t.Fatalf("got %+v", c)
	}
	if want := []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}; !slices.Equal(c.Members[0].PeerURLs, want) {
		t.Errorf("peer URLs are %v, want %v", c.Members[0].PeerURLs, want)
	}
	if c.ID != ClusterID(c.Members) {
		t.Errorf("cluster ID %s is not that of its members", c.ID)
	}
}
