package ctl

import (
	"strings"
	"testing"

	"pando/members/servertest"
)

func TestElect(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		listener := goRun(t, "--endpoints", s.Client, "elect", "--listen", "chief")
		servertest.Await(t, "the listener to print that nobody leads", func() bool { return listener.out.String() == "\n" })
		first := goRun(t, "--endpoints", s.Client, "elect", "chief", "ann")
		first.awaitOutput(t, "/_elections/chief/")
		listener.awaitOutput(t, "\nann\n")
		second := goRun(t, "--endpoints", s.Client, "elect", "chief", "bob", "--", "sh", "-c", onSignal("INT", 9))
		s.awaitQueue(t, "/_elections/chief", 2)
		if second.out.Len() > 0 {
			t.Errorf("two lead: %q", second.out.String())
		}
		late := goRun(t, "--endpoints", s.Client, "elect", "--listen", "chief")
		late.awaitOutput(t, "ann\n")
		first.stop()
		first.awaitExit(t, exitOK)
		second.awaitOutput(t, "begun ")
		listener.awaitOutput(t, "ann\nbob\n")
		late.awaitOutput(t, "ann\nbob\n")
		second.stop()
		second.awaitExit(t, 9)
		listener.awaitOutput(t, "bob\n\n")
		listener.stop()
		listener.awaitExit(t, exitOK)
		if got := listener.out.String(); got != "\nann\nbob\n\n" {
			t.Errorf("the listener said %q", got)
		}
		if strings.Contains(second.errOut.String(), "lost") {
			t.Errorf("said %q", second.errOut.String())
		}
	})
}
