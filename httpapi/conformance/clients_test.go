package conformance

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// These tests run widely used clients against a Pando process. Each command runs in a shell, and its output must match.

// clientStep is a shell command and a regular expression for its whole output. The command must fail if the expression begins
// with "FAIL ".
type clientStep struct{ command, want string }

// playSteps runs the steps in order. $P is the client URL of the process.
func playSteps(t *testing.T, p *servertest.Process, steps []clientStep) {
	t.Helper()
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(t.Context(), servertest.Timeout)
		command := exec.CommandContext(ctx, "sh", "-c", step.command)
		command.Env = append(servertest.Environment(), "P="+p.Client, "ETCDCTL_API=2", "ETCDCTL_ENDPOINTS="+p.Client, "HOME="+t.TempDir())
		command.WaitDelay = time.Second // processes that the command started may keep its output open
		out, err := command.CombinedOutput()
		cancel()
		want, fails := strings.CutPrefix(step.want, "FAIL ")
		if failed := errors.As(err, new(*exec.ExitError)); failed != fails || err != nil && !failed {
			t.Errorf("%s: %v\n%s", step.command, err, out)
		}
		if !regexp.MustCompile(`^(?s:` + want + `)\s*$`).Match(out) {
			t.Errorf("%s\nprinted %s\nwant    %s", step.command, out, want)
		}
	}
}

// etcdctlSteps are common commands of the v2 client etcdctl.
var etcdctlSteps = []clientStep{
	{"etcdctl cluster-health", `member [0-9a-f]+ is healthy: got healthy result from \S+\ncluster is healthy`},
	{"etcdctl member list", `[0-9a-f]+: name=default peerURLs=\S+ clientURLs=\S+ isLeader=true`},
	{"etcdctl set /a/b one", `one`},
	{"etcdctl get /a/b", `one`},
	{"etcdctl -o extended get /a/b", `Key: /a/b\nCreated-Index: \d+\nModified-Index: \d+\nTTL: 0\nIndex: \d+\n\none`},
	{
		"etcdctl -o json get /a/b",
		`\{"action":"get","node":\{"key":"/a/b","value":"one","nodes":null,"createdIndex":\d+,"modifiedIndex":\d+\},"prevNode":null\}`,
	},
	{"etcdctl get /none", `FAIL Error:  100: Key not found \(/none\) \[\d+\]`},
	{"etcdctl set /a/b two --swap-with-value one", `two`},
	{"etcdctl set /a/b three --swap-with-value one", `FAIL Error:  101: Compare failed \(\[one != two\]\) \[\d+\]`},
	{"etcdctl mk /a/c new", `new`},
	{"etcdctl mk /a/c new", `FAIL Error:  105: Key already exists \(/a/c\) \[\d+\]`},
	{"etcdctl mk --in-order /q job", `job`},
	{"etcdctl update /a/c newer", `newer`},
	{"etcdctl update /none x", `FAIL Error:  100: Key not found \(/none\) \[\d+\]`},
	{"etcdctl mkdir /d", ``},
	{"etcdctl mkdir /d", `FAIL Error:  105: Key already exists \(/d\) \[\d+\]`},
	{"etcdctl setdir /d/e --ttl 1000", ``},
	{"etcdctl updatedir /d/e --ttl 2000", ``},
	{"etcdctl ls /", `/a\n/d\n/q`},
	{"etcdctl ls -r -p /a", `/a/b\n/a/c`},
	{"etcdctl ls --sort -r /d", `/d/e`},
	{"etcdctl rmdir /d", `FAIL Error:  108: Directory not empty \(/d\) \[\d+\]`},
	{"etcdctl rmdir /d/e", ``},
	{"etcdctl rm /d --dir", ``},
	{"etcdctl rm /a/b --with-value one", `FAIL Error:  101: Compare failed \(\[one != two\]\) \[\d+\]`},
	{"etcdctl rm /a/b --with-value two", ``},
	{
		"(etcdctl watch /w & pid=$!; i=0; while [ $i -lt 300 ] && kill -0 $pid 2>/dev/null; " +
			"do etcdctl set /w seen >/dev/null; i=$((i+1)); done; " +
			"wait $pid)",
		`seen`,
	},
	{"etcdctl set /e x --ttl 1000", `x`},
	{
		"etcdctl exec-watch --after-index 1 -r /e -- sh -c 'echo $ETCD_WATCH_ACTION $ETCD_WATCH_KEY $ETCD_WATCH_VALUE; kill -9 $PPID' || true",
		`(?:Killed\n)?set /e x(?:\nKilled)?`,
	},
	{"etcdctl rm /a --recursive", ``},
	{"etcdctl member add other not-a-url", `FAIL .*`},
	{"etcdctl member remove ffff", `FAIL Couldn't find a member in the cluster with an ID of ffff\.`},
	{"printf 'from stdin' | etcdctl set /s", `from stdin`},
}

func TestClientEtcdctl(t *testing.T) {
	servertest.RequireProgram(t, "etcdctl", "etcd-client")
	playSteps(t, launchAdvertised(t), etcdctlSteps)
}

// launchAdvertised starts a server that advertises the URL on which it listens. Some clients read it from the list of members.
func launchAdvertised(t *testing.T) *servertest.Process {
	t.Helper()
	return servertest.LaunchCluster(t, servertest.NewMembers(t, "default"))[0]
}

// keyBody returns the expression for a response with a node.
func keyBody(action, rest string) string {
	return fmt.Sprintf(`\{"action":"%s","node":\{%s,"modifiedIndex":\d+,"createdIndex":\d+\}\}`, action, rest)
}

func TestClientCurl(t *testing.T) {
	servertest.RequireProgram(t, "curl", "curl")
	p := launchAdvertised(t)
	playSteps(t, p, []clientStep{
		{`curl -s $P/v2/keys/a -XPUT -d value=one`, keyBody("set", `"key":"/a","value":"one"`)},
		{`curl -s -L $P/v2/keys/a`, keyBody("get", `"key":"/a","value":"one"`)},
		{`curl -s -o /dev/null -w '%{http_code} %{content_type}' $P/v2/keys/none`, `404 application/json`},
		{`curl -s $P/v2/keys/a -XPUT --data-urlencode 'value=a b+c&é' -d ttl=1000`, `.*"value":"a b\+c\\u0026é".*"ttl":1000.*`},
		{`curl -s $P/v2/keys/q -XPOST -d value=job`, keyBody("create", `"key":"/q/\d{20}","value":"job"`)},
		{`curl -s "$P/v2/keys/q?recursive=true&sorted=true"`, `\{"action":"get","node":\{"key":"/q","dir":true,"nodes":\[.*\].*`},
		{`curl -s "$P/v2/keys/q?recursive=true" -XDELETE`, `\{"action":"delete".*`},
		{
			`curl -sI $P/v2/keys/a | tr -d '\r' | grep -c -E '^(X-Etcd-Index: [0-9]+|X-Raft-Index: [0-9]+|X-Raft-Term: [0-9]+` +
				`|X-Etcd-Cluster-Id: [0-9a-f]+|Content-Type: application/json)$'`,
			`5`,
		},
		{`curl -s --http1.0 $P/v2/keys/a`, `\{"action":"get".*`},
		{`curl -s --http2 $P/version`, `\{"etcdserver":".*`}, // curl asks for an upgrade to HTTP/2, which the server ignores
		{`curl -s -H 'Transfer-Encoding: chunked' $P/v2/keys/c -XPUT -d value=chunks`, keyBody("set", `"key":"/c","value":"chunks"`)},
		{
			`head -c 1048570 /dev/zero | tr '\0' x | sed 's/^/value=/' | curl -s -o /dev/null ` +
				`-w '%{http_code}' -H 'Expect: 100-continue' $P/v2/keys/big -XPUT --data-binary @-`,
			`201`,
		},
		{`curl -s $P/v2/keys/big | wc -c`, `10486\d\d`},
		{`curl -s "$P/v2/keys/a?wait=true&waitIndex=2"`, `\{"action":"set","node":\{"key":"/a".*`},
		{`curl -s --max-time 0.3 "$P/v2/keys/a?wait=true"`, `FAIL `},
		{`curl -s $P/v2/members -H 'Content-Type: application/json' -XPOST -d '{"peerURLs":["x"]}'`, `\{"message":".*"\}`},
		{`curl -s $P/v2/keys/a -XPUT -d value=two -s $P/v2/keys/b -w ' '`, `.*"value":"two".* .*`},
		{`curl -sL --post301 $P/v2/keys//a/../d -XPUT -d value=moved`, keyBody("set", `"key":"/d","value":"moved"`)},
		{`curl -s $P/health $P/v2/machines`, `\{"health":"true"\}http://.*`},
	})
}

func TestClientHttpie(t *testing.T) {
	servertest.SkipShort(t, "TestClientCurl sends requests like these")
	servertest.RequireProgram(t, "http", "httpie")
	t.Parallel()
	playSteps(t, launchAdvertised(t), []clientStep{
		{
			`http --ignore-stdin -b --pretty=none --form PUT $P/v2/keys/a value=one ttl=1000`,
			`\{"action":"set","node":\{"key":"/a","value":"one","expiration":"[^"]+","ttl":1000,.*\}`,
		},
		{
			`http --ignore-stdin -b --pretty=none $P/v2/keys/ recursive==true sorted==true`,
			`\{"action":"get","node":\{"dir":true,"nodes":\[\{"key":"/a".*`,
		},
		{
			`http --ignore-stdin -h --pretty=none GET $P/v2/keys/none`,
			`HTTP/1.1 404 Not Found\r\n.*X-Etcd-Cluster-Id: [0-9a-f]+\r\nX-Etcd-Index: \d+.*`,
		},
		{
			`http --ignore-stdin --check-status -b --pretty=none DELETE $P/v2/keys/a prevValue==two`,
			`FAIL .*\{"errorCode":101,"message":"Compare failed","cause":"\[two != one\]","index":\d+\}.*`,
		},
		{`http --ignore-stdin -b --pretty=none DELETE $P/v2/keys/a prevValue==one`, `\{"action":"compareAndDelete".*`},
		{`http --ignore-stdin -b --pretty=none POST $P/v2/members peerURLs:='["x"]'`, `\{"message":".*"\}`},
		{`http --ignore-stdin -b --pretty=none $P/v2/members`, `\{"members":\[\{"id":"[0-9a-f]+".*`},
	})
}
