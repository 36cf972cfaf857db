package program

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// corpusCase is a server of etcd with data.
type corpusCase struct {
	flags []string
	fill  func(t *testing.T, c *corpus)
	kill  bool // end it without a chance to clean up
	both  bool // it has data of v3, which are left out
}

// corpus is a running server that is being filled.
type corpus struct {
	*servertest.KeyClient
	member servertest.Member
	hidden []string    // keys that listings don't show
	login  [][2]string // users and passwords
	newest uint64      // where the history that is compared ends; zero for the index of the server
}

func (c *corpus) put(t *testing.T, key string, pairs ...string) *servertest.KeyAnswer {
	t.Helper()
	return c.Must(t, "PUT", key, servertest.Form(pairs...))
}

// try sends a request that may be refused.
func (c *corpus) try(t *testing.T, method, key string, pairs ...string) {
	t.Helper()
	if _, err := c.Do(method, key, servertest.Form(pairs...)); err != nil {
		t.Fatal(err)
	}
}

var corpusCases = map[string]corpusCase{
	"empty":    {fill: func(*testing.T, *corpus) {}},
	"log only": {fill: fillMixed},
	"snapshots and log": {flags: []string{"--snapshot-count", "50"}, fill: func(t *testing.T, c *corpus) {
		fillMixed(t, c)
		for i := range 230 {
			c.put(t, fmt.Sprintf("/many/%d", i%70), "value", servertest.Itoa(i))
		}
		fillMixed(t, c)
	}},
	"more events than the history": {flags: []string{"--snapshot-count", "300"}, fill: func(t *testing.T, c *corpus) {
		for i := range 1100 {
			c.put(t, fmt.Sprintf("/many/%d", i%70), "value", servertest.Itoa(i))
		}
		fillMixed(t, c)
	}},
	"auth":               {fill: fillAuth},
	"auth and snapshots": {flags: []string{"--snapshot-count", "10"}, fill: fillAuth},
	"killed":             {fill: fillMixed, kill: true},
	"killed with snapshots": {flags: []string{"--snapshot-count", "20"}, kill: true, fill: func(t *testing.T, c *corpus) {
		fillMixed(t, c)
		fillExpired(t, c)
	}},
	"expired":      {fill: fillExpired},
	"v3 beside":    {flags: []string{"--snapshot-count", "30"}, fill: fillBoth, both: true},
	"v3, log only": {fill: fillBoth, both: true},
}

// fillMixed makes every kind of change of keys, and requests that are refused.
func fillMixed(t *testing.T, c *corpus) {
	t.Helper()
	c.put(t, "/a", "value", "1")
	c.put(t, "/a", "value", "2", "ttl", "1000")
	c.put(t, "/a", "value", "3")
	c.put(t, "/dir/deep/er/key", "value", "x")
	c.put(t, "/unicode/ключ-鍵-🌳", "value", "значение <&> \" \\ \n\u2028\x7f")
	c.put(t, "/large", "value", strings.Repeat("large ", 50_000))
	c.put(t, "/empty", "value", "")
	c.try(t, "PUT", "/ttldir", "dir", "true", "ttl", "2000")
	c.put(t, "/ttldir/inside", "value", "x", "ttl", "3000")
	c.try(t, "PUT", "/ttldir?prevExist=true", "dir", "true", "ttl", "2500")
	c.put(t, "/refreshed", "value", "stays", "ttl", "1000")
	c.put(t, "/refreshed", "ttl", "5000", "refresh", "true", "prevExist", "true")
	c.put(t, "/refreshed2", "value", "stays", "ttl", "1000")
	c.put(t, "/refreshed2", "ttl", "4000", "refresh", "true")
	c.put(t, "/_hidden/one", "value", "h")
	c.put(t, "/dir/_secret", "value", "s")
	c.hidden = []string{"/_hidden", "/_hidden/one", "/dir/_secret"}
	for i := range 5 {
		c.Must(t, "POST", "/queue", servertest.Form("value", "job "+servertest.Itoa(i)))
	}
	fillCompared(t, c)
}

// fillCompared makes changes with conditions, half of which fail.
func fillCompared(t *testing.T, c *corpus) {
	t.Helper()
	c.try(t, "PUT", "/cas?prevExist=false", "value", "one")
	c.try(t, "PUT", "/cas?prevExist=false", "value", "again")
	c.put(t, "/cas?prevValue=one", "value", "two", "ttl", "9000")
	c.try(t, "PUT", "/cas?prevValue=one", "value", "never")
	index := c.Must(t, "GET", "/cas", nil).Node.ModifiedIndex
	c.put(t, fmt.Sprintf("/cas?prevIndex=%d", index), "value", "one")
	c.try(t, "PUT", fmt.Sprintf("/cas?prevIndex=%d", index), "value", "never")
	c.put(t, "/cas?prevExist=true&prevValue=one", "value", "three")
	c.put(t, "/cas?prevExist=true", "value", "one")
	c.try(t, "PUT", "/none?prevExist=true", "value", "never")
	c.try(t, "PUT", "/cas/below", "value", "never")
	c.try(t, "PUT", "/dir", "value", "never")
	c.put(t, "/gone", "value", "x")
	c.try(t, "DELETE", "/gone?prevValue=y")
	c.Must(t, "DELETE", "/gone?prevValue=x", nil)
	c.put(t, "/gone/a/b", "value", "x", "ttl", "500")
	c.try(t, "DELETE", "/gone")
	c.try(t, "DELETE", "/gone?dir=true")
	c.Must(t, "DELETE", "/gone?recursive=true", nil)
	c.try(t, "DELETE", "/")
	c.try(t, "DELETE", "/cas?prevExist=false&noValueOnSuccess=true")
	c.put(t, "/cas?noValueOnSuccess=true", "value", "one")
	c.Must(t, "GET", "/cas?quorum=true", nil)
	c.Must(t, "DELETE", "/cas?prevIndex="+servertest.Itoa(c.Must(t, "GET", "/cas", nil).Node.ModifiedIndex), nil)
}

// fillExpired waits until TTLs have ended.
func fillExpired(t *testing.T, c *corpus) {
	t.Helper()
	c.put(t, "/short/a", "value", "x", "ttl", "1")
	c.put(t, "/short/b", "value", "y", "ttl", "2")
	c.try(t, "PUT", "/shortdir", "dir", "true", "ttl", "1")
	c.put(t, "/shortdir/below", "value", "z")
	c.put(t, "/stays", "value", "z", "ttl", "100000")
	servertest.Await(t, "the TTLs to end", func() bool {
		a, err := c.Do("GET", "/short/b", nil)
		return err == nil && a.Status == http.StatusNotFound
	})
	c.put(t, "/after", "value", "x")
}

// fillAuth makes users and roles, and enables auth.
func fillAuth(t *testing.T, c *corpus) {
	t.Helper()
	c.put(t, "/before", "value", "x")
	do := func(path, body string, user ...string) {
		t.Helper()
		request, err := http.NewRequest("PUT", c.Base+"/v2/auth/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if len(user) > 0 {
			request.SetBasicAuth(user[0], user[1])
		}
		response, err := c.HTTP.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode >= 400 {
			t.Fatalf("%s: %s %s", path, response.Status, text)
		}
	}
	do("users/root", `{"user":"root","password":"secret"}`)
	do("roles/reader", `{"role":"reader","permissions":{"kv":{"read":["/open/*","/before"],"write":[]}}}`)
	do("roles/none", `{"role":"none"}`)
	do("users/alice", `{"user":"alice","password":"wonder","roles":["reader"]}`)
	do("users/bob", `{"user":"bob","password":"builder"}`)
	do("enable", "")
	do("users/bob", `{"user":"bob","grant":["reader","none"]}`, "root", "secret")
	do("roles/guest", `{"role":"guest","revoke":{"kv":{"read":[],"write":["/*"]}}}`, "root", "secret")
	c.login = [][2]string{{"root", "secret"}, {"alice", "wonder"}, {"bob", "builder"}, {"bob", "wrong"}}
}

// fillBoth writes keys of v2 and of v3.
func fillBoth(t *testing.T, c *corpus) {
	t.Helper()
	fillMixed(t, c)
	v3 := func(args ...string) { runV3(t, c, args...) }
	for i := range 12 {
		v3("put", "PUT", strings.Repeat("v", i))
		c.put(t, fmt.Sprintf("/between/%d", i), "value", servertest.Itoa(i))
	}
	v3("del", "PUT")
	v3("lease", "grant", "100")
	v3("compact", "3")
	fillCompared(t, c)
}

// runV3 runs a command of etcdctl for v3.
func runV3(t *testing.T, c *corpus, args ...string) {
	t.Helper()
	command := exec.Command(servertest.RequireProgram(t, "etcdctl", "etcd-client"), append([]string{"--endpoints", c.Base}, args...)...)
	command.Env = append(os.Environ(), "ETCDCTL_API=3")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("etcdctl %v: %v: %s", args, err, out)
	}
}

// startEtcd starts etcd as a member: that of Debian, or another version, whose program the environment names.
func startEtcd(t *testing.T, m servertest.Member, flags ...string) *servertest.Process {
	t.Helper()
	if other := os.Getenv("TEST_IMPORT_ETCD"); other != "" {
		return m.StartCommand(t, exec.Command(other, m.Flags(append(flags, "--enable-v2")...)...))
	}
	return m.StartEtcd(t, flags...)
}

// TestImportEtcd compares Pando, started from an imported directory, with what the server of etcd said before it stopped.
func TestImportEtcd(t *testing.T) {
	for name, test := range corpusCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "log only" && name != "auth and snapshots" {
				servertest.SkipShort(t, "two of the servers are enough")
			}
			m := servertest.NewMembers(t, "default")[0]
			flags := append([]string{"--initial-cluster", servertest.InitialCluster([]servertest.Member{m})}, test.flags...)
			p := startEtcd(t, m, flags...)
			awaitVersion(t, m.ClientURL())
			c := &corpus{KeyClient: servertest.NewKeyClient(t, m.ClientURL()), member: m}
			test.fill(t, c)
			want := observe(t, c)
			if test.kill {
				p.Kill()
			} else {
				p.Terminate()
			}
			if test.both {
				compareImported(t, c, want, m.DataDir, "--from-api", "v2")
			} else {
				compareImported(t, c, want, m.DataDir)
			}
		})
	}
}

// compareImported imports a directory, starts Pando with it, and compares.
func compareImported(t *testing.T, c *corpus, want observation, source string, more ...string) {
	t.Helper()
	before := fileStates(t, source)
	target := filepath.Join(t.TempDir(), "new")
	report := mustPando(t, append([]string{"import-etcd", source, "--dry-run", "--data-dir", target}, more...)...)
	if _, err := os.Stat(target); err == nil {
		t.Error("--dry-run wrote a directory")
	}
	if strings.Contains(report, "the entries after entry") {
		t.Errorf("a single member did not know that its entries were committed:\n%s", report)
	}
	if out := mustPando(t, append([]string{"import-etcd", source, "--data-dir", target}, more...)...); !strings.HasPrefix(out, report) {
		t.Errorf("the rehearsal printed\n%sand the import\n%s", report, out)
	}
	if after := fileStates(t, source); after != before {
		t.Errorf("the source has changed:\n%s\nit was\n%s", after, before)
	}
	compareRoundTrip(t, report, target)
	pando := servertest.Launch(t, target)
	imported := *c
	imported.KeyClient = servertest.NewKeyClient(t, pando.Client)
	got := observe(t, &imported)
	for name, text := range want {
		if !sameText(name, got[name], text) {
			ours, theirs := firstDifference(got[name], text)
			t.Errorf("%s:\nPando %s\netcd  %s\n%s", name, ours, theirs, report)
		}
	}
	if len(c.login) > 0 {
		return
	}
	if n := imported.Must(t, "PUT", "/new", nil).Node; n.ModifiedIndex <= uint64(servertest.Atoi(t, want["index"])) {
		t.Errorf("a write after the import has the index %d", n.ModifiedIndex)
	}
}

// firstDifference returns the first lines of two texts that differ, without their middle.
func firstDifference(a, b string) (string, string) {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < len(x)-1 && i < len(y)-1 && x[i] == y[i] {
		i++
	}
	short := func(text string) string { return text[:min(len(text), 400)] + " ... " + text[max(0, len(text)-400):] }
	return short(x[i]), short(y[i])
}

// awaitVersion waits until the version of a cluster of etcd is decided.
func awaitVersion(t *testing.T, client string) {
	t.Helper()
	servertest.Await(t, "the version of the cluster", func() bool {
		var version struct{ Etcdcluster string }
		_, err := servertest.GetJSON(client+"/version", &version)
		return err == nil && version.Etcdcluster != "" && version.Etcdcluster != "not_decided"
	})
}

// fileStates returns the names, sizes, times and checksums of all files below a directory.
func fileStates(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&all, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&all, "%x\n", sha256.Sum256(content))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
