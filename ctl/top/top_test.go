package top

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pando/ctl/client"
	"pando/ctl/terminal"
)

func TestSubtreeOf(t *testing.T) {
	for _, test := range []struct {
		key   string
		depth int
		want  string
	}{
		{"/a", 2, "/"}, {"/a/b", 2, "/a"}, {"/a/b/c", 2, "/a/b"}, {"/a/b/c/d", 2, "/a/b"}, {"/a/b/c", 1, "/a"}, {"/", 1, "/"}, {"/a", 1, "/"},
	} {
		t.Run(fmt.Sprint(test.key, test.depth), func(t *testing.T) {
			if got := subtreeOf(test.key, test.depth); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestHeat(t *testing.T) {
	h := NewHeat(1)
	now := time.Unix(1_000_000, 0)
	if _, rate, seconds, _ := h.top(now); rate != 0 || seconds != 0 {
		t.Errorf("before it began: %v, %v", rate, seconds)
	}
	h.start(now)
	for i := range 30 { // three events a second
		h.add([]string{"/a/x", "/a/y", "/b/z"}[i%3], now.Add(time.Duration(i)*time.Second/3))
	}
	t.Run("a full window", func(t *testing.T) {
		got, rate, seconds, _ := h.top(now.Add(window - time.Millisecond))
		if len(got) != 2 || got[0].Key != "/a" || math.Round(got[0].EventRate) != 2 || math.Round(rate) != 3 || math.Round(seconds) != 10 {
			t.Errorf("%v, %v, %v", got, rate, seconds)
		}
	})
	t.Run("half of it is over", func(t *testing.T) {
		if _, rate, _, _ := h.top(now.Add(3 * window / 2)); math.Abs(rate-1.2) > 0.4 {
			t.Errorf("%v", rate)
		}
	})
	t.Run("all of it is over", func(t *testing.T) {
		if got, rate, _, _ := h.top(now.Add(3 * window)); len(got) != 0 || rate != 0 {
			t.Errorf("%v, %v", got, rate)
		}
	})
	t.Run("many subtrees", func(t *testing.T) {
		h, now := NewHeat(1), now
		h.start(now)
		for i := range 3 * maxSubtrees {
			h.add(fmt.Sprintf("/%d/k", i), now)
		}
		if got, _, _, _ := h.top(now); got[0].Key != otherSubtrees || got[0].EventRate != 2*maxSubtrees {
			t.Errorf("%v", got[0])
		}
	})
}

func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		name    string
		buckets []bucket
		q, want float64
	}{
		{"half of one bucket", []bucket{{1, 0}, {2, 10}, {inf, 0}}, 0.5, 1.5},
		{"in the second", []bucket{{1, 50}, {3, 50}}, 0.75, 2},
		{"above all bounds", []bucket{{1, 1}, {inf, 99}}, 0.99, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := quantile(test.buckets, test.q); got == nil || math.Abs(*got-test.want) > 1e-9 {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
	if got := quantile([]bucket{{1, 0}}, 0.5); got != nil {
		t.Errorf("%v of no values", *got)
	}
}

// samples are two samples of a cluster: a leader of Pando, a follower that is behind, an etcd, and a member that is down.
func samples() (before, after *Sample) {
	sample := func(at, requests float64) *Sample {
		metrics := client.Metrics{
			`pando_request_duration_seconds_count{operation="get"}`:             requests,
			`pando_request_duration_seconds_bucket{operation="get",le="0.001"}`: requests,
			`pando_request_duration_seconds_bucket{operation="get",le="+Inf"}`:  requests,
			`pando_watchers`: 3,
		}
		member := func(name string, raftIndex uint64) *MemberSample {
			status := client.Status{Name: name, Endpoint: name, Version: "1", Healthy: true, RaftIndex: raftIndex}
			return &MemberSample{Status: status}
		}
		leader, follower := member("leader", 100), member("follower", 60)
		etcd := member("etcd", 0)
		leader.Leader, leader.Metrics = true, metrics
		etcd.Store = map[string]float64{"setsSuccess": 2 * requests, "watchers": 7}
		dead := &MemberSample{Status: client.Status{Name: "dead\x1b[2J", Endpoint: "dead", Error: "refused\nby all"}}
		return &Sample{Time: time.Unix(int64(at), 0), Members: []*MemberSample{leader, follower, etcd, dead}}
	}
	return sample(10, 100), sample(12, 300)
}

func TestReport(t *testing.T) {
	before, after := samples()
	r := NewReport(before, after)
	leader, follower, etcd, dead := r.Members[0], r.Members[1], r.Members[2], r.Members[3]
	if r.Up != 3 || r.Leader != "leader" || dead.Role != roleDown || follower.Role != roleFollower {
		t.Errorf("%+v", r)
	}
	if *leader.Reads != 100 || *leader.Writes != 0 || *leader.Watchers != 3 {
		t.Errorf("%+v", leader)
	}
	if math.Abs(*leader.ReadP99-0.99) > 1e-9 || leader.WriteP99 != nil {
		t.Errorf("%+v", leader)
	}
	if *leader.Lag != 0 || *follower.Lag != 40 || etcd.Lag != nil || follower.Reads != nil {
		t.Errorf("%+v, %+v, %+v", leader, follower, etcd)
	}
	if *etcd.Writes != 200 || *etcd.Watchers != 7 {
		t.Errorf("%+v", etcd)
	}
	if first := NewReport(nil, after); first.Members[0].Reads != nil {
		t.Errorf("a rate after one sample: %v", first.Members[0])
	}
	if restarted := NewReport(after, before); restarted.Members[0].Reads != nil {
		t.Errorf("a rate after a restart: %v", restarted.Members[0])
	}
}

func TestLines(t *testing.T) {
	before, after := samples()
	r := NewReport(before, after)
	h := NewHeat(1)
	h.start(after.Time)
	for i := range 50 {
		h.add(fmt.Sprintf("/s%d/k", i), after.Time)
	}
	r.AddHeat(h)
	t.Run("all", func(t *testing.T) {
		text := strings.Join(r.Lines("/", terminal.Palette{}, 0, 0), "\n")
		for _, want := range []string{"3 of 4 members up   leader leader", "follower  follower", "refused by all", "50.0/s", "/s49"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
		if strings.Contains(text, "\x1b") {
			t.Errorf("a name moves the cursor: %q", text)
		}
	})
	t.Run("a small screen", func(t *testing.T) {
		lines := r.Lines("/", terminal.Palette{}, 40, 12)
		for _, line := range lines {
			if len(lines) != 12 || utf8.RuneCountInString(line) > 40 {
				t.Fatalf("%d lines, %q", len(lines), line)
			}
		}
	})
}
