// Package probe answers orchestrators and load balancers, which ask whether a process must be restarted and whether it can serve. The
// paths, the query and the texts are those of etcd 3.5.11 and later, which follow Kubernetes.
//
// All functions may be called from any goroutine. A Check must allow concurrent calls of its Run.
package probe

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The paths of the probes. Below each path is one for each of its checks.
const (
	LivePath  = "/livez"
	ReadyPath = "/readyz"
)

// Timeout bounds how long one check may take.
const Timeout = 2 * time.Second

// Check is a condition that a probe reports.
type Check struct {
	// Name is the last part of the path of the check. It must need no escaping.
	Name string
	// Run returns nil if the condition is met, and the reason otherwise. It must return when ctx ends.
	Run func(ctx context.Context) error
	// Warning says that the probe succeeds although the condition is not met, and reports that. The path of the check itself fails.
	Warning bool
}

// Failing returns a check that always fails.
func Failing(name string, reason error) Check {
	return Check{Name: name, Run: func(context.Context) error { return reason }}
}

// Live returns the checks of LivePath. There is one, which every process meets that answers. A restart mends nothing else that can be
// wrong with a member.
func Live() []Check {
	return []Check{{Name: "ping", Run: func(context.Context) error { return nil }}}
}

// Serve answers a request for LivePath or ReadyPath, which root names, or for a path below it. The response is 200 if all checks are met,
// warnings aside. It is 503 if one is not met, and 404 for the path of a check that does not exist. It lists the checks if one is not met,
// or if the query has verbose. Checks that the query names in exclude are not run, unless the path names one.
func Serve(w http.ResponseWriter, r *http.Request, root string, checks []Check) {
	query := r.URL.Query()
	if name, below := strings.CutPrefix(r.URL.Path, root+"/"); below {
		i := slices.IndexFunc(checks, func(c Check) bool { return c.Name == name })
		if i < 0 {
			http.NotFound(w, r)
			return
		}
		only := checks[i]
		only.Warning = false
		checks = []Check{only}
	} else {
		checks = without(checks, query["exclude"])
	}
	report, met := run(r.Context(), checks)
	w.Header().Set("Cache-Control", "no-store")
	if !met {
		http.Error(w, report, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !query.Has("verbose") {
		report = ""
	}
	_, _ = w.Write([]byte(report + "ok\n")) // an error means that the client is gone
}

// without returns the checks whose names are not in excluded.
func without(checks []Check, excluded []string) []Check {
	var rest []Check
	for _, c := range checks {
		if !slices.Contains(excluded, c.Name) {
			rest = append(rest, c)
		}
	}
	return rest
}

// run runs the checks one after the other. The report has a line for each.
func run(ctx context.Context, checks []Check) (report string, met bool) {
	var b strings.Builder
	met = true
	for _, c := range checks {
		switch err := runOne(ctx, c); {
		case err != nil && c.Warning:
			fmt.Fprintf(&b, "[!]%s warning: %v\n", c.Name, err)
			continue
		case err != nil:
			met = false
			fmt.Fprintf(&b, "[-]%s failed: %v\n", c.Name, err)
			continue
		}
		fmt.Fprintf(&b, "[+]%s ok\n", c.Name)
	}
	return b.String(), met
}

func runOne(ctx context.Context, c Check) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return c.Run(ctx)
}
