package main

import (
	"slices"
	"strings"
	"testing"
)

func TestClientArgs(t *testing.T) {
	for _, test := range []struct {
		given, want string
	}{
		{"pando ctl get /a", "pando ctl|get|/a"},
		{"/usr/bin/pando ctl", "pando ctl"},
		{"/usr/local/bin/etcdctl get /a", "etcdctl|get|/a"},
		{"pandoctl ctl", "pandoctl|ctl"},
		{"pando --data-dir ctl", ""},
		{"pando", ""},
		{"etcd ctl", "pando ctl"},
	} {
		t.Run(test.given, func(t *testing.T) {
			got, is := clientArgs(strings.Fields(test.given))
			var want []string
			if test.want != "" {
				want = strings.Split(test.want, "|")
			}
			if is != (want != nil) || !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestClientVerb(t *testing.T) {
	var out, errOut strings.Builder
	err := run(t.Context(), []string{"pando", "ctl", "set", "--nope", "/a"}, &out, &errOut)
	if code := report(&errOut, err); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !strings.HasPrefix(out.String(), "Incorrect Usage: flag provided but not defined: -nope\n") ||
		errOut.String() != "flag provided but not defined: -nope\n" {
		t.Errorf("got %q and %q", out.String(), errOut.String())
	}
}
