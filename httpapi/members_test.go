package httpapi

import (
	"io"
	"strings"
	"testing"
	"time"

	"pando/members"
)

func TestMemberChangeErrors(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		want   string
	}{
		{members.ErrIDNotFound, 404, `{"message":"No such member: ab"}`},
		{members.ErrIDRemoved, 410, `{"message":"Member permanently removed: ab"}`},
		{members.ErrIDExists, 409, `{"message":"membership: ID exists"}`},
		{members.ErrPeerURLExists, 409, `{"message":"membership: peerURL exists"}`},
		{io.ErrUnexpectedEOF, 500, `{"message":"unexpected EOF"}`},
		{nil, 204, ``},
	} {
		t.Run(tc.want, func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.Service.Cluster = fixedCluster{tc.err} }).unchecked()
			w := f.do("DELETE", "/v2/members/0ab", "")
			if w.Code != tc.status || w.Body.String() != tc.want {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tc.status, tc.want)
			}
		})
	}
}

// TestMembersOfNewMember reads the list of members from a member whose own client URLs are not in the list yet.
func TestMembersOfNewMember(t *testing.T) {
	for target, want := range map[string]string{
		"/v2/members":  `"clientURLs":["http://127.0.0.1:2"]`,
		"/v2/machines": "http://127.0.0.1:2",
	} {
		status := map[string]int{"/v2/members": 200, "/v2/machines": 503}[target] // if no client URL is known in time
		t.Run(target, func(t *testing.T) {
			ready := make(chan struct{})
			f := newFixture(t, func(c *MemberConfig) {
				c.Service.Members, c.Service.Ready, c.Service.ReadyTimeout = members.NewRegistry(0xc1), ready, time.Minute
			})
			if err := f.Service.Members.Add(members.Member{ID: 1, PeerURLs: []string{"http://127.0.0.1:1"}}); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(20*time.Millisecond, func() {
				if err := f.Service.Members.UpdateAttributes(1, "one", []string{"http://127.0.0.1:2"}); err != nil {
					t.Error(err)
				}
				close(ready)
			})
			if got := f.do("GET", target, "").Body.String(); !strings.Contains(got, want) {
				t.Errorf("got %s, want %s in it", got, want)
			}
		})
		t.Run(target+" without its client URLs", func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) {
				c.Service.Members, c.Service.Ready = members.NewRegistry(0xc1), make(chan struct{})
			})
			if err := f.Service.Members.Add(members.Member{ID: 1, PeerURLs: []string{"http://127.0.0.1:1"}}); err != nil {
				t.Fatal(err)
			}
			if w := f.do("GET", target, ""); w.Code != status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, status)
			}
		})
		t.Run(target+" with its client URLs from an earlier run", func(t *testing.T) {
			f := newFixture(t, func(c *MemberConfig) { c.Service.Ready, c.Service.ReadyTimeout = make(chan struct{}), time.Hour })
			if got := f.do("GET", target, "").Body.String(); !strings.Contains(got, want) {
				t.Errorf("got %s, want %s in it", got, want)
			}
		})
	}
}
