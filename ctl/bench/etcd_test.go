package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"pando/members/servertest"
)

// TestEtcd runs every load against the reference.
func TestEtcd(t *testing.T) {
	servertest.SkipShort(t, "it starts etcd")
	url := servertest.StartSingle(t, servertest.Member.StartEtcd).Client
	for _, test := range []struct {
		args []string
		want uint64
	}{
		{[]string{"put", "--conns", "8", "--total", "300", "--val-size", "256", "--target-leader"}, 300},
		{[]string{"put", "--total", "100", "--key-space-size", "100", "--directories", "7", "--sequential-keys", "--prefix", "/with space"}, 100},
		{[]string{"get", "--conns", "8", "--total", "500", "--key-space-size", "50"}, 500},
		{[]string{"get", "--quorum", "--total", "100", "--key-space-size", "50"}, 100},
		{[]string{"list", "--total", "50", "--key-space-size", "100", "--val-size", "256"}, 50},
		{[]string{"mixed", "--conns", "4", "--total", "300", "--read-ratio", "0.5", "--key-space-size", "50"}, 300},
		{[]string{"lock", "--clients", "4", "--total", "60"}, 60},
		{[]string{"lock", "--clients", "4", "--total", "60", "--locks", "1"}, 60},
		{[]string{"watch", "--watchers", "20", "--total", "20"}, 400},
		{[]string{"watch", "--watchers", "20", "--total", "20", "--mode", "poll"}, 400},
		{[]string{"watch", "--watchers", "20", "--watched-keys", "10", "--clients", "3", "--total", "40", "--window", "0"}, 80},
	} {
		t.Run(fmt.Sprint(test.args), func(t *testing.T) {
			out, err := runBench(t.Context(), append(test.args, "--endpoints", url, "--json")...)
			var r result
			if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if r.Succeeded != test.want || r.Failed != 0 {
				t.Errorf("%d succeeded, want %d; %d failed", r.Succeeded, test.want, r.Failed)
			}
		})
	}
}
