package members

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIDString(t *testing.T) {
	for _, c := range []struct {
		id   ID
		want string
	}{
		{0x8e9e05c52164694d, "8e9e05c52164694d"},
		{0x90fbd81bb28688a, "90fbd81bb28688a"},
		{1, "1"},
		{1<<64 - 1, "ffffffffffffffff"},
	} {
		if got := c.id.String(); got != c.want {
			t.Errorf("ID %d is %q, want %q", uint64(c.id), got, c.want)
		}
	}
}

func TestParseID(t *testing.T) {
	good := map[string]ID{
		"1":                    1,
		"0001":                 1,
		"8221129fa3e0b6b9":     0x8221129fa3e0b6b9,
		"8221129FA3E0B6B9":     0x8221129fa3e0b6b9,
		"00008221129fa3e0b6b9": 0x8221129fa3e0b6b9,
		"ffffffffffffffff":     1<<64 - 1,
	}
	for in, want := range good {
		t.Run("good "+in, func(t *testing.T) {
			got, err := ParseID(in)
			if err != nil || got != want {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
		})
	}
	for _, in := range []string{"", "zz", "0x1", "+1", "-1", "1_0", "1ffffffffffffffff", " 1", "1/"} {
		t.Run("bad "+in, func(t *testing.T) {
			got, err := ParseID(in)
			if err == nil {
				t.Fatalf("got %v, want an error", got)
			}
			if !strings.Contains(err.Error(), "hexadecimal") {
				t.Errorf("the error does not say what to write: %v", err)
			}
		})
	}
}

// threeFounders is an initial cluster of three members.
const threeFounders = "infra0=http://10.0.1.10:2380,infra1=http://10.0.1.11:2380,infra2=http://10.0.1.12:2380"

// referenceIDs are the IDs in the log of etcd 3.4.23 when it was started with these flags.
var referenceIDs = []struct {
	name, self, advertised, cluster, token string
	wantSelf, wantCluster                  string
	wantMembers                            []string // sorted by ID
}{
	{
		name: "the default", self: "default", advertised: "http://localhost:2380",
		cluster: "default=http://localhost:2380", token: "etcd-cluster",
		wantSelf: "8e9e05c52164694d", wantCluster: "cdf818194e3a8c32",
		wantMembers: []string{"8e9e05c52164694d"},
	},
	{
		name: "no token", self: "default", advertised: "http://localhost:2380",
		cluster:  "default=http://localhost:2380",
		wantSelf: "37807cb0bf7500f6", wantCluster: "2c833ae9c7555b5e",
		wantMembers: []string{"37807cb0bf7500f6"},
	},
	{
		name: "a token with a blank", self: "default", advertised: "http://localhost:2380",
		cluster: "default=http://localhost:2380", token: "my token",
		wantSelf: "8abdc9637469f236", wantCluster: "2cc708e3e2946639",
		wantMembers: []string{"8abdc9637469f236"},
	},
	{
		name: "three members", self: "infra0", advertised: "http://10.0.1.10:2380",
		cluster: threeFounders, token: "etcd-cluster",
		wantSelf: "794aea3ba77a1d64", wantCluster: "e33cd1f1301c41a0",
		wantMembers: []string{"794aea3ba77a1d64", "9d480e1db4ddec45", "e25938377bdd2340"},
	},
	{
		name: "three members, another token", self: "infra0", advertised: "http://10.0.1.10:2380",
		cluster: threeFounders, token: "etcd-cluster-1",
		wantSelf: "140fedbeeb74765d", wantCluster: "acccc8912db0cd57",
		wantMembers: []string{"8a0a11c6194fc77", "140fedbeeb74765d", "d5dc5f8d75d04e29"},
	},
	{
		name: "the third of three, an ID of 15 digits", self: "infra2", advertised: "http://10.0.1.12:2380",
		cluster: threeFounders, token: "etcd-cluster-1",
		wantSelf: "8a0a11c6194fc77", wantCluster: "acccc8912db0cd57",
		wantMembers: []string{"8a0a11c6194fc77", "140fedbeeb74765d", "d5dc5f8d75d04e29"},
	},
	{
		name: "two schemes", self: "a", advertised: "https://b.example:2380,http://10.9.9.9:7001",
		cluster: "a=https://b.example:2380,a=http://10.9.9.9:7001", token: "etcd-cluster",
		wantSelf: "e9137c6d78b13627", wantCluster: "6aa13949bba271c4",
		wantMembers: []string{"e9137c6d78b13627"},
	},
	{
		name: "several URLs each, in any order", self: "a",
		advertised: "http://10.0.0.1:2380,http://10.0.0.1:7001",
		cluster: "a=http://10.0.0.1:7001,b=http://10.0.0.2:7001,a=http://10.0.0.1:2380," +
			"c=http://[::1]:99,b=http://10.0.0.2:2380,c=unix://localhost:22",
		token:    "T",
		wantSelf: "87b4599c332f5277", wantCluster: "b76e151b1374f20a",
		wantMembers: []string{"31b695aebcda0bdf", "3946c87056d3c9b6", "87b4599c332f5277"},
	},
	{
		name: "an upper-case scheme", self: "a", advertised: "HTTP://LocalHost:2380",
		cluster: "a=HTTP://LocalHost:2380", token: "etcd-cluster",
		wantSelf: "97a13540f455044b", wantCluster: "9462d51de06212dd",
		wantMembers: []string{"97a13540f455044b"},
	},
	{
		name: "blanks and empty entries", self: "a", advertised: "http://127.0.0.1:47201",
		cluster: "a=http://127.0.0.1:47201,, b= HTTP://1.1.1.1:1 ,", token: "etcd-cluster",
		wantSelf: "6b3506b7edd2b7f7", wantCluster: "3b12314b9ebe63bf",
		wantMembers: []string{"6b3506b7edd2b7f7", "c01996f5ba65e83b"},
	},
	{
		name: "an unusual port and no host", self: "a", advertised: "http://127.0.0.1:47201",
		cluster: "a=http://127.0.0.1:47201,b=http://:2380", token: "etcd-cluster",
		wantSelf: "6b3506b7edd2b7f7", wantCluster: "b0d3bba495d05f51",
		wantMembers: []string{"6b3506b7edd2b7f7", "a6c4238018c32cdd"},
	},
	{
		name: "a cluster ID of 15 digits", self: "a", advertised: "http://127.0.0.1:47201",
		cluster: "a=http://127.0.0.1:47201,b=https://1.1.1.1:0", token: "etcd-cluster",
		wantSelf: "6b3506b7edd2b7f7", wantCluster: "f3f22e2d84ca445",
		wantMembers: []string{"1359d4403986689", "6b3506b7edd2b7f7"},
	},
}

func TestReferenceIDs(t *testing.T) {
	for _, c := range referenceIDs {
		t.Run(c.name, func(t *testing.T) {
			got, err := Static{
				Name:           c.self,
				PeerURLs:       strings.Split(c.advertised, ","),
				InitialCluster: c.cluster,
				Token:          c.token,
			}.Cluster()
			if err != nil {
				t.Fatal(err)
			}
			if got.Self.String() != c.wantSelf {
				t.Errorf("own ID is %s, want %s", got.Self, c.wantSelf)
			}
			if got.ID.String() != c.wantCluster {
				t.Errorf("cluster ID is %s, want %s", got.ID, c.wantCluster)
			}
			var ids []string
			for _, m := range got.Members {
				ids = append(ids, m.ID.String())
			}
			if !slices.Equal(ids, c.wantMembers) {
				t.Errorf("members are %v, want %v", ids, c.wantMembers)
			}
		})
	}
}

// TestReferenceRuntimeIDs compares IDs with those that etcd 3.4.23 gave to members that were
// added at these times.
func TestReferenceRuntimeIDs(t *testing.T) {
	for _, c := range []struct {
		urls []string
		at   time.Time
		want string
	}{
		{[]string{"http://127.0.0.1:47104"}, time.Date(2026, 11, 20, 13, 1, 51, 999, time.UTC), "668aa85828fd1e90"},
		{[]string{"http://b:2", "http://b:2"}, time.Date(2026, 11, 20, 13, 4, 3, 0, time.UTC), "28db56658b2162ec"},
	} {
		m := NewRuntimeMember(c.urls, c.at)
		if m.ID.String() != c.want {
			t.Errorf("%v at %v is %s, want %s", c.urls, c.at, m.ID, c.want)
		}
		if m.Started() {
			t.Errorf("a new member has started: %+v", m)
		}
	}
}

func TestNewMemberCopiesItsURLs(t *testing.T) {
	urls := []string{"http://b:2", "http://a:1"}
	m := NewBootstrapMember("m", urls, "t")
	if !slices.Equal(urls, []string{"http://b:2", "http://a:1"}) {
		t.Errorf("the caller's slice was sorted: %v", urls)
	}
	urls[0] = "changed"
	if want := []string{"http://a:1", "http://b:2"}; !slices.Equal(m.PeerURLs, want) {
		t.Errorf("peer URLs are %v, want %v", m.PeerURLs, want)
	}
}
