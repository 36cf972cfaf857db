package program

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pando/ctl/client"
	"pando/ctl/migrate"
	"pando/tree"
)

// TestStatusText describes a cluster that follows, and one that has taken over.
func TestStatusText(t *testing.T) {
	source := []string{"http://etcd:2379"}
	member := migrate.MemberState{Name: "m1", State: &tree.MirrorState{Phase: tree.PhaseFollowing, Index: 7}}
	for name, test := range map[string]struct {
		status migrate.Status
		want   string
	}{
		"following": {migrate.Status{Phase: "following", Source: source, SourceIndex: 9, Index: 7, Behind: 2, ForwardWrites: true,
			Members: []migrate.MemberState{member, {Name: "m2", Error: "connection refused"}}}, `phase    following
source   http://etcd:2379
index    7 (source 9, behind by 2)
writes   forwarded to the source
member   m1: following, index 7, forwarding 0
member   m2: connection refused
`},
		"before pando migrate": {migrate.Status{Phase: "following", Index: 7}, `phase    following
source   unknown until pando migrate was started
index    7
writes   refused
`},
		"after the switch": {migrate.Status{Phase: "none", Source: source, SourceIndex: 9, Index: 1009},
			`phase    none (not following: it has taken over, or was never made to follow)
source   http://etcd:2379
index    1009 (source 9)
writes   served
`},
		"without --from": {migrate.Status{Phase: "none", Index: 1009},
			`phase    none (not following: it has taken over, or was never made to follow)
source   none
index    1009
writes   served
`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := statusText(&test.status); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

// TestFailedSwitch fails in the last step, when no member responds. The error must not claim that nothing has changed.
func TestFailedSwitch(t *testing.T) {
	down := &client.ClusterError{Errs: []error{errors.New("connection refused")}}
	err := failedSwitch(fmt.Errorf("%w (%w)", migrate.ErrInDoubt, down))
	if !errors.Is(err, migrate.ErrInDoubt) || strings.Contains(err.Error(), "Nothing has changed") {
		t.Errorf("in doubt: %v", err)
	}
	if err := failedSwitch(down); !strings.Contains(err.Error(), "Nothing has changed") {
		t.Errorf("before the last step: %v", err)
	}
}
