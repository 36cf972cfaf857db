package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
	"pando/storage/etcdv2"
)

// etcd37 is the directory of etcd 3.7, or empty. It is read before the tests begin, which see no settings of the environment.
var etcd37 = os.Getenv("PANDO_ETCD37")

// keysCorpus is a server with data of v3.
type keysCorpus struct {
	t     *testing.T
	base  string
	token string // of a user; empty while auth is disabled
}

// try sends a request of the v3 API in JSON. Keys, values and ranges are of the type []byte. It returns an error for the answer that the
// request was refused.
func (c *keysCorpus) try(path string, fields map[string]any) (map[string]any, error) {
	c.t.Helper()
	body, err := json.Marshal(fields)
	if fields == nil {
		body = []byte("{}")
	}
	if err != nil {
		c.t.Fatal(err)
	}
	request, err := http.NewRequest("POST", c.base+"/v3/"+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		request.Header.Set("Authorization", c.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		c.t.Fatalf("%s %s: %v", path, body, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s %v", path, body, response.Status, answer)
	}
	return answer, nil
}

// do is try for a request that must not be refused. It returns the answer without the header.
func (c *keysCorpus) do(path string, fields map[string]any) map[string]any {
	c.t.Helper()
	answer, err := c.try(path, fields)
	if err != nil {
		c.t.Fatal(err)
	}
	delete(answer, "header")
	return answer
}

// logIn makes the requests those of a user.
func (c *keysCorpus) logIn(name string) {
	c.t.Helper()
	c.token = c.do("auth/authenticate", map[string]any{"name": name, "password": name + "s"})["token"].(string)
}

func (c *keysCorpus) put(key, value string, lease int) {
	c.t.Helper()
	c.do("kv/put", map[string]any{"key": []byte(key), "value": []byte(value), "lease": lease})
}

func (c *keysCorpus) revision() int64 {
	c.t.Helper()
	answer, err := c.try("kv/range", map[string]any{"key": []byte("x")})
	if err != nil {
		c.t.Fatal(err)
	}
	return servertest.Atoi(c.t, answer["header"].(map[string]any)["revision"].(string))
}

// fill makes every kind of change. It ends with a compaction.
func (c *keysCorpus) fill() {
	for i := range 3 {
		c.put(fmt.Sprintf("/dir/%d", i), "value", 0)
		c.put(fmt.Sprintf("plain%d", i), "value", 0)
	}
	c.put("/dir", "beside the directory", 0)
	c.put("/dir/", "plain", 0)
	c.put("\x00\xff", "binary \x00\xff", 0)
	c.put("/large", strings.Repeat("large ", 10_000), 0)
	for _, lease := range []int{7, 8} {
		c.do("lease/grant", map[string]any{"ID": lease, "TTL": 1000 * lease})
		c.put(fmt.Sprintf("/leased/%d/a", lease), "a", lease)
		c.put(fmt.Sprintf("/leased/%d/b", lease), "b", lease)
	}
	c.put("/dir/1", "changed", 0)
	c.do("kv/deleterange", map[string]any{"key": []byte("/dir/2")})
	put := func(key string) map[string]any {
		return map[string]any{"requestPut": map[string]any{"key": []byte(key), "value": []byte("txn")}}
	}
	compare := func(version int) []any {
		return []any{map[string]any{"key": []byte("/dir/1"), "target": "VERSION", "version": version}}
	}
	remove := map[string]any{"requestDeleteRange": map[string]any{"key": []byte("plain0"), "range_end": []byte("plain2"), "prev_kv": true}}
	c.do("kv/txn", map[string]any{"compare": compare(2), "success": []any{put("/txn/1"), put("/txn/2"), remove}})
	c.do("kv/txn", map[string]any{"compare": compare(9), "success": []any{put("/never")}, "failure": []any{put("/txn/1"), put("plain1")}})
	c.do("kv/compaction", map[string]any{"revision": c.revision() - 2, "physical": true})
}

// fillUsers makes users and roles, and enables auth.
func (c *keysCorpus) fillUsers() {
	c.do("auth/role/add", map[string]any{"name": "reader"})
	c.do("auth/role/add", map[string]any{"name": "root"})
	c.do("auth/role/grant", map[string]any{
		"name": "reader", "perm": map[string]any{"permType": "READWRITE", "key": []byte("/dir/"), "range_end": []byte("/dir0")},
	})
	for user, role := range map[string]string{"root": "root", "alice": "reader"} {
		c.do("auth/user/add", map[string]any{"name": user, "password": user + "s"})
		c.do("auth/user/grant", map[string]any{"user": user, "role": role})
	}
	c.do("auth/enable", nil)
}

// fillMore makes changes that the file of a killed server lacks, and some that are refused. The compaction before them, whose revision it
// returns, writes the file.
func (c *keysCorpus) fillMore() (compacted int64) {
	c.logIn("root")
	compacted = c.revision() - 1
	c.do("kv/compaction", map[string]any{"revision": compacted, "physical": true})
	c.logIn("alice")
	c.put("/dir/2", "again", 0)
	if _, err := c.try("kv/put", map[string]any{"key": []byte("/refused")}); err == nil {
		c.t.Error("alice was not refused")
	}
	c.logIn("root")
	if _, err := c.try("kv/put", map[string]any{"key": []byte("/refused"), "lease": 99}); err == nil {
		c.t.Error("a put with a missing lease was not refused")
	}
	c.do("lease/revoke", map[string]any{"ID": 7})
	c.do("lease/grant", map[string]any{"ID": 9, "TTL": 100})
	c.put("/leased/8/b", "moved", 9)
	c.do("kv/deleterange", map[string]any{"key": []byte("/txn/"), "range_end": []byte("/txn0")})
	return compacted
}

// observe asks for everything that clients can see, also in the past.
func (c *keysCorpus) observe(compacted int64) map[string]any {
	all := map[string]any{}
	for r := compacted; r <= c.revision(); r++ {
		all[fmt.Sprint("revision ", r)] = c.do("kv/range", map[string]any{"key": []byte{0}, "range_end": []byte{0}, "revision": r})
	}
	for _, lease := range []int{8, 9} {
		answer := c.do("lease/timetolive", map[string]any{"ID": lease, "keys": true})
		delete(answer, "TTL") // a moved lease has its whole time
		all[fmt.Sprint("lease ", lease)] = answer
	}
	for _, path := range []string{"auth/user/list", "auth/role/list"} {
		all[path] = c.do(path, nil)
	}
	all["role"] = c.do("auth/role/get", map[string]any{"role": "reader"})
	for _, user := range []string{"root", "alice"} {
		all["user "+user] = c.do("auth/user/get", map[string]any{"name": user})
	}
	leases := c.do("lease/leases", nil)["leases"].([]any)
	slices.SortFunc(leases, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	all["leases"] = leases
	return all
}

// startKeys starts the etcd of a program, with data of v3 that it does not write to its file before it is asked to. It returns a snapshot.
func startKeys(t *testing.T, program string) (c *keysCorpus, m servertest.Member, p *servertest.Process, snapshot string) {
	m = servertest.NewMembers(t, "default")[0]
	flags := m.Flags("--initial-cluster", servertest.InitialCluster([]servertest.Member{m}), "--backend-batch-interval", "1h")
	p = m.StartCommand(t, exec.Command(program, flags...))
	awaitVersion(t, m.ClientURL())
	c = &keysCorpus{t: t, base: m.ClientURL()}
	c.fill()
	snapshot = filepath.Join(t.TempDir(), "snapshot.db")
	runV3(t, &corpus{KeyClient: servertest.NewKeyClient(t, m.ClientURL())}, "snapshot", "save", snapshot)
	return c, m, p, snapshot
}

// TestImportKeys imports the directory of a killed etcd, whose file lacks the last requests, and a snapshot.
func TestImportKeys(t *testing.T) {
	servertest.SkipShort(t, "it starts three servers")
	t.Parallel()
	programs := map[string]string{"3.4": servertest.RequireEtcd(t)}
	if etcd37 != "" {
		programs["3.7"] = filepath.Join(etcd37, "etcd")
	}
	for version, program := range programs {
		t.Run(version, func(t *testing.T) { testImportKeys(t, program) })
	}
}

func testImportKeys(t *testing.T, program string) {
	c, m, p, snapshot := startKeys(t, program)
	atSnapshot := c.revision()
	c.fillUsers()
	compacted := c.fillMore()
	want := c.observe(compacted)
	p.Kill()

	target := filepath.Join(t.TempDir(), "new")
	before := fileStates(t, m.DataDir)
	report := mustPando(t, "import-etcd", m.DataDir, "--data-dir", target)
	if fileStates(t, m.DataDir) != before {
		t.Error("the source has changed")
	}
	for _, line := range []string{
		fmt.Sprintf("v3 revision    %d (compacted at %d)", atSnapshot+4, compacted), "v3 leases      2, with 2 keys",
		"users, roles   2, 1 (auth is enabled)",
	} {
		if !strings.Contains(report, line) {
			t.Errorf("%q is not in the report:\n%s", line, report)
		}
	}
	if program == servertest.RequireEtcd(t) && !strings.Contains(report, "the log after it") { // etcd 3.7 writes its file earlier
		t.Errorf("the file of etcd has all requests: the test shows nothing about those in the log\n%s", report)
	}
	imported := &keysCorpus{t: t, base: servertest.Launch(t, target).Client}
	imported.logIn("alice")
	imported.logIn("root")
	compareKeys(t, imported.observe(compacted), want)
	again := m.StartCommand(t, exec.Command(program, m.Flags("--initial-cluster", servertest.InitialCluster([]servertest.Member{m}))...))
	awaitVersion(t, m.ClientURL())
	if got, want := hashKV(t, imported.base), hashKV(t, m.ClientURL()); got != want {
		t.Errorf("the hash of Pando is %s, that of etcd %s", got, want)
	}
	again.Kill()

	t.Run("snapshot", func(t *testing.T) {
		target := filepath.Join(t.TempDir(), "new")
		report := mustPando(t, "import-etcd", snapshot, "--data-dir", target)
		if line := fmt.Sprintf("v3 revision    %d (compacted at", atSnapshot); !strings.Contains(report, line) {
			t.Errorf("%q is not in the report:\n%s", line, report)
		}
		checkDamagedSnapshot(t, snapshot)
	})
}

// hashKV returns the hash of the history of a server, with the compact revision.
func hashKV(t *testing.T, base string) string {
	t.Helper()
	command := exec.Command(servertest.RequireProgram(t, "etcdctl", "etcd-client"),
		"--endpoints", base, "--user", "root:roots", "endpoint", "hashkv", "-w", "json")
	command.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := command.Output()
	var list []struct {
		HashKV struct {
			Hash     uint32
			Revision int64 `json:"compact_revision"`
		}
	}
	if err == nil {
		err = json.Unmarshal(out, &list)
	}
	if err != nil || len(list) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	return fmt.Sprintf("%x, compacted at %d", list[0].HashKV.Hash, list[0].HashKV.Revision)
}

// checkDamagedSnapshot imports a snapshot with a wrong checksum, and one without any.
func checkDamagedSnapshot(t *testing.T, snapshot string) {
	content, err := os.ReadFile(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(b []byte) []byte
		want   string
	}{
		"wrong": {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, "is not that of the data"},
		"none":  {func(b []byte) []byte { return b[:len(b)-32] }, "--skip-hash-check"},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, test.change(bytes.Clone(content)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := pando(t, "import-etcd", path, "--dry-run"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v", name, err)
		}
		mustPando(t, "import-etcd", path, "--dry-run", "--skip-hash-check")
	}
}

// compareKeys compares what two servers have said.
func compareKeys(t *testing.T, got, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if !reflect.DeepEqual(got[name], value) {
			a, _ := json.Marshal(got[name])
			b, _ := json.Marshal(value)
			t.Errorf("%s:\nPando %.2000s\netcd  %.2000s", name, a, b)
		}
	}
}

// TestImportBoth imports a directory with data of both APIs.
func TestImportBoth(t *testing.T) {
	servertest.SkipShort(t, "it starts two servers")
	t.Parallel()
	c, p := startCorpus(t)
	c.put(t, "/v2/key", "value", "v2")
	keys := &keysCorpus{t: t, base: c.Base}
	keys.put("/v3/key", "v3", 0)
	keys.put("/v2/beside", "v3", 0)
	p.Terminate()
	target := filepath.Join(t.TempDir(), "new")
	report := mustPando(t, "import-etcd", c.member.DataDir, "--data-dir", target)
	if !strings.Contains(report, "v3 keys        3, with those of v2") {
		t.Errorf("got\n%s", report)
	}
	server := servertest.Launch(t, target)
	imported := servertest.NewKeyClient(t, server.Client)
	v2 := imported.Must(t, "GET", "/v2/key", nil).Node
	if v2.Value != "v2" {
		t.Errorf("got %+v", v2)
	}
	first := imported.Must(t, "GET", fmt.Sprintf("/?recursive=true&wait=true&waitIndex=%d", v2.ModifiedIndex+1), nil).Node
	if first.Key != "/v3/key" {
		t.Errorf("the event after that of v2 is %+v", first)
	}
	if n := (&keysCorpus{t: t, base: server.Client}).revision(); n != 3 {
		t.Errorf("the revision is %d", n)
	}

	t.Run("one side", func(t *testing.T) {
		for api, want := range map[string]string{"v2": "the data of etcd v3 were left out", "v3": "the data of etcd v2 were left out"} {
			if out := mustPando(t, "import-etcd", c.member.DataDir, "--dry-run", "--from-api", api); !strings.Contains(out, want) {
				t.Errorf("%s: got\n%s", api, out)
			}
		}
		_, err := pando(t, "import-etcd", c.member.DataDir, "--dry-run", "--from-api", "v4")
		if err == nil || !strings.Contains(err.Error(), "both, v2 or v3") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("clash", func(t *testing.T) {
		again := c.member.StartEtcd(t, "--initial-cluster", servertest.InitialCluster([]servertest.Member{c.member}))
		awaitVersion(t, c.Base)
		(&keysCorpus{t: t, base: c.Base}).put("/v2/key/below", "v3", 0)
		again.Terminate()
		_, err := pando(t, "import-etcd", c.member.DataDir, "--dry-run")
		if text := fmt.Sprint(err); !errors.Is(err, etcdv2.ErrClash) || !strings.Contains(text, "/v2/key/below") ||
			!strings.Contains(text, "--from-api v3") {
			t.Errorf("got %v", err)
		}
	})
}
