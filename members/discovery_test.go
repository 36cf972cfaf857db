package members

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// timeout is how long a test waits for something that must happen.
const timeout = 20 * time.Second

func (s *keyService) discovery(name, peerURL string) Discovery {
	return Discovery{
		URL: s.token(), Name: name, PeerURLs: []string{peerURL}, Client: s.Client(),
		MinPause: time.Millisecond, MaxPause: 4 * time.Millisecond,
	}
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}

// joining is a Join in the background, and its result.
type joining struct {
	cluster Cluster
	err     error
}

func join(t testing.TB, d Discovery) <-chan joining {
	out := make(chan joining, 1)
	ctx := within(t)
	go func() {
		c, err := d.Join(ctx)
		out <- joining{c, err}
	}()
	return out
}

func idsOf(c Cluster) string {
	var ids []string
	for _, m := range c.Members {
		ids = append(ids, fmt.Sprintf("%s=%s %s", m.ID, m.Name, strings.Join(m.PeerURLs, ",")))
	}
	return strings.Join(ids, "; ")
}

// TestDiscoveryIDs compares the IDs with those that the reference computed for three
// members at this discovery URL.
func TestDiscoveryIDs(t *testing.T) {
	d := Discovery{URL: "http://127.0.0.1:21381/v2/keys/disc/tok1"}
	c, err := d.cluster(discoveryState{size: 3, nodes: []registration{
		{Value: "a=http://127.0.0.1:22002"}, {Value: "b=http://127.0.0.1:22012"}, {Value: "c=http://127.0.0.1:22022"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := "21fc3e542b012aee=c http://127.0.0.1:22022; 22bfb0952af24fa5=b http://127.0.0.1:22012; 733166257d54eed7=a http://127.0.0.1:22002"
	if got := idsOf(c); got != want || c.ID.String() != "7ad653b9b2a8cf77" {
		t.Errorf("got cluster %s of %s", c.ID, got)
	}
}

func TestDiscovery(t *testing.T) {
	t.Run("members find the same cluster", func(t *testing.T) {
		s := newKeyService(t, "3")
		var all []<-chan joining
		for i, name := range []string{"a", "b", "c"} {
			all = append(all, join(t, s.discovery(name, fmt.Sprintf("http://10.0.0.%d:2380", i))))
		}
		selves := map[ID]bool{}
		var clusters []string
		for _, one := range all {
			j := <-one
			if j.err != nil {
				t.Fatal(j.err)
			}
			selves[j.cluster.Self] = true
			clusters = append(clusters, j.cluster.ID.String()+" "+idsOf(j.cluster))
		}
		if len(selves) != 3 || clusters[0] != clusters[1] || clusters[1] != clusters[2] {
			t.Errorf("selves %v, clusters\n%s", selves, strings.Join(clusters, "\n"))
		}
	})
	t.Run("waits by long poll behind the index it has seen", func(t *testing.T) {
		s := newKeyService(t, "2")
		d := s.discovery("a", "http://10.0.0.1:2380")
		waiting := make(chan string, 10)
		d.Waiting = func(there, size int) { waiting <- fmt.Sprint(there, " of ", size) }
		one := join(t, d)
		if got := <-waiting; got != "1 of 2" {
			t.Errorf("waiting with %s", got)
		}
		s.add("1234", "b=http://10.0.0.2:2380")
		if j := <-one; j.err != nil || len(j.cluster.Members) != 2 {
			t.Fatalf("%+v", j)
		}
		log := strings.Join(s.log(), "\n")
		if !strings.Contains(log, "/v2/keys/disc/token?recursive=true&wait=true&waitIndex=12") && !strings.Contains(log, "waitIndex=13") {
			t.Errorf("no wait in\n%s", log)
		}
	})
	t.Run("a cleared history is read anew", func(t *testing.T) {
		s := newKeyService(t, "2")
		s.cleared = 3
		one := join(t, s.discovery("a", "http://10.0.0.1:2380"))
		two := join(t, s.discovery("b", "http://10.0.0.2:2380"))
		if j := <-one; j.err != nil {
			t.Error(j.err)
		}
		if j := <-two; j.err != nil {
			t.Error(j.err)
		}
	})
	t.Run("others than the first do not count", func(t *testing.T) {
		s := newKeyService(t, "1")
		s.add("1", "a=http://10.0.0.1:2380")
		s.add("2", "b=http://10.0.0.2:2380")
		c, err := s.discovery("", "").Find(within(t))
		if err != nil || len(c.Members) != 1 || c.Members[0].Name != "a" || c.Self != 0 {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("several peer URLs", func(t *testing.T) {
		s := newKeyService(t, "1")
		d := s.discovery("a", "")
		d.PeerURLs = []string{"http://10.0.0.2:1", "http://10.0.0.1:1"}
		c, err := d.Join(within(t))
		if err != nil || idsOf(c) != c.Self.String()+"=a http://10.0.0.1:1,http://10.0.0.2:1" {
			t.Errorf("%s, %v", idsOf(c), err)
		}
	})
}

func TestDiscoveryRefused(t *testing.T) {
	const url = "http://10.0.0.1:2380"
	for _, test := range []struct {
		name, size string
		keys       []string // value
		want       error
		text       string
	}{
		{"no token", "", nil, ErrNoSize, "create it first: curl -X PUT"},
		{"size is no number", "three", nil, ErrNoSize, `_config/size is "three"`},
		{"size is zero", "0", nil, ErrNoSize, `_config/size is "0"`},
		{"full", "1", []string{"b=http://10.0.0.2:2380"}, ErrFull, "full"},
		{"name twice", "2", []string{"a=http://10.0.0.2:2380"}, ErrDuplicateName, "two members have registered with the same name, a, "},
		{"foreign value", "2", []string{"hello"}, nil, `holds "hello", which is not NAME=URL`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newKeyService(t, test.size)
			for i, value := range test.keys {
				s.add(fmt.Sprint(i), value)
			}
			_, err := s.discovery("a", url).Join(within(t))
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
	t.Run("full says who is there", func(t *testing.T) {
		s := newKeyService(t, "1")
		s.add("1", "b=http://10.0.0.2:2380")
		_, err := s.discovery("a", url).Join(within(t))
		full, ok := errors.AsType[*FullError](err)
		if !ok || len(full.Members) != 1 || full.Members[0].PeerURLs[0] != "http://10.0.0.2:2380" {
			t.Errorf("got %+v", err)
		}
		for _, request := range s.log() {
			if strings.HasPrefix(request, http.MethodPut) {
				t.Errorf("%s: a member too many must not register", request)
			}
		}
	})
	t.Run("registered, and complete since", func(t *testing.T) {
		s := newKeyService(t, "1")
		if _, err := s.discovery("a", url).Join(within(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.discovery("a", url).Join(within(t)); !errors.Is(err, ErrRegistered) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("registered under another name", func(t *testing.T) {
		s := newKeyService(t, "2")
		s.add(NewBootstrapMember("x", []string{url}, s.token()).ID.String(), "x="+url)
		if _, err := s.discovery("a", url).Join(within(t)); !errors.Is(err, ErrRegistered) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("not a keys API", func(t *testing.T) {
		s := newKeyService(t, "1")
		s.fail = append(s.fail, func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) })
		if _, err := s.discovery("a", url).Join(within(t)); err == nil || !strings.Contains(err.Error(), "not as a v2 keys API does") {
			t.Errorf("got %v", err)
		}
	})
}

func TestDiscoveryRetries(t *testing.T) {
	broken := func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }
	busy := func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
	t.Run("an unreachable service", func(t *testing.T) {
		s := newKeyService(t, "1")
		s.fail = []func(http.ResponseWriter){broken, busy, broken, busy}
		d := s.discovery("a", "http://10.0.0.1:2380")
		var retries atomic.Int32
		d.Retrying = func(error, time.Duration) { retries.Add(1) }
		if _, err := d.Join(within(t)); err != nil || retries.Load() < 3 {
			t.Errorf("%v after %d retries", err, retries.Load())
		}
	})
	t.Run("a registration whose answer got lost", func(t *testing.T) {
		s := newKeyService(t, "1")
		s.lose = 1
		if _, err := s.discovery("a", "http://10.0.0.1:2380").Join(within(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a member that stopped while it waited", func(t *testing.T) {
		s := newKeyService(t, "2")
		ctx, cancel := context.WithCancel(within(t))
		d := s.discovery("a", "http://10.0.0.1:2380")
		d.Waiting = func(int, int) { cancel() }
		if _, err := d.Join(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		waiting := make(chan struct{}, 10)
		d.Waiting = func(int, int) { waiting <- struct{}{} }
		again := join(t, d)
		<-waiting
		other := join(t, s.discovery("b", "http://10.0.0.2:2380"))
		if j := <-again; j.err != nil {
			t.Error(j.err)
		}
		if j := <-other; j.err != nil {
			t.Error(j.err)
		}
	})
	t.Run("pauses grow to their bound", func(t *testing.T) {
		s := newKeyService(t, "1")
		ctx, cancel := context.WithCancel(within(t))
		d := s.discovery("a", "http://10.0.0.1:2380")
		var pauses []time.Duration
		d.Retrying = func(_ error, pause time.Duration) {
			if pauses = append(pauses, pause); len(pauses) == 6 {
				cancel()
			}
		}
		for range 10 {
			s.fail = append(s.fail, busy)
		}
		if _, err := d.Join(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		for i, least := range []time.Duration{1, 2, 4, 4, 4, 4} {
			if p := pauses[i]; p < least*time.Millisecond || p > 2*least*time.Millisecond {
				t.Errorf("pause %d is %v, want %v and a little", i, p, least*time.Millisecond)
			}
		}
	})
	t.Run("passwords stay secret", func(t *testing.T) {
		s := newKeyService(t, "")
		d := s.discovery("a", "http://10.0.0.1:2380")
		d.URL = strings.Replace(d.URL, "http://", "http://user:secret@", 1)
		if _, err := d.Join(within(t)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v", err)
		}
	})
}
