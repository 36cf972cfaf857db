package faulttest

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// What a client that waits at a proxy gets when its member or the proxy goes away.
const (
	goesOn = "goes on" // it sees the next change
	ends   = "ends"    // with exit code 0, as after an event
	fails  = "fails"   // with another exit code
)

// proxyEnds has the expected results of real clients, at a proxy of Pando and at one of the reference. docs/differences.md has the
// same table.
var proxyEnds = []struct {
	event string
	// The results of a long poll and of a stream: once for curl and httpie, again for etcdctl, which repeats a request after an empty
	// answer.
	once, again string
	// The results of a client that has got half of its answer, at each proxy.
	half, halfReference string
}{
	{"the member is killed", ends, goesOn, fails, ends},
	{"the member shuts down", ends, goesOn, fails, ends},
	{"--proxy-read-timeout passes", ends, goesOn, "", ""},
	{"the proxy shuts down", fails, fails, fails, fails},
}

// waitingClients are commands that wait at $P for the key /k. Those of etcdctl repeat a request after an empty answer.
var waitingClients = map[string]struct{ command, repeats string }{
	"curl, long poll":     {`exec curl -sS "$P/v2/keys/k?wait=true"`, ""},
	"curl, stream":        {`exec curl -sSN "$P/v2/keys/k?wait=true&stream=true"`, ""},
	"httpie, long poll":   {`exec http --ignore-stdin --body "$P/v2/keys/k?wait=true"`, ""},
	"httpie, stream":      {`exec http --ignore-stdin --stream --body "$P/v2/keys/k?wait=true&stream=true"`, ""},
	"etcdctl watch":       {`exec etcdctl --no-sync --endpoints "$P" watch /k`, "yes"},
	"etcdctl exec-watch":  {`exec etcdctl --no-sync --endpoints "$P" exec-watch "$E" /k`, "yes"},
	"etcdctl watch, ever": {`exec etcdctl --no-sync --endpoints "$P" watch --forever /k`, "yes"},
}

// ending is a cluster with a proxy, and clients that wait there.
type ending struct {
	t       *testing.T
	front   *servertest.Process
	members []*servertest.Process
	clients map[string]*servertest.Process
	half    *servertest.Process // reads a large answer slowly
}

// beginEnding starts a cluster and a proxy, and the clients, which all wait at one member.
func beginEnding(t *testing.T, start servertest.Launcher, proxyFlags ...string) *ending {
	t.Helper()
	e := &ending{t: t, clients: map[string]*servertest.Process{}}
	all := servertest.NewMembers(t, "ash", "elm", "oak")
	for _, s := range all {
		e.members = append(e.members, start(s, t, "--initial-cluster", servertest.InitialCluster(all)))
	}
	servertest.AwaitPublished(t, e.members[0].Client, len(all))
	place := servertest.NewMembers(t, "front")[0]
	e.front = start(place, t, append([]string{"--initial-cluster", servertest.InitialCluster(all), "--proxy", "on"}, proxyFlags...)...)
	servertest.Await(t, "the proxy to find the members", func() bool {
		answer, err := http.Get(e.front.Client + "/v2/config/local/proxy")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return strings.Count(e.front.Get("/v2/config/local/proxy"), "http://") == len(all)
	})
	client := servertest.NewKeyClient(t, e.front.Client)
	// An answer of 72 MB, because each of these characters has six bytes in JSON. The buffers of the connections take up to 20 MB of it.
	for i := range 40 {
		client.Must(t, http.MethodPut, "/large/"+servertest.Itoa(i), servertest.Form("value", strings.Repeat("<", 300_000)))
	}
	script := filepath.Join(t.TempDir(), "event")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$ETCD_WATCH_VALUE\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := func(command string) *servertest.Process {
		return servertest.StartCommand(t, exec.Command("sh", "-c", command),
			"P="+e.front.Client, "E="+script, "ETCDCTL_API=2", "HOME="+t.TempDir())
	}
	for name, c := range waitingClients {
		e.clients[name] = shell(c.command)
	}
	return e
}

// watchers returns the number of watchers of a member, or 0 if the member has ended.
func watchers(p *servertest.Process) int {
	answer, err := http.Get(p.Client + "/v2/stats/store")
	if err != nil {
		return 0
	}
	answer.Body.Close()
	_, rest, _ := strings.Cut(p.Get("/v2/stats/store"), `"watchers":`)
	text, _, _ := strings.Cut(rest, "}")
	return int(servertest.Atoi(p.T, text))
}

// serving waits until all clients watch at one member, and returns that member. It returns nil if a client has ended before.
func (e *ending) serving() *servertest.Process {
	e.t.Helper()
	var at *servertest.Process
	ended := false
	servertest.Await(e.t, "the clients to wait at one member", func() bool {
		for _, m := range e.members {
			if watchers(m) == len(waitingClients) {
				at = m
			}
		}
		for _, c := range e.clients {
			select {
			case <-c.Exited:
				ended = true
			default:
			}
		}
		return at != nil || ended
	})
	return at
}

// readSlowly starts a client that reads a large answer slowly, and returns when the first part has arrived.
func (e *ending) readSlowly() {
	e.t.Helper()
	curl := exec.Command("sh", "-c", `exec curl -sSN --limit-rate 3M "$P/v2/keys/large?recursive=true"`)
	e.half = servertest.StartCommand(e.t, curl, "P="+e.front.Client)
	servertest.Await(e.t, "the answer to begin", func() bool { return len(e.half.Stdout.String()) > 0 })
}

// outcome waits for the end of a client.
func outcome(p *servertest.Process) string {
	if p.AwaitExit() == 0 {
		return ends
	}
	return fails
}

// outcomes returns the result of each client after an event, which happens while all of them wait at one member.
func (e *ending) outcomes(event string, at *servertest.Process) (seen map[string]string, half string) {
	e.t.Helper()
	if event != "--proxy-read-timeout passes" {
		e.readSlowly()
	}
	rest := e.members[0]
	if rest == at {
		rest = e.members[1]
	}
	switch event {
	case "the member is killed":
		at.Kill()
	case "the member shuts down":
		at.Terminate()
	case "the proxy shuts down":
		e.front.Terminate()
	}
	seen = map[string]string{}
	for name, c := range waitingClients {
		if c.repeats == "" || event == "the proxy shuts down" {
			seen[name] = outcome(e.clients[name])
		}
	}
	if e.half != nil {
		half = outcome(e.half)
	}
	client, n := servertest.NewKeyClient(e.t, rest.Client), 0
	for name, p := range e.clients {
		if seen[name] != "" {
			continue
		}
		servertest.Await(e.t, name+" to see a change, or to end", func() bool {
			n++
			_, _ = client.Do(http.MethodPut, "/k", servertest.Form("value", "change-"+servertest.Itoa(n))) // fails while a leader is missing
			select {
			case <-p.Exited:
				seen[name] = outcome(p)
			default:
			}
			if strings.Contains(p.Stdout.String(), "change-") {
				seen[name] = goesOn
			}
			return seen[name] != ""
		})
	}
	return seen, half
}

// TestProxyEnds compares how responses end at a proxy of Pando and at a proxy of etcd.
func TestProxyEnds(t *testing.T) {
	servertest.SkipShort(t, "it starts eight clusters")
	t.Parallel()
	for program, debianPackage := range map[string]string{"curl": "curl", "http": "httpie", "etcdctl": "etcd-client"} {
		servertest.RequireProgram(t, program, debianPackage)
	}
	for _, row := range proxyEnds {
		t.Run(row.event, func(t *testing.T) {
			t.Parallel()
			t.Run("Pando", func(t *testing.T) {
				t.Parallel()
				compareEnds(t, row.event, row.once, row.again, row.half, servertest.Member.StartPando)
			})
			t.Run("the reference", func(t *testing.T) {
				servertest.RequireEtcd(t)
				t.Parallel()
				compareEnds(t, row.event, row.once, row.again, row.halfReference, servertest.Member.StartEtcd)
			})
		})
	}
}

// compareEnds compares the results of clients at a proxy with the expected ones.
func compareEnds(t *testing.T, event, once, again, half string, start servertest.Launcher) {
	var e *ending
	var at *servertest.Process
	if event == "--proxy-read-timeout passes" {
		for _, timeout := range []string{"10000", "45000"} { // on a busy machine the last client starts late
			e = beginEnding(t, start, "--proxy-read-timeout", timeout)
			if at = e.serving(); at != nil {
				break
			}
		}
	} else {
		e = beginEnding(t, start)
		at = e.serving()
	}
	if at == nil {
		t.Fatal("a client has ended before all were waiting")
	}
	seen, seenHalf := e.outcomes(event, at)
	for name, c := range waitingClients {
		want := once
		if c.repeats != "" {
			want = again
		}
		if seen[name] != want {
			t.Errorf("%s %s, want %s", name, seen[name], want)
		}
	}
	if seenHalf != half {
		t.Errorf("a half answer %s, want %s", seenHalf, half)
	}
}
