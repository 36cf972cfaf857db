package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// These tests check users and roles on several members, through a proxy, and over restarts.

// authReply is a response as these tests compare it.
type authReply struct {
	status int
	body   string
}

// sendAs sends a request with a login, which is "name:password" or empty.
func sendAs(t *testing.T, login, method, url, body string) authReply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(url, "/v2/keys") && body != "" {
		r.Header.Set("Content-Type", transcriptFormType)
	}
	if login != "" {
		name, password, _ := strings.Cut(login, ":")
		r.SetBasicAuth(name, password)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return authReply{response.StatusCode, string(text)}
}

// mustAs is sendAs for a request that must not be refused. It returns the body of the response.
func mustAs(t *testing.T, login, method, url, body string) string {
	t.Helper()
	got := sendAs(t, login, method, url, body)
	if got.status >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s", method, url, got.status, got.body)
	}
	return got.body
}

// expectAs is sendAs for a request whose response must have the status want.
func expectAs(t *testing.T, want int, login, method, url, body string) authReply {
	t.Helper()
	got := sendAs(t, login, method, url, body)
	if got.status != want {
		t.Errorf("%s %s by %q: %d, want %d: %s", method, url, login, got.status, want, got.body)
	}
	return got
}

// makeUsers makes the users root and alice, and enables auth. alice may read and write below /app; a guest may do nothing.
func makeUsers(t *testing.T, url string) {
	t.Helper()
	for _, put := range []struct{ path, body string }{
		{"/users/root", `{"user":"root","password":"` + rootPassword + `"}`},
		{"/users/alice", `{"user":"alice","password":"` + alicePassword + `","roles":["app"]}`},
		{"/roles/app", `{"role":"app","permissions":{"kv":{"read":["/app*"],"write":["/app*"]}}}`},
		{"/roles/guest", `{"role":"guest"}`},
		{"/enable", ""},
	} {
		mustAs(t, "", "PUT", url+"/v2/auth"+put.path, put.body)
	}
}

// The passwords. No other text in the files of a member contains them.
const (
	rootPassword  = "Quartz-Nimbus-81"
	alicePassword = "Velvet-Harbor-27"
	asRoot        = "root:" + rootPassword
	asAlice       = "alice:" + alicePassword
)

// TestAuthCluster uses users and roles on three members and through a proxy.
func TestAuthCluster(t *testing.T) {
	t.Parallel()
	all := servertest.NewMembers(t, "one", "two", "three", "front")
	front, all := all[3], all[:3]
	running := servertest.LaunchCluster(t, all, "--max-failed-logins", "0") // many logins with old passwords fail
	proxy := front.StartPando(t, "--initial-cluster", servertest.InitialCluster(all), "--proxy", "on", "--proxy-refresh-interval", "200")
	proxy.AwaitServing()
	servertest.Await(t, "the proxy to find the members", func() bool {
		return strings.Count(proxy.Get("/v2/config/local/proxy"), "http://") == len(all)
	})
	makeUsers(t, proxy.Client)
	urls := []string{proxy.Client}
	for _, p := range running {
		urls = append(urls, p.Client)
	}
	t.Run("rights", func(t *testing.T) { checkRights(t, urls) })
	t.Run("acknowledged changes are read", func(t *testing.T) { checkReadYourWrites(t, urls) })
	t.Run("watch", func(t *testing.T) {
		for _, url := range urls {
			checkWatchEnds(t, url)
		}
	})
	t.Run("killed", func(t *testing.T) {
		running[2].Kill()
		again := all[2].StartPando(t, "--initial-cluster", servertest.InitialCluster(all))
		again.AwaitServing()
		checkRights(t, []string{again.Client})
	})
}

// checkRights checks what root, alice and others may do on each of the servers.
func checkRights(t *testing.T, urls []string) {
	t.Helper()
	for _, url := range urls {
		expectAs(t, 401, "", "PUT", url+"/v2/keys/app/one", "value=0")
		expectAs(t, 401, "alice:wrong", "PUT", url+"/v2/keys/app/one", "value=0")
		expectAs(t, 401, "none:"+alicePassword, "GET", url+"/v2/keys/app/one", "")
		mustAs(t, asAlice, "PUT", url+"/v2/keys/app/one", "value=1")
		expectAs(t, 200, asAlice, "GET", url+"/v2/keys/app?recursive=true&quorum=true", "")
		expectAs(t, 401, asAlice, "GET", url+"/v2/keys/other", "")
		expectAs(t, 401, asAlice, "GET", url+"/v2/auth/users", "")
		expectAs(t, 401, asAlice, "DELETE", url+"/v2/members/1234", "")
		expectAs(t, 404, asRoot, "GET", url+"/v2/keys/other", "")
		expectAs(t, 200, asRoot, "GET", url+"/v2/auth/users/alice", "")
		expectAs(t, 200, "", "GET", url+"/v2/members", "")
	}
}

// checkReadYourWrites checks that each server shows a change of users at once when another one has acknowledged it.
func checkReadYourWrites(t *testing.T, urls []string) {
	t.Helper()
	for i := range 20 {
		name := fmt.Sprintf("user%d", i)
		writer, reader := urls[i%len(urls)], urls[(i+1+i/len(urls))%len(urls)]
		expectAs(t, 201, asRoot, "PUT", writer+"/v2/auth/users/"+name, `{"user":"`+name+`","password":"x"}`)
		expectAs(t, 200, asRoot, "GET", reader+"/v2/auth/users/"+name, "")
		expectAs(t, 200, asRoot, "PUT", writer+"/v2/auth/users/"+name, `{"user":"`+name+`","grant":["app"]}`)
		if got := expectAs(t, 200, asRoot, "GET", reader+"/v2/auth/users/"+name, ""); !strings.Contains(got.body, `"role":"app"`) {
			t.Errorf("%s does not show the grant: %s", reader, got.body)
		}
		expectAs(t, 200, name+":x", "GET", reader+"/v2/keys/app/one?quorum=true", "")
		expectAs(t, 200, asRoot, "DELETE", writer+"/v2/auth/users/"+name, "")
		expectAs(t, 401, name+":x", "GET", reader+"/v2/keys/app/one?quorum=true", "")
	}
}

// checkWatchEnds checks that a watch delivers events, and ends when its user is deleted.
func checkWatchEnds(t *testing.T, url string) {
	t.Helper()
	expectAs(t, 201, asRoot, "PUT", url+"/v2/auth/users/watcher", `{"user":"watcher","password":"x"}`)
	expectAs(t, 200, asRoot, "PUT", url+"/v2/auth/users/watcher", `{"user":"watcher","grant":["app"]}`)
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/v2/keys/app?wait=true&recursive=true&stream=true&quorum=false", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("watcher", "x")
	var response *http.Response
	servertest.Await(t, "the watcher to have its right", func() bool { // the member that serves the watch may lag
		if response, err = http.DefaultClient.Do(r); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != 200 {
			response.Body.Close()
		}
		return response.StatusCode == 200
	})
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	expectAs(t, 200, asAlice, "PUT", url+"/v2/keys/app/one", "value=seen")
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, `"value":"seen"`) {
		t.Errorf("the watch through %s: %q (error: %v)", url, line, err)
	}
	expectAs(t, 200, asRoot, "DELETE", url+"/v2/auth/users/watcher", "")
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), `"errorCode":110`) {
		t.Errorf("the end of the watch through %s: %q (error: %v)", url, rest, err)
	}
}

// TestAuthSurvives checks that users, roles and the auth switch are kept when a member is killed, and by a snapshot.
func TestAuthSurvives(t *testing.T) {
	t.Parallel()
	place := servertest.NewMembers(t, "default")[0]
	p := place.StartPando(t)
	p.AwaitServing()
	makeUsers(t, p.Client)
	before := expectAs(t, 200, asRoot, "GET", p.Client+"/v2/auth/users", "")
	roles := expectAs(t, 200, asRoot, "GET", p.Client+"/v2/auth/roles", "")
	check := func(t *testing.T, url string) {
		t.Helper()
		checkRights(t, []string{url})
		if got := expectAs(t, 200, asRoot, "GET", url+"/v2/auth/users", ""); got != before {
			t.Errorf("the users are %s, want %s", got.body, before.body)
		}
		if got := expectAs(t, 200, asRoot, "GET", url+"/v2/auth/roles", ""); got != roles {
			t.Errorf("the roles are %s, want %s", got.body, roles.body)
		}
	}
	p.Kill()
	p = place.StartPando(t)
	p.AwaitServing()
	t.Run("killed", func(t *testing.T) { check(t, p.Client) })

	expectAs(t, 401, "", "GET", p.Client+"/v2/snapshot", "")
	snapshot := expectAs(t, 200, asRoot, "GET", p.Client+"/v2/snapshot", "")
	file := filepath.Join(t.TempDir(), "snapshot")
	if err := os.WriteFile(file, []byte(snapshot.body), 0o600); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	restore := servertest.StartCommand(t, exec.Command(os.Args[0], "snapshot", "restore", file, "--data-dir", restored))
	if code := restore.AwaitExit(); code != 0 {
		t.Fatalf("restore: exit code %d: %s", code, restore.Stderr)
	}
	t.Run("restored", func(t *testing.T) { check(t, servertest.Launch(t, restored).Client) })
}
