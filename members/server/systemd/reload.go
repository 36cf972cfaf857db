package systemd

import (
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/daemon"
)

// reloads are the functions that SIGHUP runs.
type reloads struct {
	mu    sync.Mutex // held while they run
	steps []*func()
}

// OnReload adds a function that each SIGHUP runs. The functions run one after the other, in the order in which they were added. remove
// removes the function, and returns when it does not run any more.
func (s *Service) OnReload(step func()) (remove func()) {
	r := &s.reloads
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, &step)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.steps = slices.DeleteFunc(r.steps, func(p *func()) bool { return p == &step })
	}
}

// ReloadAt runs the functions at each signal and reports the reload to systemd. It returns when hangups is closed.
func (s *Service) ReloadAt(hangups <-chan os.Signal) {
	for range hangups {
		s.reload()
	}
}

func (s *Service) reload() {
	s.reporting(daemon.SdNotifyReloading, strings.TrimSuffix(daemon.SdNotifyMonotonicUsec(), "\n"))
	s.reloads.mu.Lock()
	for _, step := range s.reloads.steps {
		(*step)()
	}
	s.reloads.mu.Unlock()
	s.reporting(daemon.SdNotifyReady)
}

// reporting sends a message about a reload. Before the process is ready it sends none, because READY=1 at the end of the reload would
// end the start.
func (s *Service) reporting(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		s.send(lines...)
	}
}
