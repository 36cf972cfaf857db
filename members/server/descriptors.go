package server

import (
	"fmt"
	"math"
	"syscall"

	"pando/httpapi"
	"pando/members/config"
)

// Numbers of file descriptors that client connections can't use.
const (
	// reservedForFiles is for the segments of the log, which stay open, the checkpoint, the
	// standard streams, and up to four connections to each other member.
	reservedForFiles = 96
	// metricsConnections is for connections to --listen-metrics-urls. Monitoring must work when
	// there are too many clients.
	metricsConnections = 16
	// minForPeers is the smallest share of connections from other members, but at most an
	// eighth of all descriptors.
	minForPeers = 32
)

// shares are the numbers of connections, by kind, that may be open at the same time.
type shares struct {
	clients, peers, metrics int
	idle                    int // of a proxy: idle connections to a member
}

// memberShares divides limit descriptors among the connections of a member.
func memberShares(limit int) shares {
	reserved := min(reservedForFiles+3*httpapi.RefusalDescriptors, limit/2)
	peers := min(max(minForPeers, limit/16), limit/8)
	return shares{peers: peers, metrics: metricsConnections, clients: max(limit-reserved-peers-metricsConnections, 1)}
}

// proxyShares divides limit descriptors among the connections of a proxy. Each client may need a second one, for a connection to a member.
func proxyShares(limit int) shares {
	reserved := min(reservedForFiles+2*httpapi.RefusalDescriptors, limit/2)
	idle := min(256, limit/8)
	return shares{metrics: metricsConnections, idle: idle, clients: max((limit-reserved-idle-metricsConnections)/2, 1)}
}

// withMaxConnections returns the shares with --max-connections, if it is set, as the number of clients.
func (s shares) withMaxConnections(cfg *config.Config) (shares, error) {
	if cfg.MaxConnections > s.clients {
		return s, config.AsUsage(fmt.Errorf("--max-connections=%d: there is room for %d, because the system allows this process %d open files, "+
			"and some are reserved for the log and for other members; raise that limit (ulimit -n, or LimitNOFILE of systemd) "+
			"or choose a smaller number", cfg.MaxConnections, s.clients, openFilesLimit()))
	}
	if cfg.MaxConnections > 0 {
		s.clients = cfg.MaxConnections
	}
	return s, nil
}

// unlimited is the number of open files if the limit can't be read.
const unlimited = math.MaxInt32

// openFilesLimit returns the number of files and connections that this process may have open. The Go runtime has raised the
// limit as far as the system allows.
func openFilesLimit() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return unlimited
	}
	return int(min(uint64(r.Cur), unlimited))
}
