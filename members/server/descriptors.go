package server

import (
	"fmt"
	"math"
	"syscall"

	"pando/httpapi"
	"pando/members/config"
)

// What is kept of the open files that a process may have. What clients do never takes it.
const (
	// keptForFiles is for the log, whose segments stay open, the checkpoint, the standard
	// streams, and connections to other members, of which each takes up to four.
	keptForFiles = 96
	// metricsConnections is for those who watch the process: they get in when clients don't.
	metricsConnections = 16
	// leastForPeers is for connections from other members, unless that were more than an eighth.
	leastForPeers = 32
)

// shares is how many connections there may be at a time.
type shares struct {
	clients, peers, metrics int
	idle                    int // of a proxy: to a member, for the next request
}

// memberShares shares out the descriptors of a member.
func memberShares(limit int) shares {
	kept := min(keptForFiles+3*httpapi.RefusalDescriptors, limit/2)
	peers := min(max(leastForPeers, limit/16), limit/8)
	return shares{peers: peers, metrics: metricsConnections, clients: max(limit-kept-peers-metricsConnections, 1)}
}

// proxyShares shares out the descriptors of a proxy: each client may need a connection to a member
// for its request.
func proxyShares(limit int) shares {
	kept := min(keptForFiles+2*httpapi.RefusalDescriptors, limit/2)
	idle := min(256, limit/8)
	return shares{metrics: metricsConnections, idle: idle, clients: max((limit-kept-idle-metricsConnections)/2, 1)}
}

// chosen are the shares with the number of clients that --max-connections says, if it says one.
func (s shares) chosen(cfg *config.Config) (shares, error) {
	if cfg.MaxConnections > s.clients {
		return s, config.AsUsage(fmt.Errorf("--max-connections=%d: there is room for %d, for the system allows this process %d open files, and some are kept for the log "+
			"and for other members; raise that limit (ulimit -n, or LimitNOFILE of systemd) or choose a smaller number", cfg.MaxConnections, s.clients, openFilesLimit()))
	}
	if cfg.MaxConnections > 0 {
		s.clients = cfg.MaxConnections
	}
	return s, nil
}

// unlimited stands for no limit.
const unlimited = math.MaxInt32

// openFilesLimit is how many files and connections this process may have open. The Go runtime has raised the limit as far as the
// system allows.
func openFilesLimit() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return unlimited
	}
	return int(min(uint64(r.Cur), unlimited))
}
