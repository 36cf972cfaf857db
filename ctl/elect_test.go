package ctl

import (
	"strings"
	"testing"
)

func TestElect(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		follower := goRun(t, "--endpoints", s.url, "elect", "--listen", "chief")
		eventually(t, "nobody leads", func() bool { return follower.out.String() == "\n" }, follower.out.String)
		first := goRun(t, "--endpoints", s.url, "elect", "chief", "ann")
		first.said(t, "/_elections/chief/")
		follower.said(t, "\nann\n")
		second := goRun(t, "--endpoints", s.url, "elect", "chief", "bob", "--", "sh", "-c", onSignal("INT", 9))
		s.queued(t, "/_elections/chief", 2)
		if second.out.Len() > 0 {
			t.Errorf("two lead: %q", second.out.String())
		}
		late := goRun(t, "--endpoints", s.url, "elect", "--listen", "chief")
		late.said(t, "ann\n")
		first.stop()
		first.ends(t, exitOK)
		second.said(t, "begun ")
		follower.said(t, "ann\nbob\n")
		late.said(t, "ann\nbob\n")
		second.stop()
		second.ends(t, 9)
		follower.said(t, "bob\n\n")
		follower.stop()
		follower.ends(t, exitOK)
		if got := follower.out.String(); got != "\nann\nbob\n\n" {
			t.Errorf("the follower said %q", got)
		}
		if strings.Contains(second.errOut.String(), "lost") {
			t.Errorf("said %q", second.errOut.String())
		}
	})
}
