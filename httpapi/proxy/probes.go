package proxy

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"pando/httpapi/probe"
)

// checkMembers is the check of readiness: there is a member to which requests can be passed on.
const checkMembers = "members"

// ReadyCheckNames are the names of the checks of /readyz.
var ReadyCheckNames = []string{checkMembers}

var errNoMembers = errors.New("no member is known, or all have failed a moment ago")

func (p *Proxy) readyChecks() []probe.Check {
	return []probe.Check{{Name: checkMembers, Run: func(context.Context) error {
		if len(p.endpoints.available()) == 0 {
			return errNoMembers
		}
		return nil
	}}}
}

// withProbes returns a handler that answers /livez, /readyz and the paths below them, and calls next for other requests. No member is
// asked: an orchestrator must not restart a proxy because of its members.
func (p *Proxy) withProbes(next http.Handler) http.Handler {
	probes := map[string][]probe.Check{probe.LivePath: probe.Live(), probe.ReadyPath: p.readyChecks()}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for root, checks := range probes {
			if r.URL.Path != root && !strings.HasPrefix(r.URL.Path, root+"/") {
				continue
			}
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				w.Header().Set("Allow", "GET,HEAD")
				http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
				return
			}
			probe.Serve(w, r, root, checks)
			return
		}
		next.ServeHTTP(w, r)
	})
}
