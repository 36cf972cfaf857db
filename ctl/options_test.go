package ctl

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pando/ctl/client"
)

// TestOutputFormat: a format that does not exist, or in which a command has no answer, is an error before anything is done.
func TestOutputFormat(t *testing.T) {
	url, requests := fixed(t, http.StatusOK, `{"action":"get","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	for _, command := range []string{
		"get /a", "ls", "set /a b", "rm /a", "mkdir /a", "watch /a", "member list", "cluster-health", "tree", "export", "endpoint status",
		"bench put",
	} {
		t.Run("unknown for "+command, func(t *testing.T) {
			stdout, stderr, code := run(t, append([]string{"--endpoints", url, "-o", "jsn"}, strings.Fields(command)...)...)
			if code != exitBadArguments || stdout != "" || stderr != "Unsupported output format: jsn\n--output is simple, extended or json\n" {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	for _, test := range []struct{ format, command, want string }{
		{"json", "tree", "tree has no output in the format \"json\"; it takes -o simple"},
		{"json", "import", "it takes -o simple"}, {"json", "lock a", "it takes -o simple"}, {"json", "elect a b", "it takes -o simple"},
		{"extended", "export", "it takes -o simple or json"},
		{"extended", "endpoint status", "it takes -o simple or json"}, {"extended", "bench put", "it takes -o simple or json"},
	} {
		t.Run(test.format+" for "+test.command, func(t *testing.T) {
			stdout, stderr, code := run(t, append([]string{"--endpoints", url, "-o", test.format}, strings.Fields(test.command)...)...)
			if code != exitBadArguments || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
	t.Run("json for endpoint status", func(t *testing.T) {
		for _, args := range []string{"-o json endpoint status", "-o json endpoint health", "-o json endpoint status -w json",
			"endpoint status -w json"} {
			stdout, _, _ := run(t, append([]string{"--no-sync", "--endpoints", url}, strings.Fields(args)...)...)
			var statuses []client.Status
			if err := json.Unmarshal([]byte(stdout), &statuses); err != nil || len(statuses) != 1 || statuses[0].Endpoint != url {
				t.Errorf("%s: %v, %q", args, err, stdout)
			}
		}
		if stdout, _, _ := run(t, "--no-sync", "--endpoints", url, "-o", "json", "endpoint", "status", "-w",
			"table"); !strings.HasPrefix(stdout, "ENDPOINT") {
			t.Errorf("-w table printed %q", stdout)
		}
	})
}

// TestStrayArguments: an argument that a command does not use is an error.
func TestStrayArguments(t *testing.T) {
	for command, want := range map[string]string{
		"endpoint status http://10.0.0.1:2379": `endpoint takes no arguments, but got "http://10.0.0.1:2379": ` +
			"name endpoints with the global --endpoints, before the command",
		"elect --listen name value":     "takes a name alone",
		"elect --listen --ttl 5 name":   "for candidates",
		"elect --listen --wait 5s name": "for candidates",
		"completion bash zsh":           `"zsh" is one`,
		"lock --wait -1s name":          "--wait",
		"tree --depth -1":               "--depth",
	} {
		t.Run(command, func(t *testing.T) {
			_, stderr, code := run(t, append([]string{"--no-sync", "--endpoints", "http://127.0.0.1:1"}, strings.Fields(command)...)...)
			if code != exitBadArguments || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, %q, want %q", code, stderr, want)
			}
		})
	}
}
