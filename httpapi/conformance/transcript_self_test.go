package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// These tests check what normalising may hide and what it must not hide: otherwise the transcripts would prove nothing.

func testFrame() *transcriptFrame {
	noon := time.Date(2020, 1, 2, 12, 0, 0, 0, time.UTC)
	return &transcriptFrame{
		server: &servertest.Process{Client: "http://c:1", Peer: "http://p:1", MemberID: "ab12"},
		base:   40,
		now:    func() time.Time { return noon },
	}
}

func TestTranscriptNormalising(t *testing.T) {
	plain := &transcriptRequest{target: "/v2/keys/x"}
	for _, test := range []struct {
		name      string
		request   *transcriptRequest
		text      string
		want      string
		unchanged bool
	}{
		{name: "indexes", text: `{"modifiedIndex":42,"createdIndex":38,"index":0}`,
			want: `{"modifiedIndex":@+2,"createdIndex":@-2,"index":0}`},
		{name: "in-order name", text: `{"key":"/q/00000000000000000041"}`, want: `{"key":"/q/@@+1"}`},
		{name: "index in a value", text: `{"value":"\"modifiedIndex\":42"}`, unchanged: true},
		{name: "cause without indexes", text: `{"cause":"[41 != 42]"}`, unchanged: true},
		{name: "cause with indexes", request: &transcriptRequest{target: "/v2/keys/x?prevIndex=41"},
			text: `{"cause":"[a != b] [41 != 42]"}`, want: `{"cause":"[a != b] [@+1 != @+2]"}`},
		{name: "unsorted", text: `{"nodes":[{"key":"/b"},{"key":"/a","nodes":[{"key":"/a/]"},{"key":"/a/,"}]}],"x":1}`,
			want: `{"nodes":[{"key":"/a","nodes":[{"key":"/a/,"},{"key":"/a/]"}]},{"key":"/b"}],"x":1}`},
		{name: "wrongly sorted", request: &transcriptRequest{target: "/v2/keys/x?sorted=true"},
			text: `{"nodes":[{"key":"/b"},{"key":"/a"}]}`, unchanged: true},
		{name: "expiry", text: `{"expiration":"2020-01-02T12:00:09.5Z","ttl":10}`, want: `{"expiration":"{in ttl}","ttl":10}`},
		{name: "expiry that does not fit its ttl", text: `{"expiration":"2020-01-02T12:00:30Z","ttl":10}`,
			want: `{"expiration":"{off by 20s}","ttl":10}`},
		{name: "expiry with a time zone", text: `{"expiration":"2020-01-02T13:00:10+01:00","ttl":10}`,
			want: `{"expiration":"{not a UTC time: 2020-01-02T13:00:10+01:00}"}`},
		{name: "expired", text: `{"expiration":"2020-01-02T11:59:59.9Z"}`, want: `{"expiration":"{past}"}`},
		{name: "IDs and URLs", text: `{"id":"ab12","clientURLs":["http://c:1"],"peerURLs":["http://p:1"]}`,
			want: `{"id":"{member}","clientURLs":["{client}"],"peerURLs":["{peer}"]}`},
		{name: "long run", text: strings.Repeat("x", 300), want: "${x*300}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.request == nil {
				test.request = plain
			}
			if test.unchanged {
				test.want = test.text
			}
			if got := testFrame().body(test.text, test.request); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTranscriptFilling(t *testing.T) {
	got := testFrame().fill("waitIndex=@+2&key=@@-1&id={MEMBER}&v=${ab*3}")
	if want := "waitIndex=42&key=00000000000000000039&id=AB12&v=ababab"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTranscriptAnswersCompared(t *testing.T) {
	lived := func(ttl string) []string { return []string{`{"expiration":"{in ttl}","ttl":` + ttl + `}`} }
	for _, test := range []struct {
		name      string
		got, want []string
		same      bool
	}{
		{"late", lived("9"), lived("10"), true},
		{"too late", lived("5"), lived("10"), false},
		{"other text", []string{"a"}, []string{"b"}, false},
		{"line missing", []string{"a"}, []string{"a", "b"}, false},
		{"line too many", []string{"a", "b"}, []string{"a"}, false},
		{"any rest", []string{"413", "x", "y"}, []string{"413", "..."}, true},
		{"any rest of another answer", []string{"500", "x"}, []string{"413", "..."}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if same := sameAnswer(test.got, test.want); same != test.same {
				t.Errorf("compared as same: %v, want %v", same, test.same)
			}
		})
	}
}

func TestTranscriptHead(t *testing.T) {
	whole := []wireHeader{
		{"Content-Type", "application/json"}, {"X-Etcd-Cluster-Id", "cd"}, {"X-Etcd-Index", "41"},
		{"X-Raft-Index", "9"}, {"X-Raft-Term", "2"}, {"Content-Length", "3"}, {"Date", "today"},
	}
	whole = append(whole, transcriptCORS...)
	misspelled := slices.Clone(whole)
	misspelled[1].name = "X-Etcd-Cluster-ID"
	for _, test := range []struct {
		name    string
		headers []wireHeader
		want    string
	}{
		{"all", whole, "200 OK|[json cluster raft length cors]|X-Etcd-Index: @+1"},
		{"CORS twice", append(slices.Clone(whole), transcriptCORS[2]),
			"200 OK|[json cluster raft length cors]|X-Etcd-Index: @+1|Access-Control-Allow-Origin: *"},
		{"misspelled", misspelled, "200 OK|[json raft length cors]|X-Etcd-Cluster-ID: cd|X-Etcd-Index: @+1"},
		{"bare", nil, "200 OK"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &transcriptPlayer{frame: testFrame()}
			p.frame.server.ClusterID = "cd"
			got := p.head(&wireResponse{status: "HTTP/1.1 200 OK", headers: test.headers}, "abc")
			if joined := strings.Join(got, "|"); joined != test.want {
				t.Errorf("got  %s\nwant %s", joined, test.want)
			}
		})
	}
}

func TestTranscriptParsing(t *testing.T) {
	for name, text := range map[string]string{
		"answer to nothing":  "< 200 OK\n",
		"body of nothing":    "form: value=x\n",
		"unknown word":       "frobnicate\n",
		"request, no target": "> GET\n",
		"bad quotes":         "> GET /x\nbody: \"x\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseTranscript("x.txt", text); err == nil {
				t.Errorf("parsed without an error: %q", text)
			}
		})
	}
}
