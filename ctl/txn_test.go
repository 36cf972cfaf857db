package ctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/ctl/client"
)

// TestTransactionTable checks what a person sees on a terminal.
func TestTransactionTable(t *testing.T) {
	for name, test := range map[string]struct {
		result client.TxnResult
		want   string
	}{
		"then": {client.TxnResult{Succeeded: true, Index: 34, Results: []*client.Event{
			{Action: "set", Node: &client.Node{Key: "/a", Value: "x\ty", ModifiedIndex: 33}, PrevNode: &client.Node{Key: "/a", Value: "1"}},
			{Action: "delete", Node: &client.Node{Key: "/dir", Dir: true, ModifiedIndex: 34}, PrevNode: &client.Node{Key: "/dir", Dir: true}},
			{Action: "get", Node: &client.Node{Dir: true, Nodes: []*client.Node{{Key: "/a"}}}},
		}}, `all conditions held: "then" was executed, at index 34
OPERATION  ACTION  KEY    INDEX  VALUE                 BEFORE
then[0]    set     /a     33     "x\ty"                "1"
then[1]    delete  /dir/  34     -                     (directory)
then[2]    get     /      0      (directory: 1 shown)  -
`},
		"else, without operations": {client.TxnResult{Index: 5}, `not all conditions held: "else" was executed, at index 5` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(transactionTable(&test.result)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestTransactionAnswers checks the exit code and the message for each kind of answer.
func TestTransactionAnswers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "txn.json")
	if err := os.WriteFile(file, []byte(`{"then":[{"action":"set","key":"/a","value":"1"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		status int
		body   string
		code   int
		want   string // in stdout or stderr
	}{
		"then": {200, `{"succeeded":true,"index":5,"results":[]}` + "\n", exitOK, `{"succeeded":true,"index":5,"results":[]}` + "\n"},
		"else": {200, `{"succeeded":false,"index":5,"results":[]}`, exitElse, `"succeeded":false`},
		"an error": {404, `{"errorCode":100,"message":"Key not found","cause":"then[0]: /a","index":5}`, exitServer,
			"100: Key not found (then[0]: /a) [5]"},
		"an etcd":           {404, "404 page not found\n", exitServer, "the server has no transactions"},
		"no JSON":           {200, "hello", exitServer, "response is invalid json"},
		"no node":           {200, `{"succeeded":true,"results":[{}]}`, exitServer, "response is invalid json"},
		"it breaks off":     {0, "", exitServer, "EOF"},
		"a refused request": {413, `{"message":"too large"}`, exitServer, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			url, count := fixed(t, test.status, test.body)
			other, more := fixed(t, test.status, test.body)
			stdout, stderr, code := run(t, "--no-sync", "--endpoints", url+","+other, "txn", file)
			if code != test.code || !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
			if n := count.Load() + more.Load(); n != 1 {
				t.Errorf("the transaction was sent %d times", n)
			}
		})
	}
}
